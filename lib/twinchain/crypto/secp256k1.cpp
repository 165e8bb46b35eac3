#include "twinchain/crypto/secp256k1.hpp"

#include <secp256k1.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "twinchain/crypto/sha256.hpp"

namespace twinchain {
namespace {

/// One for the process, never destroyed: using it is thread-safe, changing it (randomising) is not,
/// and so is done once, before anybody sees it.
const secp256k1_context* context() {
  static const secp256k1_context* const made = [] {
    secp256k1_context* fresh = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    auto blinding = random_array<32>();
    if (fresh == nullptr || secp256k1_context_randomize(fresh, blinding.data()) != 1) std::abort();
    wipe(blinding);
    return fresh;
  }();
  return made;
}

std::optional<secp256k1_pubkey> parse_public_key(ByteView bytes) {
  secp256k1_pubkey key;
  // The library takes no empty input.
  if (bytes.empty()) return std::nullopt;
  if (secp256k1_ec_pubkey_parse(context(), &key, bytes.data(), bytes.size()) != 1) {
    return std::nullopt;
  }
  return key;
}

/// The keys that a thread has parsed lately. A compressed key has to be solved for its y
/// coordinate, a tenth of the work of a verification, and those who sign do so with one key again
/// and again. Anybody can choose keys that share a place here: that costs the work saved, no more.
class KnownKeys {
 public:
  std::optional<secp256k1_pubkey> find_or_parse(ByteView bytes) {
    if (bytes.size() != EcdsaPublicKey().size()) return parse_public_key(bytes);
    Entry& entry = entries_[load_le<std::uint16_t>(bytes.last(2).data()) % entries_.size()];
    if (!entry.parsed || !std::ranges::equal(bytes, entry.bytes)) {
      const auto key = parse_public_key(bytes);
      if (!key) return std::nullopt;
      std::ranges::copy(bytes, entry.bytes.begin());
      entry.parsed = key;
    }
    return entry.parsed;
  }

 private:
  struct Entry {
    EcdsaPublicKey bytes{};
    std::optional<secp256k1_pubkey> parsed;
  };
  std::array<Entry, 512> entries_;  // 49 KiB
};

/// An INTEGER's contents, or nothing when it is none or reaches past the end.
std::optional<ByteView> read_integer_lax(ByteCursor& cursor) {
  if (cursor.read_le<std::uint8_t>() != 0x02) return std::nullopt;
  std::size_t size = cursor.read_le<std::uint8_t>();
  if ((size & 0x80) != 0) {
    ByteView digits = cursor.read_view(size & 0x7f);
    while (!digits.empty() && digits.front() == 0) digits = digits.subspan(1);
    if (digits.size() >= 4) return std::nullopt;
    size = 0;
    for (const std::uint8_t digit : digits) size = (size << 8) | digit;
  }
  const ByteView contents = cursor.read_view(size);
  if (!cursor.ok()) return std::nullopt;
  return contents;
}

/// Right-aligned in 32 bytes; false when it has more digits.
bool store_integer(ByteView contents, std::uint8_t* out) {
  while (!contents.empty() && contents.front() == 0) contents = contents.subspan(1);
  if (contents.size() > 32) return false;
  std::copy(contents.begin(), contents.end(), out + (32 - contents.size()));
  return true;
}

struct LaxSignature {
  bool readable = false;  ///< two integers are there
  bool in_range = false;  ///< and are numbers below the group's order
  std::array<std::uint8_t, 64> compact{};
  secp256k1_ecdsa_signature parsed{};
};

LaxSignature read_signature_lax(ByteView signature) {
  LaxSignature out;
  ByteCursor cursor(signature);
  if (cursor.read_le<std::uint8_t>() != 0x30) return out;
  // How long the sequence claims to be has never mattered.
  const auto size = cursor.read_le<std::uint8_t>();
  if ((size & 0x80) != 0) cursor.read_view(size & 0x7f);
  if (!cursor.ok()) return out;
  const auto r = read_integer_lax(cursor);
  if (!r) return out;
  const auto s = read_integer_lax(cursor);
  if (!s) return out;
  out.readable = true;
  out.in_range =
      store_integer(*r, out.compact.data()) && store_integer(*s, out.compact.data() + 32) &&
      secp256k1_ecdsa_signature_parse_compact(context(), &out.parsed, out.compact.data()) == 1;
  return out;
}

}  // namespace

bool verify_ecdsa(ByteView public_key, const Hash256& hash, ByteView signature) {
  thread_local const auto known = std::make_unique<KnownKeys>();
  const auto key = known->find_or_parse(public_key);
  if (!key) return false;
  LaxSignature read = read_signature_lax(signature);
  if (!read.readable || !read.in_range) return false;
  // The library refuses a high S, Bitcoin's consensus does not.
  secp256k1_ecdsa_signature_normalize(context(), &read.parsed, &read.parsed);
  return secp256k1_ecdsa_verify(context(), &read.parsed, hash.data(), &*key) == 1;
}

std::optional<std::array<std::uint8_t, 64>> parse_signature_lax(ByteView signature) {
  const LaxSignature read = read_signature_lax(signature);
  if (!read.readable || !read.in_range) return std::nullopt;
  return read.compact;
}

bool has_low_s(ByteView signature) {
  const LaxSignature read = read_signature_lax(signature);
  if (!read.readable) return false;
  if (!read.in_range) return true;
  return secp256k1_ecdsa_signature_normalize(context(), nullptr, &read.parsed) == 0;
}

bool is_valid_public_key(ByteView public_key) {
  return parse_public_key(public_key).has_value();
}

EcdsaSecretKey EcdsaSecretKey::generate() {
  EcdsaSecretKey key;
  // All but one in 2^128 values are keys.
  do {
    fill_random(key.secret_);
  } while (secp256k1_ec_seckey_verify(context(), key.secret_.data()) != 1);
  return key;
}

std::optional<EcdsaSecretKey> EcdsaSecretKey::from_bytes(
    const std::array<std::uint8_t, 32>& secret) {
  if (secp256k1_ec_seckey_verify(context(), secret.data()) != 1) return std::nullopt;
  EcdsaSecretKey key;
  key.secret_ = secret;
  return key;
}

EcdsaSecretKey::~EcdsaSecretKey() {
  wipe(secret_);
}

EcdsaPublicKey EcdsaSecretKey::public_key() const {
  secp256k1_pubkey key;
  EcdsaPublicKey out{};
  std::size_t size = out.size();
  // What is not a key cannot be made; a failure would be a bug of the library.
  if (secp256k1_ec_pubkey_create(context(), &key, secret_.data()) != 1 ||
      secp256k1_ec_pubkey_serialize(context(), out.data(), &size, &key, SECP256K1_EC_COMPRESSED) !=
          1) {
    std::abort();
  }
  return out;
}

Bytes EcdsaSecretKey::sign(const Hash256& hash) const {
  secp256k1_ecdsa_signature signature;
  Bytes out(72);
  std::size_t size = out.size();
  if (secp256k1_ecdsa_sign(context(), &signature, hash.data(), secret_.data(),
                           secp256k1_nonce_function_rfc6979, nullptr) != 1 ||
      secp256k1_ecdsa_signature_serialize_der(context(), out.data(), &size, &signature) != 1) {
    std::abort();  // as above
  }
  out.resize(size);
  return out;
}

}  // namespace twinchain
