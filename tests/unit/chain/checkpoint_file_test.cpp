#include "twinchain/chain/checkpoint_file.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/text.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

SignedNote signed_checkpoint(std::uint64_t size) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = 3;
  SignedNote note;
  note.text = encode_checkpoint({"twinchain/engine-1", size, Hash256{9}, {}});
  sign_note(note, "engine-1", SecretKey::from_seed(seed));
  return note;
}

}  // namespace

TEST_CASE("checkpoint file: a note, or what leads to one, is told by its first line") {
  const SignedNote note = signed_checkpoint(1);
  std::string text;
  SUBCASE("alone") {
    text = encode_note(note);
    const auto file = parse_checkpoint_file(as_bytes(text));
    REQUIRE(file);
    CHECK_FALSE(file->frame);
    CHECK_FALSE(file->consistency);
  }
  SUBCASE("behind the proof of a frame") {
    text = encode_tlog_proof({"", 0, {}, note});
    const auto file = parse_checkpoint_file(as_bytes(text));
    REQUIRE(file);
    REQUIRE(file->frame);
    CHECK(file->frame->index == 0);
    CHECK_FALSE(file->consistency);
  }
  SUBCASE("behind a consistency proof") {
    text = encode_consistency_proof({1, {}, note});
    const auto file = parse_checkpoint_file(as_bytes(text));
    REQUIRE(file);
    CHECK_FALSE(file->frame);
    REQUIRE(file->consistency);
    CHECK(file->consistency->old_size == 1);
  }
  const auto file = parse_checkpoint_file(as_bytes(text));
  REQUIRE(file);
  CHECK(encode_note(file->note) == encode_note(note));
  CHECK(file->checkpoint.origin == "twinchain/engine-1");
  CHECK(file->checkpoint.size == 1);
  CHECK(file->checkpoint.root == Hash256{9});
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_checkpoint_file(as_bytes(std::string_view(text).substr(0, size)));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == ExitCode::malformed);
  }
}

TEST_CASE("checkpoint file: a note that is no checkpoint is none") {
  SignedNote note = signed_checkpoint(1);
  note.text = "something else\n";
  const auto file = parse_checkpoint_file(as_bytes(encode_note(note)));
  REQUIRE_FALSE(file);
  CHECK(file.error().code == ExitCode::malformed);
}
