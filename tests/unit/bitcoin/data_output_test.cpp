// Scripts as a whole: outputs that carry data, what is unspendable, what is left out.
#include <doctest/doctest.h>

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/opcodes.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

TEST_CASE("data outputs give back their tag and data, of any size") {
  for (const std::size_t size :
       {0U, 1U, 75U, 76U, 255U, 256U, 520U, 521U, 65535U, 65536U, 300000U}) {
    CAPTURE(size);
    const Bytes data(size, 1);
    const auto script = data_output_script(as_bytes("twin"), data);
    REQUIRE(script);
    CHECK(is_unspendable(*script));
    const auto read = read_data_output(*script);
    REQUIRE(read);
    CHECK(as_text(read->tag) == "twin");
    CHECK(std::equal(read->data.begin(), read->data.end(), data.begin(), data.end()));
    // Nothing shorter or longer is one.
    CHECK_FALSE(read_data_output(ByteView(*script).first(script->size() - 1)));
    Bytes longer = *script;
    longer.push_back(0);
    CHECK_FALSE(read_data_output(longer));
  }
}

TEST_CASE("data outputs keep to their limits and to one encoding") {
  CHECK_FALSE(data_output_script({}, as_bytes("x")));
  CHECK(data_output_script(Bytes(75, 1), {}));
  CHECK_FALSE(data_output_script(Bytes(76, 1), {}));
  CHECK(data_output_script(as_bytes("t"), Bytes(max_data_output_size)));
  CHECK_FALSE(data_output_script(as_bytes("t"), Bytes(max_data_output_size + 1)));
  CHECK(read_data_output(*from_hex("006a017401aa")));
  CHECK(read_data_output(*from_hex("006a017400")));
  for (const char* other : {"", "00", "006a", "006a0174", "6a017401aa", "006a0001aa", "006a5101aa",
                            "006a4c017401aa", "006a01744c01aa", "006a017451", "006a01744d0100aa",
                            "006a0174020a", "006a01744e01000000aa", "516a017401aa"}) {
    CAPTURE(other);
    CHECK_FALSE(read_data_output(*from_hex(other)));
  }
}

TEST_CASE("unspendable is what can never succeed") {
  CHECK(is_unspendable(*from_hex("6a")));
  CHECK(is_unspendable(*from_hex("006a")));
  CHECK_FALSE(is_unspendable({}));
  CHECK_FALSE(is_unspendable(*from_hex("00")));
  CHECK_FALSE(is_unspendable(*from_hex("516a")));
  CHECK_FALSE(is_unspendable(Bytes(max_script_size, OP_1)));
  CHECK(is_unspendable(Bytes(max_script_size + 1, OP_1)));
}

TEST_CASE("find_and_delete looks where operations begin") {
  const auto without = [](const char* script, const char* piece) -> std::string {
    const auto found = find_and_delete(*from_hex(script), *from_hex(piece));
    return found ? to_hex(*found) : "none";
  };
  CHECK(without("0302ff03", "") == "none");
  CHECK(without("0302ff03", "0302ff03") == "");
  CHECK(without("0302ff030302ff03", "0302ff03") == "");
  CHECK(without("0302ff030302ff03", "02") == "none");  // within a push
  CHECK(without("0302ff030302ff03", "ff") == "none");
  CHECK(without("0302ff030302ff03", "03") == "02ff0302ff03");  // byte for byte
  CHECK(without("02feed5169", "feed51") == "none");
  CHECK(without("02feed5169", "02feed51") == "69");
  CHECK(without("516902feed5169", "feed51") == "none");
  CHECK(without("516902feed5169", "02feed51") == "516969");
  CHECK(without("00005151", "0051") == "0051");  // what closes up is not looked at again
  CHECK(without("0003feed", "03feed") == "00");
  CHECK(without("5103feed", "51") == "03feed");  // the rest is no operation any more
  CHECK(without("51", "5151") == "none");
}

TEST_CASE("pushes only, and pay to script hash") {
  CHECK(is_push_only({}));
  CHECK(is_push_only(*from_hex("000201024f5060")));
  CHECK_FALSE(is_push_only(*from_hex("0061")));
  CHECK_FALSE(is_push_only(*from_hex("0201")));
  Bytes script{OP_HASH160, 20};
  script.resize(22, 7);
  script.push_back(OP_EQUAL);
  CHECK(is_pay_to_script_hash(script));
  script.push_back(OP_NOP);
  CHECK_FALSE(is_pay_to_script_hash(script));
  Bytes other{OP_HASH160, OP_PUSHDATA1, 20};
  other.resize(23, 7);
  other.push_back(OP_EQUAL);
  CHECK_FALSE(is_pay_to_script_hash(other));
}
