#include "twinchain/chain/policy.hpp"

#include <doctest/doctest.h>

using namespace twinchain;
using namespace twinchain::chain;

namespace {

std::string error_of(std::string_view text) {
  const auto policy = parse_policy(as_bytes(text));
  if (policy) return "";
  CHECK(policy.error().code == ExitCode::usage);
  return policy.error().message;
}

}  // namespace

TEST_CASE("a policy with everything") {
  const auto policy = parse_policy(
      as_bytes("# what the insurer asks for\n"
               "signer = node 1 "
               "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
               "signer=farmer\tFF0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\r\n"
               "\n"
               "min-depth = 6   # blocks\n"
               "largest-gap = 1500ms\n"
               "require-anchor = yes\n"
               "network = bitcoin\nnetwork = litecoin\n"
               "clock = refuse\n"
               "least-rows = 99.5%"));
  REQUIRE(policy);
  REQUIRE(policy->signers.size() == 2);
  CHECK(policy->signers[0].name == "node 1");
  CHECK(policy->signers[0].key[1] == 1);
  CHECK(policy->signers[1].name == "farmer");
  CHECK(policy->signers[1].key[0] == 0xff);
  CHECK(policy->min_depth == 6);
  CHECK(policy->largest_gap_ns == 1'500'000'000);
  CHECK(policy->require_anchor);
  CHECK(policy->networks == std::vector<std::string>{"bitcoin", "litecoin"});
  CHECK(policy->refuse_clock_findings);
  CHECK(*policy->least_rows == doctest::Approx(0.995));
}

TEST_CASE("an empty policy asks for nothing") {
  const auto policy = parse_policy({});
  REQUIRE(policy);
  CHECK(policy->signers.empty());
  CHECK_FALSE(policy->min_depth);
  CHECK_FALSE(policy->require_anchor);
  CHECK_FALSE(policy->least_rows);
}

TEST_CASE("what is wrong with a policy is said with its line") {
  CHECK(error_of("min-depth = 1\nmax-depth = 2\n") == "policy line 2: unknown name max-depth");
  CHECK(error_of("min-depth\n") == "policy line 1: \"name = value\" is expected");
  CHECK(error_of("\nmin-depth =\n") == "policy line 2: min-depth has no value");
  CHECK(error_of("min-depth = 0") == "policy line 1: min-depth: a number of blocks is expected");
  CHECK(error_of("min-depth = 5000000000") ==
        "policy line 1: min-depth: a number of blocks is expected");
  CHECK(error_of("min-depth = 1\nmin-depth = 2") == "policy line 2: min-depth is said twice");
  CHECK(error_of("largest-gap = 10") ==
        "policy line 1: largest-gap: a duration such as 10s or 500ms is expected");
  CHECK(error_of("require-anchor = maybe") ==
        "policy line 1: require-anchor: yes or no is expected");
  CHECK(error_of("clock = on") == "policy line 1: clock: note or refuse is expected");
  CHECK(error_of("least-rows = 0.9") ==
        "policy line 1: least-rows: a percentage such as 99.5% is expected");
  CHECK(error_of("least-rows = 101%") ==
        "policy line 1: least-rows: a percentage such as 99.5% is expected");
  CHECK(error_of("least-rows = nan%") ==
        "policy line 1: least-rows: a percentage such as 99.5% is expected");
  CHECK(error_of("signer = node abcd") ==
        "policy line 1: signer: a name and a public key in 64 hexadecimal digits are expected");
  CHECK(error_of("sig\x01ner = x") == "policy line 1: unknown name sig\\x01ner");
}
