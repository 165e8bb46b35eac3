#include "twinchain/bitcoin/conformance.hpp"

#include <doctest/doctest.h>

#include "twinchain/bitcoin/script_text.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

CaseOutcome judge(std::string_view script_sig, std::string_view script_pubkey,
                  std::string_view flags, std::string expected, bool has_witness = false) {
  ScriptCase test;
  test.has_witness = has_witness;
  test.script_sig = *parse_script_text(script_sig);
  test.script_pubkey = *parse_script_text(script_pubkey);
  test.flags = parse_case_flags(flags);
  test.expected = std::move(expected);
  return check_script_case(test);
}

TransactionCase spend_of(std::string_view script, std::string_view flags) {
  TransactionCase test;
  test.transaction.inputs.resize(1);
  test.transaction.inputs[0].previous_output.index = 3;
  test.transaction.outputs.push_back({1, {}});
  test.spent[{Hash256{}, 3}] = *parse_script_text(script);
  test.flags = parse_case_flags(flags);
  return test;
}

}  // namespace

TEST_CASE("names of flags") {
  CHECK(parse_case_flags("").flags == verify_none);
  CHECK(parse_case_flags("NONE").flags == verify_none);
  CHECK(parse_case_flags("P2SH,NULLFAIL").flags == (verify_p2sh | verify_nullfail));
  CHECK(parse_case_flags("BADTX").bad_tx);
  CHECK(parse_case_flags("P2SH,OF_THE_FUTURE,X").unknown == "OF_THE_FUTURE");
}

TEST_CASE("script cases: passed, failed, and skipped only when a later rule decides") {
  CHECK(judge("1", "", "", "OK").verdict == CaseVerdict::passed);
  CHECK(judge("1", "", "", "EVAL_FALSE").verdict == CaseVerdict::failed);
  CHECK(judge("0", "", "", "OK").verdict == CaseVerdict::failed);
  CHECK(judge("1", "", "P2SH,WITNESS", "OK").verdict == CaseVerdict::passed);
  CHECK(judge("", "0 0x02 0x0102", "P2SH", "OK").verdict == CaseVerdict::passed);
  CHECK(judge("", "0 0x02 0x0102", "P2SH,WITNESS", "OK").verdict == CaseVerdict::skipped);
  CHECK(judge("", "0 0x02 0x0102", "CLEANSTACK", "OK").verdict == CaseVerdict::skipped);
  CHECK(judge("1", "", "P2SH,WITNESS", "WITNESS_UNEXPECTED", true).verdict == CaseVerdict::skipped);
  CHECK(judge("0", "", "P2SH,WITNESS", "EVAL_FALSE", true).verdict == CaseVerdict::passed);
  CHECK(judge("1", "", "P2SH,FUTURE", "OK").verdict == CaseVerdict::skipped);
}

TEST_CASE("valid transactions: flags that are on, and flags that are excluded") {
  CHECK(check_valid_transaction(spend_of("1", "P2SH"), false).verdict == CaseVerdict::passed);
  CHECK(check_valid_transaction(spend_of("0", "P2SH"), false).verdict == CaseVerdict::failed);
  CHECK(check_valid_transaction(spend_of("1", "NONE"), true).verdict == CaseVerdict::passed);
  CHECK(check_valid_transaction(spend_of("1 NOP1", "NONE"), true).verdict == CaseVerdict::failed);
  CHECK(check_valid_transaction(spend_of("1 NOP1", "DISCOURAGE_UPGRADABLE_NOPS"), true).verdict ==
        CaseVerdict::passed);
  // Excluded for nothing.
  CHECK(check_valid_transaction(spend_of("1", "DISCOURAGE_UPGRADABLE_NOPS"), true).verdict ==
        CaseVerdict::failed);
  CHECK(check_valid_transaction(spend_of("1 0x02 0x0102", "NONE"), true).verdict ==
        CaseVerdict::skipped);
  TransactionCase other = spend_of("1", "P2SH");
  other.spent.clear();
  CHECK(check_valid_transaction(other, false).verdict == CaseVerdict::failed);
}

TEST_CASE("invalid transactions: bad by themselves, by their scripts, with no flag too many") {
  CHECK(check_invalid_transaction(spend_of("0", "NONE"), true).verdict == CaseVerdict::passed);
  CHECK(check_invalid_transaction(spend_of("1", "P2SH"), false).verdict == CaseVerdict::failed);
  CHECK(check_invalid_transaction(spend_of("0", "P2SH"), false).verdict == CaseVerdict::passed);
  CHECK(check_invalid_transaction(spend_of("0", "P2SH"), true).verdict == CaseVerdict::failed);
  CHECK(check_invalid_transaction(spend_of("1", "BADTX"), true).verdict == CaseVerdict::failed);
  TransactionCase bad = spend_of("1", "BADTX");
  bad.transaction.outputs.clear();
  CHECK(check_invalid_transaction(bad, true).verdict == CaseVerdict::passed);
  bad.flags = parse_case_flags("P2SH");
  CHECK(check_invalid_transaction(bad, true).verdict == CaseVerdict::failed);
  CHECK(check_invalid_transaction(bad, false).verdict == CaseVerdict::passed);
}
