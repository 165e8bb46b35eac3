#include "twinchain/record/recorder.hpp"

#include <doctest/doctest.h>

#include "recorder_testing.hpp"

using namespace twinchain;
using namespace twinchain::record;
using namespace twinchain::record::testing;

namespace {

struct Run {
  FakeClock clock;
  CollectingOutput output;
  Messages messages;
  RecorderTotals totals;
  Status status;
  std::size_t timeouts = 0;
  std::vector<Window> windows;

  void record(const RecorderOptions& options, std::vector<Entry> script, bool independent = false) {
    ScriptedInput input(clock, std::move(script));
    input.independent = independent;
    auto recorder = Recorder::create(options, clock, output, nullptr, messages.functions());
    REQUIRE(recorder);
    status = (*recorder)->run(input);
    totals = (*recorder)->totals();
    timeouts = input.timeouts;
    windows = windows_of(output.frames);
  }
};

}  // namespace

TEST_CASE("windows follow the wall clock, contiguous, silent ones too") {
  Run run;
  run.clock.wall += 300 * ms;
  run.record(csv_options(), {{0, Kind::opened},
                             {100 * ms, Kind::readable, 0, "v\n1\n2\n"},
                             {650 * ms, Kind::readable, 0, "3\n"},
                             {750 * ms, Kind::readable, 0, "4\n5\n"},
                             {3900 * ms, Kind::readable, 0, "6"},
                             {3950 * ms, Kind::closed}});
  REQUIRE(run.status);
  CHECK(run.output.ended);
  REQUIRE(run.windows.size() == 5);
  CHECK(contiguous(run.windows));
  CHECK(run.windows[0].header.window_start_ns == noon_ns + 300 * ms);
  CHECK(run.windows[0].header.window_end_ns == noon_ns + second_ns);
  CHECK(run.windows[0].header.flags == window_first_after_start);
  CHECK(run.windows[0].header.rows == 3);
  CHECK(run.windows[1].header.rows == 2);
  CHECK(run.windows[1].header.window_end_ns == noon_ns + 2 * second_ns);
  CHECK(run.windows[1].header.flags == 0);
  CHECK(run.windows[2].header.rows == 0);
  CHECK(run.windows[3].header.rows == 0);
  CHECK(run.windows[4].header.rows == 1);
  CHECK(run.windows[4].header.flags == window_closed_at_end);
  CHECK(run.windows[4].header.window_end_ns == noon_ns + 4250 * ms);
  CHECK(values_of(run.windows) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
  // Closed when its time was up, not when the next row came.
  CHECK(run.windows[2].header.closed_wall_ns == noon_ns + 3 * second_ns);
  // Waited for, not polled.
  CHECK(run.timeouts <= 6);
}

TEST_CASE("an input without rows gives its silence, and without anything a frame") {
  Run run;
  run.record(csv_options(), {{0, Kind::opened}, {10 * ms, Kind::closed}});
  REQUIRE(run.status);
  REQUIRE(run.windows.size() == 1);
  CHECK(run.windows[0].header.rows == 0);
  CHECK(run.windows[0].header.window_end_ns == noon_ns + 10 * ms);

  Run history;
  RecorderOptions options = csv_options();
  options.event_clock = true;
  history.record(options, {{0, Kind::opened}, {10 * ms, Kind::closed}});
  REQUIRE(history.status);
  CHECK(history.output.frames.empty());
  CHECK(history.output.ended);
}

TEST_CASE("a window that is full is closed early") {
  Run run;
  RecorderOptions options = csv_options();
  options.max_window_bytes = 4096;
  std::string text = "v\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "\n";
  run.record(options,
             {{0, Kind::opened}, {100 * ms, Kind::readable, 0, text}, {200 * ms, Kind::closed}});
  REQUIRE(run.status);
  REQUIRE(run.windows.size() >= 4);
  CHECK(contiguous(run.windows));
  CHECK((run.windows[0].header.flags & window_closed_by_size) != 0);
  CHECK((run.windows.back().header.flags & window_closed_by_size) == 0);
  const auto values = values_of(run.windows);
  REQUIRE(values.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(values[static_cast<std::size_t>(i)] == i);
  for (const SentFrame& frame : run.output.frames) CHECK(frame.body.size() < 8192);
}

TEST_CASE("the data clock makes windows of event time") {
  Run run;
  RecorderOptions options = csv_options();
  options.event_clock = true;
  run.record(options, {{0, Kind::opened},
                       {0, Kind::readable, 0,
                        "time,v\n2020-01-01T00:00:00.25Z,1\n2020-01-01T00:00:00.75Z,2\n"
                        "2020-01-01T00:00:03Z,3\n2020-01-01T00:00:02.5Z,4\n"
                        "2020-01-01T00:00:03.5Z,5\n"},
                       {0, Kind::closed}});
  REQUIRE(run.status);
  const std::int64_t t0 = *parse_time_iso8601_ns("2020-01-01T00:00:00Z");
  REQUIRE(run.windows.size() == 4);
  CHECK(contiguous(run.windows));
  CHECK(run.windows[0].header.window_start_ns == t0);
  CHECK(run.windows[0].header.rows == 2);
  CHECK(run.windows[0].header.flags == (window_first_after_start | window_event_clock));
  CHECK(run.windows[1].header.rows == 0);
  CHECK(run.windows[2].header.rows == 0);
  CHECK(run.windows[3].header.rows == 3);
  CHECK(run.windows[3].header.out_of_order_rows == 1);
  CHECK(run.windows[3].header.window_end_ns == t0 + 3500 * ms + 1);
  CHECK(run.totals.out_of_order == 1);
  CHECK(Messages::has(run.messages.notes, "time from "));
  CHECK(Messages::has(run.messages.notes, "1 out of order"));
}

TEST_CASE("a long silence of the data clock is one window") {
  for (const std::int64_t silent : {max_silent_windows - 1, max_silent_windows + 1}) {
    Run run;
    RecorderOptions options = csv_options();
    options.event_clock = true;
    options.parser.time_unit = TimeUnit::seconds;
    const std::string far = std::to_string(1'000'000'000 + 1 + silent);
    run.record(options, {{0, Kind::opened},
                         {0, Kind::readable, 0, "time,v\n1000000000,1\n" + far + ",2\n"},
                         {0, Kind::closed}});
    REQUIRE(run.status);
    CHECK(contiguous(run.windows));
    if (silent <= max_silent_windows) {
      CHECK(run.windows.size() == static_cast<std::size_t>(silent) + 2);
    } else {
      REQUIRE(run.windows.size() == 3);
      CHECK((run.windows[1].header.flags & window_silence_merged) != 0);
      CHECK(run.windows[1].header.window_end_ns - run.windows[1].header.window_start_ns ==
            silent * second_ns);
    }
  }
}

TEST_CASE("event times at the ends of what can be said do no harm") {
  Run run;
  RecorderOptions options = csv_options();
  options.event_clock = true;
  options.every_ns = second_ns * 1'000'000'000;
  options.parser.time_unit = TimeUnit::nanoseconds;
  run.record(options, {{0, Kind::opened},
                       {0, Kind::readable, 0,
                        "time,v\n-9223372036854775808,1\n9223372036854775807,2\n"
                        "9223372036854775807,3\n-9223372036854775808,4\n"},
                       {0, Kind::closed}});
  REQUIRE(run.status);
  CHECK(contiguous(run.windows));
  CHECK(run.totals.rows + run.totals.rejected == 4);
  for (const Window& window : run.windows) {
    CHECK(window.header.window_start_ns <= window.header.window_end_ns);
  }
}

TEST_CASE("a wall clock that is set back makes no window that goes back") {
  Run run;
  std::vector<Entry> script{{0, Kind::opened}, {100 * ms, Kind::readable, 0, "v\n1\n"}};
  for (int i = 1; i < 60; ++i) {
    script.push_back({100 * ms + i * 200 * ms, Kind::readable, 0, std::to_string(i + 1) + "\n",
                      i == 8 ? -3 * second_ns : 0});
  }
  script.push_back({13 * second_ns, Kind::closed});
  run.record(csv_options(), script);
  REQUIRE(run.status);
  CHECK(contiguous(run.windows));
  for (const Window& window : run.windows) {
    CHECK(window.header.window_start_ns < window.header.window_end_ns);
    for (std::size_t i = 1; i < window.times_ns.size(); ++i) {
      CHECK(window.times_ns[i - 1] <= window.times_ns[i]);
    }
  }
  CHECK(values_of(run.windows).size() == 60);
  CHECK(run.messages.warnings.size() == 1);
  CHECK(Messages::has(run.messages.warnings, "wall clock is behind"));
  // Six seconds after the step the clocks agree again, and windows end on whole seconds as before.
  CHECK(run.windows.back().header.window_end_ns == run.windows.back().header.closed_wall_ns);
  CHECK(run.totals.late == 0);
}

TEST_CASE("a wall clock that leaps ahead gives one silent window, not a billion") {
  Run run;
  const std::int64_t year_ns = 365 * 86400 * second_ns;
  run.record(csv_options(), {{0, Kind::opened},
                             {100 * ms, Kind::readable, 0, "v\n1\n"},
                             {200 * ms, Kind::readable, 0, "2\n", 50 * year_ns},
                             {300 * ms, Kind::closed}});
  REQUIRE(run.status);
  CHECK(contiguous(run.windows));
  REQUIRE(run.windows.size() == 3);
  CHECK((run.windows[1].header.flags & window_silence_merged) != 0);
}

TEST_CASE("several writers write at a time, each with a parser of its own") {
  Run run;
  run.record(csv_options(),
             {{0, Kind::opened, 0},
              {0, Kind::opened, 1},
              {1 * ms, Kind::readable, 0, "v,a\n0,0\n1,"},
              {2 * ms, Kind::readable, 1, "b,v\n10,2\n20"},
              {3 * ms, Kind::readable, 0, "5\n"},
              {4 * ms, Kind::closed, 0},
              {5 * ms, Kind::readable, 1, ",3\n"},
              {6 * ms, Kind::opened, 2},
              {7 * ms, Kind::readable, 2, "v\n4\n5,"},
              {8 * ms, Kind::broken, 2},
              {8 * ms, Kind::readable, 1, "30,6"},
              {9 * ms, Kind::closed, 1}},
             true);
  REQUIRE(run.status);
  auto values = values_of(run.windows);
  std::sort(values.begin(), values.end());
  CHECK(values == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  const auto rejects = rejects_of(run.output.frames);
  REQUIRE(rejects.size() == 2);
  CHECK(rejects[0].text == "5,");
  CHECK(rejects[0].reason.find("connection ended") != std::string::npos);
  // It might have been 64: who died and who is done end a connection alike.
  CHECK(rejects[1].text == "30,6");
}

TEST_CASE("one writer's unusable header is not the others' business") {
  Run run;
  run.record(csv_options(),
             {{0, Kind::opened, 0},
              {0, Kind::opened, 1},
              {1 * ms, Kind::readable, 0, "v\n1\n"},
              {2 * ms, Kind::readable, 1, "v,v\n7,7\n"},
              {3 * ms, Kind::readable, 0, "2\n"},
              {4 * ms, Kind::readable, 1, "8,8\n"},
              {5 * ms, Kind::closed, 0},
              {6 * ms, Kind::closed, 1}},
             true);
  REQUIRE(run.status);
  CHECK(values_of(run.windows) == std::vector<std::int64_t>{1, 2});
  std::string rejected;
  for (const Reject& reject : rejects_of(run.output.frames)) rejected += reject.text;
  CHECK(rejected == "v,v\n7,7\n8,8\n");

  Run alone;
  alone.record(csv_options(), {{0, Kind::opened}, {0, Kind::readable, 0, "v,v\n7,7\n"}});
  REQUIRE_FALSE(alone.status);
  CHECK(alone.status.error().code == ExitCode::malformed);
  CHECK_FALSE(alone.output.ended);
}

TEST_CASE("a stop keeps what was cut short as a reject") {
  Run run;
  run.record(
      csv_options(),
      {{0, Kind::opened}, {1 * ms, Kind::readable, 0, "v\n1\n2\n3"}, {2 * ms, Kind::stopped}});
  REQUIRE(run.status);
  CHECK(run.output.ended);
  CHECK(run.totals.stopped);
  CHECK(values_of(run.windows) == std::vector<std::int64_t>{1, 2});
  REQUIRE(rejects_of(run.output.frames).size() == 1);
  CHECK(rejects_of(run.output.frames)[0].text == "3");
  CHECK(run.totals.rejected == 1);
}

TEST_CASE("--strict stops at the first bad row and writes no END") {
  Run run;
  RecorderOptions options = csv_options();
  options.strict = true;
  run.record(
      options,
      {{0, Kind::opened}, {1 * ms, Kind::readable, 0, "v\n1\nx,y\n2\n"}, {2 * ms, Kind::closed}});
  REQUIRE_FALSE(run.status);
  CHECK(run.status.error().code == ExitCode::malformed);
  CHECK(run.status.error().message.find("line 3") != std::string::npos);
  CHECK_FALSE(run.output.ended);
  CHECK(values_of(run.windows) == std::vector<std::int64_t>{1});
}

TEST_CASE("equal rows are duplicates when they have a time, not when they arrived together") {
  for (const char* time : {"", "5"}) {
    CAPTURE(time);
    const std::string row = std::string("7,") + time + "\n";
    Run run;
    run.record(csv_options(),
               {{0, Kind::opened},
                {1 * ms, Kind::readable, 0, *time == 0 ? "v\n7\n7\n" : "v,t\n" + row + row},
                {1 * ms, Kind::readable, 0, *time == 0 ? "7\n" : row},
                {2 * ms, Kind::closed}});
    REQUIRE(run.status);
    CHECK(run.totals.rows == 3);
    CHECK(run.totals.duplicate == (*time == 0 ? 0U : 2U));
  }
}

TEST_CASE("rejects are counted, kept and reported once") {
  Run run;
  run.record(csv_options(), {{0, Kind::opened},
                             {1 * ms, Kind::readable, 0, "v\n1\nx,y\n2\na,b,c\n"},
                             {2 * ms, Kind::closed}});
  REQUIRE(run.status);
  CHECK(run.totals.rejected == 2);
  CHECK(run.totals.rows == 2);
  REQUIRE(run.messages.warnings.size() == 1);
  CHECK(Messages::has(run.messages.warnings, "line 3"));
  CHECK(Messages::has(run.messages.notes, "of 4 rows: 2 rejected"));
}

TEST_CASE("a file that was replaced ends its last line, and may bring a header or none") {
  Run run;
  run.record(csv_options(), {{0, Kind::opened},
                             {1 * ms, Kind::readable, 0, "v,w\n1,10\n2,20"},
                             {2 * ms, Kind::restarted},
                             {3 * ms, Kind::readable, 0, "w,"},
                             {4 * ms, Kind::readable, 0, "v\n30,3\n"},
                             {5 * ms, Kind::restarted},
                             {6 * ms, Kind::readable, 0, "40,4\n"},
                             {7 * ms, Kind::closed}});
  REQUIRE(run.status);
  CHECK(values_of(run.windows) == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(rejects_of(run.output.frames).empty());
}

TEST_CASE("declared channels, their units and the declared rate are in the record") {
  Run run;
  RecorderOptions options = csv_options();
  Schema declared;
  declared.source_name = "engine-1";
  declared.channels = {{"v", ValueType::f64, "kelvin", "Temperature"},
                       {"later", ValueType::boolean, "", ""}};
  options.parser.declared = declared;
  options.declared_rate_mhz = 1'000'000;
  run.record(
      options,
      {{0, Kind::opened}, {1 * ms, Kind::readable, 0, "v,extra\n1,5\n"}, {2 * ms, Kind::closed}});
  REQUIRE(run.status);
  REQUIRE(run.output.frames.front().header.type == FrameType::schema);
  const auto schema = parse_schema(run.output.frames.front().body);
  REQUIRE(schema);
  REQUIRE(schema->channels.size() == 3);
  CHECK(schema->channels[0] == declared.channels[0]);
  CHECK(schema->channels[1] == declared.channels[1]);
  CHECK(schema->channels[2].name == "extra");
  CHECK(run.windows.at(0).header.declared_rate_mhz == 1'000'000);
}

TEST_CASE("a new channel opens a new SCHEMA") {
  Run run;
  RecorderOptions options = csv_options();
  options.parser.format = RowFormat::ndjson;
  run.record(options, {{0, Kind::opened},
                       {1 * ms, Kind::readable, 0, "{\"v\":1}\n"},
                       {1500 * ms, Kind::readable, 0, "{\"v\":2}\n"},
                       {2500 * ms, Kind::readable, 0, "{\"v\":3,\"w\":{\"x\":4}}\n"},
                       {2600 * ms, Kind::closed}});
  REQUIRE(run.status);
  std::vector<FrameType> types;
  for (const SentFrame& frame : run.output.frames) types.push_back(frame.header.type);
  CHECK(types == std::vector<FrameType>{FrameType::schema, FrameType::data, FrameType::data,
                                        FrameType::schema, FrameType::data});
}

TEST_CASE("an output that fails ends the run") {
  Run run;
  run.output.fail_after = 1;
  run.record(csv_options(),
             {{0, Kind::opened}, {1 * ms, Kind::readable, 0, "v\n1\n"}, {5000 * ms, Kind::closed}});
  REQUIRE_FALSE(run.status);
  CHECK_FALSE(run.output.ended);
}

TEST_CASE("the recorder's clock") {
  FakeClock fake;
  RecorderClock clock(fake, std::nullopt);
  CHECK(clock.now_ns() == noon_ns);
  fake.advance(10);
  CHECK(clock.now_ns() == noon_ns + 10);
  fake.wall -= 4 * second_ns;
  fake.advance(2 * second_ns);
  CHECK(clock.now_ns() == noon_ns + 10 + second_ns);
  CHECK(clock.take_step_back_ns() == 4 * second_ns);
  CHECK_FALSE(clock.take_step_back_ns());
  CHECK(clock.ahead_ns() == 3 * second_ns);
  fake.advance(6 * second_ns);
  CHECK(clock.now_ns() == noon_ns + 10 + 4 * second_ns);
  CHECK(clock.ahead_ns() == 0);
  CHECK_FALSE(clock.take_step_back_ns());

  RecorderClock later(fake, fake.wall + 100 * second_ns);
  CHECK(later.take_step_back_ns() == 100 * second_ns);
  const std::int64_t first = later.now_ns();
  fake.advance(second_ns);
  CHECK(later.now_ns() == first + second_ns / 2);
}
