#include "twinchain/report/verdict_file.hpp"

#include <doctest/doctest.h>

#include "twinchain/chain/report.hpp"

using namespace twinchain;
using namespace twinchain::report;

namespace {

const std::string id(32, 'a');
const std::string hash(64, 'b');

std::string verified(const std::string& record_members = "", const std::string& findings = "") {
  return R"({"version":1,"program":"verify 0.1.0","verdict":"verified","reason":null,)"
         R"("exit_code":0,"offline":false,"ledger_asked":true,"inputs":[{"name":"a","size_bytes":"9"}],)"
         R"("frames":"3","sources":[{"source":"s","source_id":")" +
         id + R"(","verdict":"verified","reason":null,"links":"2","head":")" + hash + "\"" +
         record_members + R"(}],"more_sources":"0","findings":[)" + findings +
         R"(],"findings_left_out":"0","finding_counts":{}})";
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

ExitCode code_of(const std::string& json) {
  const auto file = parse_verdict_file(json);
  return file ? ExitCode::success : file.error().code;
}

}  // namespace

TEST_CASE("a report of verify is read back") {
  const auto file = parse_verdict_file(verified(
      R"(,"last_link":"1","window_start":"2026-01-01T00:00:00Z","future":[1,{"x":2}],)"
      R"("beacon":{"block":")" +
          hash +
          R"(","height":7,"time":null},)"
          R"("signers":[{"epoch":0,"key":")" +
          hash +
          R"(","name":"node","trusted":true}],)"
          R"("cosigners":[{"name":null,"key":")" +
          hash +
          R"(","covered_to":"1","count":"2"}],)"
          R"("time_bounds":[{"first":"0","last":"1","not_before":null,"not_after":{"network":"bitcoin",)"
          R"("height":9,"block":")" +
          hash + R"(","time":"2026-01-02T00:00:00Z"}}])",
      R"({"kind":"gap","severity":"note","source":"s","source_id":")" + id +
          R"(","sequence":"1","channels":["x\u0000y"],"count":"4","message":"m"})"));
  REQUIRE(file);
  REQUIRE(file->records.size() == 1);
  const VerdictRecord& record = file->records[0];
  CHECK(record.links == 2);
  CHECK(record.window_start_ns == 1'767'225'600'000'000'000);
  REQUIRE(record.beacon);
  CHECK(record.beacon->height == 7);
  CHECK_FALSE(record.beacon->time_ns);
  CHECK(record.signers[0].name == "node");
  CHECK(record.cosigners[0].name.empty());
  CHECK(record.cosigners[0].count == 2);
  REQUIRE(record.time_bounds.size() == 1);
  CHECK_FALSE(record.time_bounds[0].not_before);
  CHECK(record.time_bounds[0].not_after->network == "bitcoin");
  REQUIRE(file->findings.size() == 1);
  CHECK(file->findings[0].channels[0] == std::string("x\0y", 3));
  CHECK(file->findings[0].count == 4);
  CHECK(file->inputs[0].size_bytes == 9);
}

TEST_CASE("what verify writes is what is read") {
  chain::AuditReport report;
  report.inputs = {"<b>.twin"};
  report.input_bytes = {123};
  const auto file = parse_verdict_file(chain::report_json(report));
  REQUIRE(file);
  CHECK(file->verdict == "verified");
  CHECK(file->inputs[0].name == "<b>.twin");
}

TEST_CASE("what is no report of verify is refused") {
  REQUIRE(code_of(verified()) == ExitCode::success);
  for (const char* text : {"", "{", "nonsense", "[]", "{}", "3", "\"verify\"", "null",
                           R"({"version":1,"program":"store 0.1.0","verdict":"verified"})"}) {
    CAPTURE(text);
    CHECK(code_of(text) == ExitCode::malformed);
  }
  CHECK(code_of(std::string(5000, '[')) == ExitCode::malformed);
  CHECK(code_of(verified() + "x") == ExitCode::malformed);
  CHECK(code_of(replaced(verified(), "\"s\"", "\"\xff\"")) == ExitCode::malformed);
  CHECK(code_of(replaced(verified(), "\"version\":1", "\"version\":2")) == ExitCode::usage);
  CHECK(code_of(replaced(verified(), "\"version\":1,", "")) == ExitCode::malformed);
}

TEST_CASE("a report that contradicts itself is refused") {
  CHECK(code_of(replaced(verified(), "\"exit_code\":0", "\"exit_code\":1")) == ExitCode::malformed);
  CHECK(code_of(replaced(verified(), "\"exit_code\":0", "\"exit_code\":8")) == ExitCode::malformed);
  CHECK(code_of(replaced(verified(), "\"verified\"", "\"proven\"")) == ExitCode::malformed);
  CHECK(code_of(verified("", R"({"kind":"fork","severity":"refuted"})")) == ExitCode::malformed);
  const std::string worse =
      replaced(verified(), "\"verdict\":\"verified\",\"reason\":null,\"links\"",
               "\"verdict\":\"refuted\",\"reason\":null,\"links\"");
  CHECK(code_of(worse) == ExitCode::malformed);
}

TEST_CASE("members of a wrong type are refused") {
  for (const auto& [what, with] : {std::pair{"\"frames\":\"3\"", "\"frames\":\"-3\""},
                                   {"\"frames\":\"3\"", "\"frames\":[]"},
                                   {"\"links\":\"2\"", "\"links\":\"2.5\""},
                                   {"\"sources\":[", "\"sauces\":["},
                                   {"\"offline\":false", "\"offline\":\"no\""},
                                   {"\"source_id\":\"aa", "\"source_id\":\"zz"},
                                   {"\"head\":\"bb", "\"head\":\"b"},
                                   {"\"finding_counts\":{", "\"finding_counts\":{\"x\":true"}}) {
    CAPTURE(with);
    CHECK(code_of(replaced(verified(), what, with)) == ExitCode::malformed);
  }
  CHECK(code_of(verified("", R"({"kind":"x","severity":"dire"})")) == ExitCode::malformed);
  CHECK(code_of(verified("", R"({"severity":"note","window_start":"noon"})")) ==
        ExitCode::malformed);
  CHECK(code_of(verified("", "7")) == ExitCode::malformed);
}
