#include "twinchain/bitcoin/script.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "twinchain/base/hex.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

std::string push_prefix(std::size_t size) {
  Bytes script;
  append_push(script, Bytes(size, 0xaa));
  return to_hex(ByteView(script).first(script.size() - size));
}
std::string number(std::int64_t value) {
  Bytes script;
  append_push_number(script, value);
  return to_hex(script);
}

}  // namespace

TEST_CASE("pushes take the shortest opcode for their length") {
  CHECK(push_prefix(0) == "00");
  CHECK(push_prefix(1) == "01");
  CHECK(push_prefix(75) == "4b");
  CHECK(push_prefix(76) == "4c4c");
  CHECK(push_prefix(255) == "4cff");
  CHECK(push_prefix(256) == "4d0001");
  CHECK(push_prefix(65535) == "4dffff");
  CHECK(push_prefix(65536) == "4e00000100");
}

TEST_CASE("numbers as Bitcoin Core's script << int64") {
  CHECK(number(0) == "00");
  CHECK(number(-1) == "4f");
  CHECK(number(1) == "51");
  CHECK(number(16) == "60");
  CHECK(number(17) == "0111");
  CHECK(number(127) == "017f");
  CHECK(number(128) == "028000");
  CHECK(number(-128) == "028080");
  CHECK(number(227931) == "035b7a03");  // the first block of which BIP 34 is asked
  CHECK(number(std::numeric_limits<std::int64_t>::min()) == "09000000000000008080");
  for (const std::int64_t value : {0L, 1L, -1L, 127L, -127L, 128L, 255L, 256L, -32768L, 8388607L,
                                   8388608L, 0x7fffffffL, -0x7fffffffL, 0x123456789abL}) {
    CHECK(decode_script_number(encode_script_number(value), 8) == value);
  }
}

TEST_CASE("numbers that are too long or not in shortest form are refused") {
  const auto decode = [](std::string_view hex) { return decode_script_number(*from_hex(hex), 4); };
  CHECK(decode("") == 0);
  CHECK_FALSE(decode("00"));
  CHECK_FALSE(decode("80"));
  CHECK_FALSE(decode("0100"));
  CHECK_FALSE(decode("0180"));
  CHECK(decode("8000") == 128);
  CHECK(decode("ff80") == -255);
  CHECK_FALSE(decode("0102030405"));
  CHECK_FALSE(decode_script_number(Bytes(9, 1), 9));
}

TEST_CASE("reading operations") {
  const Bytes script = *from_hex("0002abcd4c01ee4d0100ff4e010000001176a9");
  ScriptReader reader(script);
  const std::vector<std::pair<std::uint8_t, std::string>> expected = {
      {OP_0, ""}, {2, "abcd"}, {OP_PUSHDATA1, "ee"}, {OP_PUSHDATA2, "ff"}, {OP_PUSHDATA4, "11"},
      {0x76, ""}, {0xa9, ""}};
  for (const auto& [opcode, data] : expected) {
    const auto operation = reader.next();
    REQUIRE(operation);
    CHECK(operation->opcode == opcode);
    CHECK(to_hex(operation->data) == data);
  }
  CHECK_FALSE(reader.next());
  CHECK(reader.at_end());
  CHECK_FALSE(reader.malformed());
}

TEST_CASE("a push past the end is malformed, not read") {
  for (const char* hex :
       {"01", "02aa", "4c", "4c01", "4d", "4d01", "4d0100", "4effffffff", "4e01"}) {
    CAPTURE(hex);
    const Bytes script = *from_hex(hex);
    ScriptReader reader(script);
    CHECK_FALSE(reader.next());
    CHECK(reader.malformed());
    CHECK_FALSE(reader.next());
  }
}

TEST_CASE("data outputs: built, read back, and one form only") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{37}, std::size_t{75}, std::size_t{76},
                                 std::size_t{80}, std::size_t{255}, std::size_t{256}}) {
    const Bytes payload(size, 0x5a);
    const Bytes script = op_return_script(payload);
    const auto found = op_return_payload(script);
    REQUIRE(found);
    CHECK(Bytes(found->begin(), found->end()) == payload);
  }
  CHECK(to_hex(op_return_script(*from_hex("0102"))) == "6a020102");
  CHECK(to_hex(op_return_script(Bytes(80, 1))).substr(0, 8) == "6a4c5001");
  for (const char* hex : {"", "6a", "6a51", "6a0201", "6a01aa00", "6a4c01aa", "6a4d0100aa",
                          "6a4c4b", "51", "010203", "6a60", "6a76"}) {
    CAPTURE(hex);
    const Bytes script = *from_hex(hex);
    CHECK_FALSE(op_return_payload(script));
  }
}
