// What the tests of the recorder share: a clock that is set, an input that is a script, an output
// that remembers.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/recorder.hpp"

namespace twinchain::record::testing {

inline constexpr std::int64_t second_ns = 1'000'000'000;
inline constexpr std::int64_t ms = 1'000'000;  ///< in nanoseconds
/// A wall-clock time that is a whole second.
inline constexpr std::int64_t noon_ns = std::int64_t{1'800'000'000} * second_ns;

class FakeClock final : public Clock {
 public:
  std::int64_t wall_ns() override { return wall; }
  std::uint64_t monotonic_ns() override { return monotonic; }
  Id128 boot_id() override { return {1, 2, 3}; }
  void advance(std::int64_t by_ns) {
    wall += by_ns;
    monotonic += static_cast<std::uint64_t>(by_ns);
  }
  std::int64_t wall = noon_ns;
  std::uint64_t monotonic = 5'000'000'000;
};

/// Events at monotonic times after the start; the clock advances while the recorder waits.
class ScriptedInput final : public InputSource {
 public:
  struct Entry {
    std::int64_t at_ns = 0;
    InputEvent::Kind kind = InputEvent::Kind::readable;
    std::uint32_t writer = 0;
    std::string text = {};
    std::int64_t set_wall_by_ns = 0;  ///< the wall clock is set as well
  };

  ScriptedInput(FakeClock& clock, std::vector<Entry> script)
      : clock_(&clock), start_(clock.monotonic), script_(std::move(script)) {}

  Result<InputEvent> wait(std::int64_t timeout_ns) override {
    taken_bytes = read_bytes.size();
    taken_all = next_ == script_.size();
    if (next_ == script_.size()) return InputEvent{InputEvent::Kind::ended, 0};
    Entry& entry = script_[next_];
    const auto now = static_cast<std::int64_t>(clock_->monotonic - start_);
    if (entry.at_ns > now) {
      if (timeout_ns >= 0 && entry.at_ns - now > timeout_ns) {
        clock_->advance(timeout_ns);
        ++timeouts;
        return InputEvent{};
      }
      clock_->advance(entry.at_ns - now);
    }
    clock_->wall += std::exchange(entry.set_wall_by_ns, 0);
    if (entry.kind != InputEvent::Kind::readable) ++next_;
    return InputEvent{entry.kind, entry.writer};
  }
  Result<std::size_t> read(std::uint32_t /*writer*/, std::span<std::uint8_t> into) override {
    Entry& entry = script_[next_];
    const std::size_t count = std::min(into.size(), entry.text.size());
    std::copy_n(entry.text.begin(), count, into.begin());
    read_bytes += entry.text.substr(0, count);
    read_at.emplace_back(clock_->monotonic, read_bytes.size());
    entry.text.erase(0, count);
    if (entry.text.empty()) ++next_;
    return count;
  }
  [[nodiscard]] std::size_t read_size_bytes() const override { return read_size; }
  [[nodiscard]] bool independent_writers() const override { return independent; }
  [[nodiscard]] Bytes position() const override {
    if (!resumable) return {};
    Bytes bytes;
    append_le(bytes, std::uint64_t{read_bytes.size()} + resumed_at);
    return bytes;
  }
  Result<bool> resume(ByteView position, std::uint64_t bytes_before) override {
    if (!resumable) return false;
    resumed_at = load_le<std::uint64_t>(position.data()) - bytes_before;
    for (Entry& entry : script_) {
      const std::size_t cut = std::min<std::size_t>(entry.text.size(), resumed_at - skipped_);
      if (entry.kind == InputEvent::Kind::readable) entry.text.erase(0, cut);
      skipped_ += cut;
    }
    std::erase_if(script_, [](const Entry& entry) {
      return entry.kind == InputEvent::Kind::readable && entry.text.empty();
    });
    return true;
  }

  std::size_t read_size = std::size_t{1} << 16;
  bool independent = false;
  bool resumable = false;
  std::uint64_t resumed_at = 0;
  std::string read_bytes;  ///< all that the recorder was given
  std::vector<std::pair<std::uint64_t, std::size_t>> read_at;
  std::size_t taken_bytes = 0;  ///< of these, what the recorder was done with
  bool taken_all = false;       ///< it was done with the last event, too
  std::size_t timeouts = 0;

 private:
  FakeClock* clock_;
  std::uint64_t start_;
  std::vector<Entry> script_;
  std::size_t next_ = 0;
  std::uint64_t skipped_ = 0;
};

struct SentFrame {
  FrameHeader header;
  Bytes body;
  bool operator==(const SentFrame&) const = default;
};

class CollectingOutput final : public FrameOutput {
 public:
  Status start() override {
    started = true;
    return {};
  }
  Status write(const FrameHeader& header, ByteView body) override {
    if (fail_after && frames.size() >= *fail_after) {
      return fail(ExitCode::system, "the reader of standard output has gone");
    }
    frames.push_back({header, {body.begin(), body.end()}});
    return {};
  }
  Result<bool> settle() override { return delivers; }
  Status finish() override {
    ended = true;
    return {};
  }

  bool delivers = false;
  std::optional<std::size_t> fail_after;
  std::vector<SentFrame> frames;
  bool started = false;
  bool ended = false;
};

/// The DATA frames of a stream, decoded with the SCHEMA before them.
inline std::vector<Window> windows_of(const std::vector<SentFrame>& frames) {
  std::vector<Window> windows;
  Schema schema;
  for (const SentFrame& frame : frames) {
    if (frame.header.type == FrameType::schema) {
      auto parsed = parse_schema_frame(frame.header, frame.body);
      if (parsed) schema = std::move(*parsed);
    }
    if (frame.header.type != FrameType::data) continue;
    auto window = decode_window(frame.header, frame.body, schema);
    if (window) windows.push_back(std::move(*window));
  }
  return windows;
}

/// The values of channel 0 of all windows, as text.
inline std::vector<std::int64_t> values_of(const std::vector<Window>& windows) {
  std::vector<std::int64_t> values;
  for (const Window& window : windows) {
    for (const Column& column : window.columns) {
      if (column.channel != 0) continue;
      for (const double value : column.f64) values.push_back(static_cast<std::int64_t>(value));
      values.insert(values.end(), column.i64.begin(), column.i64.end());
    }
  }
  return values;
}

inline std::vector<Reject> rejects_of(const std::vector<SentFrame>& frames) {
  std::vector<Reject> rejects;
  for (const SentFrame& frame : frames) {
    if (frame.header.type != FrameType::reject) continue;
    auto parsed = parse_reject_body(frame.body);
    if (parsed) rejects.insert(rejects.end(), parsed->begin(), parsed->end());
  }
  return rejects;
}

/// Windows follow each other without a gap, in time and in sequence.
inline bool contiguous(const std::vector<Window>& windows) {
  for (std::size_t i = 1; i < windows.size(); ++i) {
    if (windows[i].header.window_start_ns != windows[i - 1].header.window_end_ns ||
        windows[i].header.sequence != windows[i - 1].header.sequence + 1) {
      return false;
    }
  }
  return true;
}

struct Messages {
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  RecorderMessages functions() {
    return {[this](std::string_view text) { notes.emplace_back(text); },
            [this](std::string_view text) { warnings.emplace_back(text); }};
  }
  [[nodiscard]] static bool has(const std::vector<std::string>& in, std::string_view part) {
    return std::any_of(in.begin(), in.end(), [&](const std::string& text) {
      return text.find(part) != std::string::npos;
    });
  }
};

inline RecorderOptions csv_options() {
  RecorderOptions options;
  options.source_name = "engine-1";
  options.parser.format = RowFormat::csv;
  return options;
}

using Entry = ScriptedInput::Entry;
using Kind = InputEvent::Kind;

}  // namespace twinchain::record::testing
