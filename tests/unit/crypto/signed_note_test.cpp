#include "twinchain/crypto/signed_note.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/merkle_proof.hpp"

using namespace twinchain;

namespace {

// The example of Go's golang.org/x/mod/sumdb/note, from which the specification comes.
const char* const peter_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const char* const peter_note =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

SecretKey secret(std::uint8_t seed) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(seed);
  return SecretKey::from_seed(bytes);
}

SignedNote read(std::string_view text) {
  auto note = parse_note(as_bytes(text));
  REQUIRE(note);
  return *note;
}

}  // namespace

TEST_CASE("signed note: the published example verifies, and comes back byte for byte") {
  const auto key = parse_note_key(peter_key);
  REQUIRE(key);
  CHECK(key->text() == peter_key);
  const SignedNote note = read(peter_note);
  CHECK(note.signatures.size() == 1);
  CHECK(verify_note(note, *key));
  CHECK(encode_note(note) == peter_note);
}

TEST_CASE("signed note: no changed bit is believed") {
  const auto key = parse_note_key(peter_key);
  REQUIRE(key);
  const std::string good = peter_note;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string changed = good;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto note = parse_note(as_bytes(changed));
    if (note) CHECK_FALSE(verify_note(*note, *key));
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_note(as_bytes(std::string_view(good).substr(0, size))));
  }
}

TEST_CASE("signed note: several signers, cosignatures with their time, unknown ones passed over") {
  SignedNote note;
  note.text = "twinchain/engine-1\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  sign_note(note, "engine-1", secret(1));
  cosign_note(note, "witness.example", secret(2), 1'700'000'000);
  for (std::uint8_t i = 10; i < 30; ++i)
    sign_note(note, "other" + decimal(std::uint64_t{i}), secret(i));
  const SignedNote again = read(encode_note(note));
  CHECK(again.signatures.size() == 22);
  const NoteKey signer{"engine-1", NoteKeyType::ed25519, secret(1).public_key()};
  const NoteKey witness{"witness.example", NoteKeyType::cosignature, secret(2).public_key()};
  CHECK(verify_note(again, signer));
  const auto seen = verify_note(again, witness);
  REQUIRE(seen);
  CHECK(seen->time_s == 1'700'000'000);
  // The same key under another name or type has another id.
  const auto not_signed = [&](const NoteKey& key) {
    const auto verdict = verify_note(again, key);
    return !verdict && verdict.error().code == ExitCode::unproven;
  };
  CHECK(not_signed({"engine-2", NoteKeyType::ed25519, secret(1).public_key()}));
  CHECK(not_signed({"engine-1", NoteKeyType::cosignature, secret(1).public_key()}));
  // The witness's time is signed.
  SignedNote later = again;
  later.signatures[1].signature[7] ^= 1;
  const auto verdict = verify_note(later, witness);
  CHECK((!verdict && verdict.error().code == ExitCode::refuted));
}

TEST_CASE("note keys: one fault each") {
  for (const char* text : {"", "PeterNeumann", "PeterNeumann+c74f20a3", "+c74f20a3+AQ==",
                           "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                           "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                           "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                           "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
                           "PeterNeumann+c74f20a3+CRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_note_key(text));
  }
}

TEST_CASE("notes: one fault each") {
  for (const char* text :
       {"", "text\n", "text\n\n", "text\n\nno signature\n", "text\n\n\xe2\x80\x94 name\n",
        "text\n\n\xe2\x80\x94 name AAAA\n", "text\n\n\xe2\x80\x94 name AAAAAAA\n",
        "text\n\n\xe2\x80\x94  AAAAAAAA\n", "text\n\n\xe2\x80\x94 na+me AAAAAAAA\n",
        "te\rxt\n\n\xe2\x80\x94 name AAAAAAAA\n", "te\xfft\n\n\xe2\x80\x94 name AAAAAAAA\n",
        "text\n\n\xe2\x80\x94 name AAAAAAAA"}) {
    CAPTURE(text);
    const auto note = parse_note(as_bytes(text));
    REQUIRE_FALSE(note);
    CHECK(note.error().code == ExitCode::malformed);
  }
  CHECK(parse_note(as_bytes("text\n\n\xe2\x80\x94 name AAAAAAAA\n")));
}

TEST_CASE("checkpoints: there and back, and one fault each") {
  const Checkpoint checkpoint{
      "twinchain/engine-1", 20'852'163, merkle_leaf(as_bytes("x")), {"ext"}};
  const std::string text = encode_checkpoint(checkpoint);
  const auto again = parse_checkpoint(text);
  REQUIRE(again);
  CHECK(encode_checkpoint(*again) == text);
  CHECK(again->size == checkpoint.size);
  CHECK(again->root == checkpoint.root);
  const std::string root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  CHECK(parse_checkpoint("o\n0\n" + root + "\n"));
  for (const std::string& bad :
       {std::string(), "\n0\n" + root + "\n", "o\n" + root + "\n", "o\n-1\n" + root + "\n",
        "o\n01\n" + root + "\n", "o\n0\n" + root, std::string("o\n0\nAAAA\n"),
        "o\n0\n" + root + "\n\n", "o\n18446744073709551616\n" + root + "\n",
        "o\n0\n" + root + "\next"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_checkpoint(bad));
  }
}

TEST_CASE("tlog proofs: a leaf is shown to be under a signed head") {
  std::vector<Hash256> leaves;
  for (char c = 'a'; c < 'l'; ++c) leaves.push_back(merkle_leaf(as_bytes(std::string(1, c))));
  TlogProof proof;
  proof.index = 6;
  proof.path = inclusion_path(proof.index, leaves.size(), subtrees_of(leaves));
  proof.checkpoint.text =
      encode_checkpoint({"twinchain/engine-1", leaves.size(), merkle_root(leaves), {}});
  sign_note(proof.checkpoint, "engine-1", secret(3));
  for (const char* extra : {"", "link 6"}) {
    proof.extra = extra;
    const std::string text = encode_tlog_proof(proof);
    const auto again = parse_tlog_proof(as_bytes(text));
    REQUIRE(again);
    CHECK(again->extra == extra);
    CHECK(encode_tlog_proof(*again) == text);
    const auto head = parse_checkpoint(again->checkpoint.text);
    REQUIRE(head);
    CHECK(verify_inclusion(leaves[6], again->index, head->size, again->path, head->root));
    for (std::size_t size = 0; size < text.size(); ++size) {
      CHECK_FALSE(parse_tlog_proof(as_bytes(std::string_view(text).substr(0, size))));
    }
  }
}

TEST_CASE("consistency proofs: a signed head is shown to continue an older one") {
  std::vector<Hash256> leaves;
  for (char c = 'a'; c < 'l'; ++c) leaves.push_back(merkle_leaf(as_bytes(std::string(1, c))));
  const std::span<const Hash256> all = leaves;
  ConsistencyProof proof;
  proof.old_size = 6;
  proof.hashes = consistency_proof(proof.old_size, leaves.size(), subtrees_of(leaves));
  proof.checkpoint.text =
      encode_checkpoint({"twinchain/engine-1", leaves.size(), merkle_root(leaves), {}});
  sign_note(proof.checkpoint, "engine-1", secret(3));
  const std::string text = encode_consistency_proof(proof);
  CHECK(text.starts_with("old 6\n"));
  const auto again = parse_consistency_proof(as_bytes(text));
  REQUIRE(again);
  CHECK(encode_consistency_proof(*again) == text);
  const auto head = parse_checkpoint(again->checkpoint.text);
  REQUIRE(head);
  CHECK(verify_consistency(again->old_size, head->size, again->hashes, merkle_root(all.first(6)),
                           head->root));
  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK_FALSE(parse_consistency_proof(as_bytes(std::string_view(text).substr(0, size))));
  }
  for (const char* bad : {"old 06\n", "old x\n", "old\n", "6\n", "old 6\nAAAA\n"}) {
    CAPTURE(bad);
    const std::string rest = text.substr(text.find('\n') + 1);
    CHECK_FALSE(parse_consistency_proof(as_bytes(std::string(bad) + rest)));
  }
}
