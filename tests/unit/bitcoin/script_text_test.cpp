#include "twinchain/bitcoin/script_text.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/opcodes.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

std::string parsed(std::string_view text) {
  const auto script = parse_script_text(text);
  return script ? to_hex(*script) : script.error().message;
}

}  // namespace

TEST_CASE("words of scripts") {
  CHECK(parsed("") == "");
  CHECK(parsed(" \t\n 1  2 ") == "5152");
  CHECK(parsed("0 -1 16 17 -128 4294967295 -4294967295") ==
        "004f60011102808005ffffffff0005ffffffff80");
  CHECK(parsed("'' 'Az'") == "0002417a");
  CHECK(parsed("0x4c 0x01 0x07") == "4c0107");
  CHECK(parsed("DUP OP_DUP NOP2 CHECKLOCKTIMEVERIFY NOP3 OP_CHECKSEQUENCEVERIFY") ==
        "7676b1b1b2b2");
  CHECK(parsed("RESERVED RESERVED1 NOP10 CHECKSIGADD") == "5089b9ba");
  CHECK(parsed("OP_0 OP_16 OP_1NEGATE 1NEGATE OP_TRUE FALSE 2DUP 1ADD") == "00604f4f51006e8b");
}

TEST_CASE("words that are none are refused with their place") {
  const auto refused = [](std::string_view text, const std::string& place) {
    const auto script = parse_script_text(text);
    REQUIRE_FALSE(script);
    CHECK(script.error().code == ExitCode::malformed);
    CHECK(script.error().message.starts_with("script: byte " + place + ": "));
  };
  refused("1 OP_NOSUCH", "2");
  refused("4294967296", "0");
  refused("-4294967296", "0");
  refused("99999999999999999999", "0");
  refused("0x", "0");
  refused("0x0", "0");
  refused("0xzz", "0");
  refused("1 'open", "2");
  refused("'", "0");
  refused("OP_17", "0");
  refused("OP_01", "0");
  refused("--1", "0");
  refused("1.5", "0");
}

TEST_CASE("what is printed reads back as the same script") {
  Bytes every;
  for (int opcode = 0x4f; opcode <= 0xff; ++opcode) {
    every.push_back(static_cast<std::uint8_t>(opcode));
  }
  append_push(every, Bytes(75, 1));
  append_push(every, Bytes(76, 2));
  append_push(every, Bytes(256, 3));
  append_push(every, {});
  for (const Bytes& end : {Bytes{}, Bytes{5, 1}, Bytes{0x4c}, Bytes{0x4d, 9, 0}, Bytes{0x4e, 1}}) {
    Bytes script = every;
    append(script, end);
    const auto again = parse_script_text(format_script(script));
    REQUIRE(again);
    CHECK(*again == script);
  }
  CHECK(format_script(*from_hex("76a9020102ac4f0060")) ==
        "OP_DUP OP_HASH160 0x02 0x0102 OP_CHECKSIG -1 0 16");
}

TEST_CASE("opcodes and their names") {
  for (int opcode = OP_NOP; opcode <= OP_NOP10; ++opcode) {
    const std::string_view name = opcode_name(static_cast<std::uint8_t>(opcode));
    CHECK(opcode_by_name(name) == opcode);
    CHECK(opcode_by_name(name.substr(3)) == opcode);
  }
  CHECK(opcode_name(OP_NOP10 + 1).empty());
  CHECK(opcode_name(0x4c).empty());
  CHECK_FALSE(opcode_by_name("OP_"));
  CHECK_FALSE(opcode_by_name(""));
}
