#include "twinchain/record/spool.hpp"

#include <doctest/doctest.h>

#include <set>

#include "recorder_testing.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/sanitized.hpp"

using namespace twinchain;
using namespace twinchain::record;
using namespace twinchain::record::testing;
using twinchain::testing::step_if_sanitized;

namespace {

const Notice ignore = [](std::string_view) {};

SpoolOptions spool_options(std::uint64_t limit = std::uint64_t{256} << 20) {
  SpoolOptions options;
  options.folder = "spool";
  options.source_name = "engine-1";
  options.size_limit_bytes = limit;
  return options;
}

/// One run of a recorder over a spool, with what it sent and read.
struct SpoolRun {
  CollectingOutput output;
  Messages messages;
  Status status;
  std::string read_bytes;
  std::vector<std::pair<std::uint64_t, std::size_t>> read_at;
  std::size_t taken_bytes = 0;
  bool taken_all = false;

  void record(Fs& fs, FakeClock& clock, std::vector<Entry> script, RecorderOptions options,
              bool resumable = false, SpoolOptions settings = spool_options()) {
    auto spool = Spool::open(fs, clock, settings, [this](std::string_view text) {
      messages.warnings.emplace_back(text);
    });
    if (!spool) {
      status = std::unexpected(spool.error());
      return;
    }
    auto recorder = Recorder::create(options, clock, output, spool->get(), messages.functions());
    REQUIRE(recorder);
    ScriptedInput input(clock, std::move(script));
    input.resumable = resumable;
    status = (*recorder)->run(input);
    read_bytes = input.read_bytes;
    read_at = input.read_at;
    taken_bytes = input.taken_bytes;
    taken_all = input.taken_all;
  }
};

/// Rows 'first' to 'last', ten a window of one second, in pieces that cut rows.
std::vector<Entry> numbers(int first, int last, bool header, std::int64_t step_ns = 100 * ms) {
  std::vector<Entry> script{{0, Kind::opened}};
  std::string text = header ? "v\n" : "";
  std::int64_t at = 0;
  for (int i = first; i <= last; ++i) {
    text += std::to_string(i) + "\n";
    at += step_ns;
    script.push_back({at, Kind::readable, 0, text.substr(0, text.size() - 2)});
    text.erase(0, text.size() - 2);
  }
  script.push_back({at + ms, Kind::readable, 0, text});
  script.push_back({at + 2 * ms, Kind::closed});
  return script;
}

std::vector<std::int64_t> sequence_of_numbers(int first, int last) {
  std::vector<std::int64_t> values;
  for (int i = first; i <= last; ++i) values.push_back(i);
  return values;
}

/// All frames of several runs, each once. Frames that were sent twice must be the same.
std::vector<SentFrame> merge(std::initializer_list<const std::vector<SentFrame>*> runs) {
  std::map<std::pair<std::uint64_t, FrameType>, SentFrame> once;
  for (const auto* run : runs) {
    for (const SentFrame& frame : *run) {
      const auto [at, is_new] = once.try_emplace({frame.header.sequence, frame.header.type}, frame);
      if (!is_new) REQUIRE(at->second == frame);
    }
  }
  std::vector<SentFrame> merged;
  for (auto& [key, frame] : once) merged.push_back(frame);
  return merged;
}

bool sequences_from_zero(const std::vector<Window>& windows) {
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (windows[i].header.sequence != i) return false;
    if (i > 0 && windows[i].header.window_start_ns < windows[i - 1].header.window_end_ns) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("checkpoints and WAL events read back") {
  Checkpoint checkpoint;
  checkpoint.next_sequence = 7;
  checkpoint.next_start_ns = -5;
  checkpoint.next_writer = 3;
  checkpoint.writers = {{0, 12, true, {1, 2, 3}, {4}, 15}, {2, 99, false, {}, {}, 0}};
  const Bytes bytes = encode_checkpoint(checkpoint);
  REQUIRE(parse_checkpoint(bytes));
  CHECK(*parse_checkpoint(bytes) == checkpoint);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(parse_checkpoint(ByteView(bytes).first(size)));
  }

  WalEvent event;
  event.type = SpoolRecordType::chunk;
  event.writer = 2;
  event.offset = 1234;
  event.arrival_ns = 99;
  const Bytes position{9, 9};
  const Bytes content{1, 2, 3};
  event.position = position;
  event.bytes = content;
  Bytes payload = encode_wal_event(event);
  append(payload, content);
  const auto parsed = parse_wal_event(static_cast<std::uint16_t>(event.type), payload);
  REQUIRE(parsed);
  CHECK(parsed->offset == 1234);
  CHECK(Bytes(parsed->position.begin(), parsed->position.end()) == position);
  CHECK(Bytes(parsed->bytes.begin(), parsed->bytes.end()) == content);
  CHECK_FALSE(parse_wal_event(99, payload));
}

TEST_CASE("the sequence continues from run to run, and finished runs leave nothing to do") {
  MemoryFs fs;
  FakeClock clock;
  SpoolRun first;
  first.output.delivers = true;
  first.record(fs, clock, numbers(1, 25, true), csv_options());
  REQUIRE(first.status);
  clock.advance(10 * second_ns);
  SpoolRun second;
  second.output.delivers = true;
  second.record(fs, clock, numbers(26, 30, true), csv_options());
  REQUIRE(second.status);
  CHECK(values_of(windows_of(second.output.frames)) == sequence_of_numbers(26, 30));
  const auto windows = windows_of(merge({&first.output.frames, &second.output.frames}));
  CHECK(values_of(windows) == sequence_of_numbers(1, 30));
  CHECK(sequences_from_zero(windows));
  CHECK((windows[3].header.flags & window_first_after_start) != 0);
  CHECK(second.messages.warnings.empty());
  // Another --format may follow: nothing of the old one is open.
  RecorderOptions other = csv_options();
  other.parser.format = RowFormat::ndjson;
  SpoolRun third;
  third.record(fs, clock,
               {{0, Kind::opened}, {0, Kind::readable, 0, "{\"v\":31}\n"}, {0, Kind::closed}},
               other);
  REQUIRE(third.status);
  CHECK(values_of(windows_of(third.output.frames)) == sequence_of_numbers(31, 31));
}

TEST_CASE("a spool belongs to one source and one recorder") {
  MemoryFs fs;
  FakeClock clock;
  SpoolRun run;
  run.record(fs, clock, numbers(1, 5, true), csv_options());
  REQUIRE(run.status);
  SpoolOptions other = spool_options();
  other.source_name = "engine-2";
  const auto refused = Spool::open(fs, clock, other, ignore);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
  CHECK(refused.error().message.find("engine-1") != std::string::npos);

  const auto open = Spool::open(fs, clock, spool_options(), ignore);
  REQUIRE(open);
  const auto locked = Spool::open(fs, clock, spool_options(), ignore);
  REQUIRE_FALSE(locked);
  CHECK(locked.error().code == ExitCode::system);
}

TEST_CASE("what was not acknowledged is sent again, bit for bit") {
  MemoryFs fs;
  FakeClock clock;
  SpoolRun first;
  first.record(fs, clock, numbers(1, 45, true), csv_options());
  REQUIRE(first.status);
  const auto sent = windows_of(first.output.frames);
  REQUIRE(sent.size() == 5);

  SUBCASE("all of it without an acknowledgement") {
    SpoolRun second;
    second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
    REQUIRE(second.status);
    REQUIRE(second.output.frames.size() > first.output.frames.size());
    for (std::size_t i = 0; i < first.output.frames.size(); ++i) {
      CHECK(second.output.frames[i] == first.output.frames[i]);
    }
    CHECK(Messages::has(second.messages.notes, "sent 5 windows again"));
  }
  SUBCASE("from the first that was not acknowledged, with the SCHEMA that applies") {
    const std::string line = to_hex(source_id("engine-1")) + " 3\n";
    const std::string other = to_hex(source_id("engine-2")) + " 900\n";
    REQUIRE(write_file_atomically(fs, "spool/acknowledged", as_bytes(other + line)));
    SpoolRun second;
    second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
    REQUIRE(second.status);
    REQUIRE(second.output.frames.size() >= 4);
    CHECK(second.output.frames[0] == first.output.frames[0]);
    CHECK(second.output.frames[0].header.type == FrameType::schema);
    CHECK(second.output.frames[1].header.sequence == 3);
    CHECK(second.output.frames[1].header.type == FrameType::data);
    CHECK(windows_of(second.output.frames).front().header.sequence == 3);
  }
  SUBCASE("nothing when a regular file took it") {
    SpoolRun second;
    second.output.delivers = true;
    second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
    REQUIRE(second.status);
    SpoolRun third;
    third.output.delivers = true;
    third.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
    REQUIRE(third.status);
    CHECK(windows_of(third.output.frames).size() == 1);
  }
  SUBCASE("but never more than the spool knows") {
    const std::string line = to_hex(source_id("engine-1")) + " 6\n";
    REQUIRE(write_file_atomically(fs, "spool/acknowledged", as_bytes(line)));
    const auto refused = Spool::open(fs, clock, spool_options(), ignore);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ExitCode::malformed);
    CHECK(refused.error().message.find("window 5") != std::string::npos);
  }
  SUBCASE("a malformed acknowledgement is none") {
    const std::string line = to_hex(source_id("engine-1")) + " many\n";
    REQUIRE(write_file_atomically(fs, "spool/acknowledged", as_bytes(line)));
    SpoolRun second;
    second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
    REQUIRE(second.status);
    CHECK(second.messages.warnings.size() == 1);
    CHECK(windows_of(second.output.frames).size() == 6);
  }
}

TEST_CASE("a spool that nobody empties keeps the newest") {
  MemoryFs fs;
  FakeClock clock;
  // Rows of random text, which does not compress: about 20 kB a window.
  std::vector<Entry> script{{0, Kind::opened}, {0, Kind::readable, 0, "v,x\n"}};
  for (int i = 0; i < 120; ++i) {
    std::string row = std::to_string(i) + ",";
    for (int k = 0; k < 20; ++k) row += to_hex(random_array<500>());
    script.push_back({i * second_ns + ms, Kind::readable, 0, row + "\n"});
  }
  script.push_back({120 * second_ns, Kind::closed});
  SpoolRun first;
  first.record(fs, clock, script, csv_options(), false, spool_options(std::uint64_t{1} << 20));
  REQUIRE(first.status);
  CHECK(Messages::has(first.messages.warnings, "the spool is full"));
  CHECK(first.messages.warnings.size() == 1);
  std::uint64_t size = 0;
  const auto files = fs.list("spool");
  REQUIRE(files);
  for (const std::string& name : *files) {
    if (name.starts_with("frames-")) size += fs.content("spool/" + name)->size();
  }
  CHECK(size < (std::uint64_t{1} << 20) + (std::uint64_t{300} << 10));
  SpoolRun second;
  second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
  REQUIRE(second.status);
  const auto values = values_of(windows_of(second.output.frames));
  REQUIRE(values.size() > 30);
  CHECK(values.size() < 110);
  CHECK(values.back() == 119);
  CHECK(second.output.frames.front().header.type == FrameType::schema);

  // Acknowledged windows go when there is a next file to begin.
  const std::string line = to_hex(source_id("engine-1")) + " 100\n";
  REQUIRE(write_file_atomically(fs, "spool/acknowledged", as_bytes(line)));
  SpoolRun third;
  third.record(fs, clock, script, csv_options(), false, spool_options(std::uint64_t{1} << 20));
  REQUIRE(third.status);
}

namespace {

struct Trial {
  FaultKind kind = FaultKind::kill;
  std::uint64_t operation = 1;
  std::uint64_t seed = 1;
  bool event_clock = false;
  bool delivers = false;
  bool resumable = false;
  bool restarts = false;  ///< the file is replaced half-way
  bool small_files = false;
  bool single_bytes = false;           ///< each byte arrives by itself
  std::uint64_t second_operation = 0;  ///< a fault in the second run as well
};

constexpr int last_number = 35;

std::vector<Entry> script_of(const Trial& trial) {
  std::vector<Entry> script{{0, Kind::opened}};
  std::string text;
  const std::string header = trial.event_clock ? "time,v\n" : "v\n";
  std::int64_t at = 0;
  const auto put = [&](std::size_t keep) {
    std::string piece = text.substr(0, text.size() - keep);
    text.erase(0, text.size() - keep);
    for (std::int64_t i = 0; trial.single_bytes && piece.size() > 1; ++i) {
      script.push_back({at + i * 30 * ms, Kind::readable, 0, piece.substr(0, 1)});
      piece.erase(0, 1);
    }
    script.push_back({at + (trial.single_bytes ? 90 * ms : 0), Kind::readable, 0, piece});
  };
  text = header;
  for (int i = 1; i <= last_number; ++i) {
    if (trial.event_clock) text += std::to_string(1'000'000'000'000 + i * 400) + ",";
    text += std::to_string(i) + "\n";
    at += 100 * ms;
    if (trial.restarts && i == last_number / 2) {
      put(1);  // the last line of the old file has no newline
      text = header;
      script.push_back({at, Kind::restarted});
    } else if (!trial.event_clock || i % 7 == 0) {
      put(2);
    }
  }
  // The last line has no newline: it is a row when the input is closed.
  put(trial.resumable ? 0 : 1);
  // A followed file has no end; a signal ends the recording.
  script.push_back({at + 200 * ms, trial.resumable ? Kind::stopped : Kind::closed});
  return script;
}

/// Of `text`, how many rows are whole in its first bytes.
std::size_t whole_rows(const std::vector<Entry>& script, std::size_t bytes) {
  std::size_t rows = 0;
  std::string line;
  for (const Entry& entry : script) {
    if (entry.kind == Kind::restarted && !line.empty() && bytes > 0) {
      ++rows;
      line.clear();
    }
    for (const char c : entry.text) {
      if (bytes == 0) return rows;
      --bytes;
      line += c;
      if (c != '\n') continue;
      if (line.find('v') == std::string::npos) ++rows;
      line.clear();
    }
  }
  return rows;
}

/// Runs with a fault, starts again, and checks that nothing is lost, doubled or sent in two
/// versions. Gives false when the run has fewer write-like operations.
bool survives(const Trial& trial) {
  CAPTURE(static_cast<int>(trial.kind));
  CAPTURE(trial.operation);
  CAPTURE(trial.seed);
  CAPTURE(trial.event_clock);
  CAPTURE(trial.delivers);
  CAPTURE(trial.resumable);
  CAPTURE(trial.restarts);
  CAPTURE(trial.small_files);
  CAPTURE(trial.single_bytes);
  CAPTURE(trial.second_operation);
  MemoryFs memory;
  FaultyFs fs(memory);
  FakeClock clock;
  RecorderOptions options = csv_options();
  options.event_clock = trial.event_clock;
  options.max_window_bytes = 4096;
  SpoolOptions settings = spool_options();
  if (trial.small_files) {
    settings.wal_file_bytes = 100;
    settings.frame_file_bytes = 1500;
  }
  const std::vector<Entry> script = script_of(trial);
  fs.set_fault({.kind = trial.kind, .operation = trial.operation, .seed = trial.seed});
  SpoolRun first;
  first.output.delivers = trial.delivers;
  first.record(fs, clock, script, options, trial.resumable, settings);
  if (!fs.happened()) {
    REQUIRE(first.status);
    return false;
  }
  REQUIRE_FALSE(first.status);
  std::size_t survived_bytes = first.taken_bytes;
  if (trial.kind == FaultKind::power_cut) {
    survived_bytes = 0;
    for (const auto& [at, size] : first.read_at) {
      if (at + 100 * ms < clock.monotonic) survived_bytes = size;
    }
  }
  fs.reboot();
  clock.advance(5 * second_ns);

  // A followed file is there as a whole; a pipe brings nothing more.
  std::vector<Entry> rest{{0, Kind::opened}, {ms, Kind::closed}};
  if (trial.resumable) {
    std::string all;
    for (const Entry& entry : script) all += entry.text;
    rest = {{0, Kind::opened}, {ms, Kind::readable, 0, all}, {2 * ms, Kind::stopped}};
  }
  std::vector<SpoolRun> runs(3);
  if (trial.second_operation > 0) {
    fs.set_fault({.kind = trial.kind, .operation = trial.second_operation, .seed = trial.seed});
    runs[0].output.delivers = trial.delivers;
    runs[0].record(fs, clock, rest, options, trial.resumable, settings);
    if (!fs.happened()) return false;
    REQUIRE_FALSE(runs[0].status);
    fs.reboot();
    clock.advance(5 * second_ns);
  }
  runs[1].output.delivers = trial.delivers;
  runs[1].record(fs, clock, rest, options, trial.resumable, settings);
  REQUIRE_MESSAGE(runs[1].status, runs[1].status.error().message);
  REQUIRE(runs[1].output.ended);
  // What a failed sync has lost shows at a later power cut.
  if (trial.kind == FaultKind::error) memory.power_cut(Survival::nothing);
  // Bit for bit as sent before, without a gap; and still so at a third start.
  runs[2].output.delivers = trial.delivers;
  runs[2].record(fs, clock, {{0, Kind::opened}, {ms, Kind::stopped}}, options, trial.resumable,
                 settings);
  REQUIRE_MESSAGE(runs[2].status, runs[2].status.error().message);
  const auto frames = merge({&first.output.frames, &runs[0].output.frames, &runs[1].output.frames,
                             &runs[2].output.frames});
  const auto windows = windows_of(frames);
  REQUIRE(sequences_from_zero(windows));
  const auto values = values_of(windows);
  std::string shown;
  for (const std::int64_t value : values) shown += std::to_string(value) + " ";
  CAPTURE(shown);
  REQUIRE(values == sequence_of_numbers(1, static_cast<int>(values.size())));
  if (trial.resumable) {
    REQUIRE(values.size() == last_number);
    REQUIRE(rejects_of(frames).empty());
  } else {
    REQUIRE(values.size() >= whole_rows(script, survived_bytes));
    if (trial.kind == FaultKind::kill && first.taken_all) REQUIRE(values.size() == last_number);
  }
  return true;
}

void survives_everywhere(Trial trial) {
  trial.operation = 1;
  const std::uint64_t seed = trial.seed;
  while (survives(trial)) {
    trial.operation += step_if_sanitized(5);
    trial.seed = seed * 7919 + trial.operation;
  }
  CHECK(trial.operation > 40);
}

}  // namespace

TEST_CASE("a kill at every write: nothing that was read is lost or doubled") {
  for (const bool event_clock : {false, true}) {
    for (const bool delivers : {false, true}) {
      survives_everywhere({.event_clock = event_clock, .delivers = delivers});
      survives_everywhere({.event_clock = event_clock, .delivers = delivers, .small_files = true});
      survives_everywhere({.event_clock = event_clock, .restarts = true, .small_files = delivers});
    }
  }
}

TEST_CASE("a power cut at every write loses at most what the sync interval allows") {
  for (const bool event_clock : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      survives_everywhere({.kind = FaultKind::power_cut,
                           .seed = seed,
                           .event_clock = event_clock,
                           .delivers = seed == 2,
                           .restarts = seed == 3,
                           .small_files = seed != 1});
    }
  }
}

TEST_CASE("a followed file is read on after a kill or a power cut, with no row lost or doubled") {
  for (const bool event_clock : {false, true}) {
    for (const FaultKind kind : {FaultKind::kill, FaultKind::power_cut}) {
      for (const bool small_files : {false, true}) {
        survives_everywhere({.kind = kind,
                             .event_clock = event_clock,
                             .resumable = true,
                             .small_files = small_files,
                             .single_bytes = small_files});
      }
    }
  }
}

TEST_CASE("a second fault while the first is being recovered from") {
  for (const bool event_clock : {false, true}) {
    for (const bool resumable : {false, true}) {
      for (const FaultKind kind : {FaultKind::kill, FaultKind::power_cut}) {
        for (std::uint64_t operation = 3; operation < 100; operation += operation < 14 ? 1 : 13) {
          Trial trial{.kind = kind,
                      .operation = operation,
                      .seed = operation,
                      .event_clock = event_clock,
                      .resumable = resumable,
                      .single_bytes = resumable};
          for (trial.second_operation = 1; survives(trial);
               trial.second_operation += step_if_sanitized(5)) {
          }
          if (operation < 40) CHECK(trial.second_operation > 4);
        }
      }
    }
  }
}

TEST_CASE("an error of the disk stops the recorder, and the next start goes on") {
  for (const bool small_files : {false, true}) {
    survives_everywhere({.kind = FaultKind::error, .small_files = small_files});
    survives_everywhere({.kind = FaultKind::error_for_good, .small_files = small_files});
  }
}

TEST_CASE("a stopped recorder of a followed file goes on where it stopped") {
  MemoryFs fs;
  FakeClock clock;
  std::vector<Entry> script = numbers(1, 30, true);
  std::string all;
  for (const Entry& entry : script) all += entry.text;
  std::vector<Entry> stopped(script.begin(), script.begin() + 16);
  stopped.push_back({5 * second_ns, Kind::stopped});
  SpoolRun first;
  first.record(fs, clock, stopped, csv_options(), true);
  REQUIRE(first.status);
  SpoolRun second;
  second.record(fs, clock, {{0, Kind::opened}, {0, Kind::readable, 0, all}, {ms, Kind::closed}},
                csv_options(), true);
  REQUIRE(second.status);
  const auto windows = windows_of(merge({&first.output.frames, &second.output.frames}));
  CHECK(values_of(windows) == sequence_of_numbers(1, 30));
  CHECK(rejects_of(second.output.frames).empty());
}

TEST_CASE("a followed file of which only the header was read goes on as well") {
  for (const bool event_clock : {false, true}) {
    for (const bool rows_before : {false, true}) {
      MemoryFs fs;
      FakeClock clock;
      RecorderOptions options = csv_options();
      options.event_clock = event_clock;
      const std::string begin = rows_before ? "time,v\n1000000000,1\n" : "time,v\n";
      std::vector<Entry> script{
          {0, Kind::opened}, {ms, Kind::readable, 0, begin}, {2 * ms, Kind::stopped}};
      SpoolRun first;
      first.record(fs, clock, script, options, true);
      REQUIRE(first.status);
      // A start in which nothing comes, and one in which the row comes.
      SpoolRun second;
      second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::stopped}}, options, true);
      REQUIRE(second.status);
      SpoolRun third;
      third.record(fs, clock,
                   {{0, Kind::opened},
                    {ms, Kind::readable, 0, begin + "1000000001,2\n"},
                    {2 * ms, Kind::stopped}},
                   options, true);
      REQUIRE(third.status);
      CHECK(values_of(windows_of(third.output.frames)).back() == 2);
      CHECK(rejects_of(third.output.frames).empty());
      CHECK(Messages::has(third.messages.notes, "from its beginning") == false);
    }
  }
}

TEST_CASE("rows that wait for recovery want the options they were read with") {
  MemoryFs memory;
  FaultyFs fs(memory);
  FakeClock clock;
  fs.set_fault({.kind = FaultKind::kill, .operation = 30});
  SpoolRun first;
  first.record(fs, clock, numbers(1, 20, true), csv_options());
  REQUIRE_FALSE(first.status);
  fs.reboot();
  RecorderOptions other = csv_options();
  other.parser.csv_separator = ';';
  SpoolRun second;
  second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, other);
  REQUIRE_FALSE(second.status);
  CHECK(second.status.error().code == ExitCode::usage);
  CHECK(second.status.error().message.find("--format csv") != std::string::npos);
}

TEST_CASE("--strict and a spool: the next start keeps the bad row as a reject") {
  MemoryFs fs;
  FakeClock clock;
  RecorderOptions options = csv_options();
  options.strict = true;
  SpoolRun first;
  first.record(fs, clock,
               {{0, Kind::opened}, {0, Kind::readable, 0, "v\n1\nx,y\n2\n"}, {ms, Kind::closed}},
               options);
  REQUIRE_FALSE(first.status);
  SpoolRun second;
  second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, options);
  REQUIRE(second.status);
  CHECK(values_of(windows_of(second.output.frames)) == sequence_of_numbers(1, 2));
  REQUIRE(rejects_of(second.output.frames).size() == 1);
  CHECK((windows_of(second.output.frames)[0].header.flags & window_recovered) != 0);
}

TEST_CASE("a reader that has gone loses nothing") {
  MemoryFs fs;
  FakeClock clock;
  SpoolRun first;
  first.output.fail_after = 3;
  first.record(fs, clock, numbers(1, 50, true), csv_options());
  REQUIRE_FALSE(first.status);
  SpoolRun second;
  second.record(fs, clock, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
  REQUIRE(second.status);
  const auto windows = windows_of(merge({&first.output.frames, &second.output.frames}));
  std::string read = first.read_bytes;
  CHECK(values_of(windows) ==
        sequence_of_numbers(1, static_cast<int>(std::count(read.begin(), read.end(), '\n')) - 1));
}

namespace {

/// A spool with finished windows and an interrupted one.
void make_interrupted(MemoryFs& memory, FakeClock& clock) {
  FaultyFs fs(memory);
  SpoolRun run;
  run.output.fail_after = 4;
  std::vector<Entry> script = numbers(1, 34, true);
  run.record(fs, clock, script, csv_options());
  REQUIRE_FALSE(run.status);
  memory.kill_processes();
}

}  // namespace

TEST_CASE("every flipped byte of a spool is noticed or harmless, and never crashes") {
  MemoryFs original;
  FakeClock clock;
  make_interrupted(original, clock);
  const auto names = original.list("spool");
  REQUIRE(names);
  std::size_t refused = 0;
  std::size_t cut = 0;
  for (const std::string& name : *names) {
    const Bytes content = *original.content("spool/" + name);
    for (std::size_t at = 0; at < content.size(); ++at) {
      MemoryFs fs;
      REQUIRE(fs.make_folders("spool"));
      for (const std::string& other : *names) {
        auto file = fs.open("spool/" + other, OpenMode::create_new);
        REQUIRE(file);
        Bytes bytes = *original.content("spool/" + other);
        if (other == name) bytes[at] ^= 0x10;
        const std::array<ByteView, 1> pieces{bytes};
        REQUIRE((*file)->append(pieces));
      }
      SpoolRun run;
      FakeClock now;
      run.record(fs, now, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
      CAPTURE(name);
      CAPTURE(at);
      if (!run.status) {
        REQUIRE(run.status.error().code == ExitCode::malformed);
        REQUIRE(run.status.error().message.find(name) != std::string::npos);
        ++refused;
        continue;
      }
      // What is left is right, and windows that had been promised are all there.
      const auto windows = windows_of(run.output.frames);
      REQUIRE(sequences_from_zero(windows));
      const auto values = values_of(windows);
      REQUIRE(values == sequence_of_numbers(1, static_cast<int>(values.size())));
      ++cut;
    }
  }
  CHECK(refused > 500);
  CHECK(cut > 0);
}

TEST_CASE("every shortened spool file is cut at its last good record, or refused") {
  MemoryFs original;
  FakeClock clock;
  make_interrupted(original, clock);
  const auto names = original.list("spool");
  for (const std::string& name : *names) {
    const Bytes content = *original.content("spool/" + name);
    for (std::size_t size = 0; size < content.size(); size += step_if_sanitized(3)) {
      MemoryFs fs;
      REQUIRE(fs.make_folders("spool"));
      for (const std::string& other : *names) {
        auto file = fs.open("spool/" + other, OpenMode::create_new);
        REQUIRE(file);
        Bytes bytes = *original.content("spool/" + other);
        if (other == name) bytes.resize(size);
        const std::array<ByteView, 1> pieces{bytes};
        REQUIRE((*file)->append(pieces));
      }
      SpoolRun run;
      FakeClock now;
      run.record(fs, now, {{0, Kind::opened}, {ms, Kind::closed}}, csv_options());
      if (!run.status) {
        REQUIRE(run.status.error().code == ExitCode::malformed);
        continue;
      }
      const auto windows = windows_of(run.output.frames);
      REQUIRE(sequences_from_zero(windows));
      const auto values = values_of(windows);
      REQUIRE(values == sequence_of_numbers(1, static_cast<int>(values.size())));
    }
  }
}
