#include "twinchain/chain/audit.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"
#include "twinchain/sys/ordered_pool.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_sources = 10'000;
/// Enough to keep the workers busy; a frame larger than this is waited for.
constexpr std::uint64_t max_in_flight_bytes = std::uint64_t{8} * 1024 * 1024;
constexpr std::size_t max_in_flight = 512;

}  // namespace

struct Audit::State {
  explicit State(AuditOptions options)
      : threads(options.threads), pool(threads, [](CheckedFrame& frame) { check_frame(frame); }) {
    context.options = std::move(options);
  }

  SourceAudit* source(const Id128& id);
  void take(CheckedFrame& frame);
  void take_damage(const CheckedFrame& frame);
  void take_truncation(const CheckedFrame& frame);
  void take_unknown(const CheckedFrame& frame);
  void add(FindingKind kind, Severity severity, const CheckedFrame& frame, std::string message);
  Status read(std::uint32_t input);
  /// False when the reader had to go back; then nothing is in flight.
  [[nodiscard]] bool take_or_go_back(CheckedFrame& frame);
  [[nodiscard]] bool drain(std::uint64_t bytes, std::size_t items);
  void discard();

  AuditContext context;
  std::map<Id128, std::unique_ptr<SourceAudit>> sources;
  AuditReport report;
  std::vector<InputKind> kinds;
  bool too_many_sources = false;
  std::optional<FrameHeader> last_frame;  ///< for "after LINK frame 12"
  std::function<bool(std::uint64_t)> go_on;
  unsigned threads;
  OrderedPool<CheckedFrame> pool;
  StreamReader* reader = nullptr;  ///< while it is read
};

SourceAudit* Audit::State::source(const Id128& id) {
  const auto found = sources.find(id);
  if (found != sources.end()) return found->second.get();
  if (sources.size() >= max_sources) {
    if (!std::exchange(too_many_sources, true)) {
      Finding made;
      made.kind = FindingKind::beyond_limits;
      made.severity = Severity::unproven;
      made.message = "more than " + decimal(std::uint64_t{max_sources}) +
                     " sources, the frames of further ones were not checked";
      context.findings.add(std::move(made));
    }
    return nullptr;
  }
  context.source_count = sources.size() + 1;
  return sources.emplace(id, std::make_unique<SourceAudit>(context, id)).first->second.get();
}

void Audit::State::add(FindingKind kind, Severity severity, const CheckedFrame& frame,
                       std::string message) {
  Finding made;
  made.kind = kind;
  made.severity = severity;
  made.input = frame.input;
  made.offset = frame.event.offset;
  made.size_bytes = frame.event.size_bytes;
  made.message = std::move(message);
  context.findings.add(std::move(made));
}

void Audit::State::take(CheckedFrame& frame) {
  switch (frame.event.kind) {
    case StreamEventKind::end:
      ++context.part;
      last_frame.reset();
      return;
    case StreamEventKind::damage:
      return take_damage(frame);
    case StreamEventKind::truncated:
      take_truncation(frame);
      ++context.part;  // another stream may follow
      last_frame.reset();
      return;
    case StreamEventKind::finished:
    case StreamEventKind::stopped:
      return;
    case StreamEventKind::frame:
      break;
  }
  ++report.frames;
  last_frame = frame.header();
  const FrameType type = frame.header().type;
  if (type == FrameType::evidence) {
    add(FindingKind::evidence_unchecked, Severity::unproven, frame,
        "EVIDENCE frame, which only verify bundle checks");
  } else if (!is_known_frame_type(type)) {
    take_unknown(frame);
  } else if (SourceAudit* of_source = source(frame.source())) {
    of_source->take(frame);
  }
  context.give_back(std::move(frame.event.frame.body));
}

void Audit::State::take_damage(const CheckedFrame& frame) {
  const StreamEvent& event = frame.event;
  const std::uint64_t count = context.last_damage ? context.last_damage->count : 0;
  context.last_damage = {{frame.input, event.offset}, event.size_bytes, count + 1};
  const bool of_a_source = event.header && is_known_frame_type(event.header->type) &&
                           event.header->type != FrameType::end;
  if (of_a_source) {
    if (SourceAudit* damaged = source(event.header->source)) {
      damaged->take_damaged(event, frame.input);
    }
    return;
  }
  std::string message = event.message;
  message += ", " + decimal(event.size_bytes) + " bytes are no frame";
  if (last_frame) {
    message +=
        ", after " + frame_type_name(last_frame->type) + " frame " + decimal(last_frame->sequence);
  }
  add(FindingKind::damaged_bytes, Severity::malformed, frame, std::move(message));
}

void Audit::State::take_truncation(const CheckedFrame& frame) {
  const StreamEvent& event = frame.event;
  std::string message = event.message;
  if (event.header) {
    message +=
        ", " + frame_type_name(event.header->type) + " frame " + decimal(event.header->sequence);
  } else if (last_frame) {
    message +=
        ", after " + frame_type_name(last_frame->type) + " frame " + decimal(last_frame->sequence);
  }
  if (kinds[frame.input] == InputKind::active_segment) {
    add(FindingKind::torn_tail, Severity::note, frame,
        message + ", as when it is being written or its writer stopped");
    return;
  }
  add(FindingKind::truncated, Severity::malformed, frame, std::move(message));
}

void Audit::State::take_unknown(const CheckedFrame& frame) {
  const FrameHeader& header = frame.header();
  Finding made;
  made.kind = header.critical() ? FindingKind::critical_frame : FindingKind::unknown_frame;
  made.severity = header.critical() ? Severity::malformed : Severity::unproven;
  made.source = header.source;
  made.first_sequence = made.last_sequence = header.sequence;
  made.window = Finding::TimeWindow{header.window_start_ns, header.window_end_ns};
  made.input = frame.input;
  made.offset = frame.event.offset;
  made.size_bytes = frame.event.frame.size_bytes();
  made.message =
      "frame of " + frame_type_name(header.type) +
      (header.critical() ? ", which must be understood and is not" : ", which no link covers");
  context.findings.add(std::move(made));
}

bool Audit::State::take_or_go_back(CheckedFrame& frame) {
  if (!frame.unsound) {
    take(frame);
    return true;
  }
  discard();
  reader->go_back(frame.event);
  return false;
}

bool Audit::State::drain(std::uint64_t bytes, std::size_t items) {
  while (pool.in_flight() > items || pool.in_flight_bytes() > bytes) {
    auto frame = pool.pop();
    if (!frame) return true;
    if (!take_or_go_back(*frame)) return false;
  }
  return true;
}

void Audit::State::discard() {
  while (auto frame = pool.pop()) context.give_back(std::move(frame->event.frame.body));
}

Audit::Audit(AuditOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Audit::~Audit() = default;
Audit::Audit(Audit&&) noexcept = default;

void Audit::on_progress(std::function<bool(std::uint64_t)> go_on) {
  state_->go_on = std::move(go_on);
}

Status Audit::read(const std::string& name, StreamReader& reader, InputKind kind) {
  State& state = *state_;
  AuditContext& context = state.context;
  const auto input = static_cast<std::uint32_t>(state.report.inputs.size());
  state.report.inputs.push_back(name);
  state.report.input_bytes.push_back(0);
  state.kinds.push_back(kind);
  ++context.part;
  state.reader = &reader;
  const auto status = state.read(input);
  state.discard();  // nothing that refers to the reader outlives it
  state.report.input_bytes.back() = reader.offset();
  return status;
}

Status Audit::State::read(std::uint32_t input) {
  while (true) {
    if (!context.spare.empty()) {
      reader->recycle(std::move(context.spare.back()));
      context.spare.pop_back();
    }
    auto event = reader->next();
    CheckedFrame frame;
    frame.input = input;
    if (!event || event->kind == StreamEventKind::finished) {
      if (!drain(0, 0)) continue;
      if (event) return {};
      if (event.error().code != ExitCode::malformed) return pass(event);
      add(FindingKind::not_a_stream, Severity::malformed, frame, event.error().message);
      return {};
    }
    if (event->kind == StreamEventKind::stopped || (go_on && !go_on(reader->offset()))) {
      return fail(ExitCode::unproven, "stopped before the end of the input, nothing is proven");
    }
    frame.event = std::move(*event);
    frame.reader = reader;
    const std::uint64_t size = frame.event.frame.header.body_size;
    pool.put(std::move(frame), size);
    if (!drain(max_in_flight_bytes, max_in_flight)) continue;
    while (auto done = pool.try_pop()) {
      if (!take_or_go_back(*done)) break;
    }
  }
}

bool Audit::wants_second_reading() {
  return std::any_of(state_->sources.begin(), state_->sources.end(),
                     [](const auto& entry) { return entry.second->wants_second_reading(); });
}

Status Audit::read_again(StreamReader& reader) {
  while (true) {
    auto event = reader.next();
    if (!event) {
      if (event.error().code != ExitCode::malformed) return pass(event);
      return {};  // it was reported in the first reading
    }
    if (event->kind == StreamEventKind::finished || event->kind == StreamEventKind::stopped) {
      return {};
    }
    if (event->kind != StreamEventKind::frame) continue;
    if (event->frame.header.type == FrameType::link) {
      const auto found = state_->sources.find(event->frame.header.source);
      auto link = parse_link_frame(event->frame.header, event->frame.body.view());
      if (link && found != state_->sources.end()) found->second->offer_again(*link);
    }
    reader.recycle(std::move(event->frame.body));
  }
}

AuditReport Audit::finish() {
  State& state = *state_;
  AuditContext& context = state.context;
  const AuditOptions& options = context.options;
  for (auto& [id, source] : state.sources) source->finish();
  const auto add = [&](FindingKind kind, Severity severity, std::string message) {
    Finding made;
    made.kind = kind;
    made.severity = severity;
    made.message = std::move(message);
    context.findings.add(std::move(made));
  };
  const bool anything_sealed =
      std::any_of(context.records.begin(), context.records.end(),
                  [](const RecordReport& record) { return record.links > 0; });
  if (state.sources.empty()) {
    add(FindingKind::nothing_sealed, Severity::unproven,
        state.report.frames == 0 ? "there are no frames to check" : "no link seals anything");
  }
  if (anything_sealed && options.policy.signers.empty()) {
    add(FindingKind::no_key, Severity::unproven,
        "no key was given, so it is not proven who signed");
  }
  if (options.head && !context.head_seen) {
    add(FindingKind::head_missing, Severity::refuted, "no link has the hash that was asked for");
  }
  AuditReport& report = state.report;
  context.findings.sort();
  report.findings = std::move(context.findings);
  report.records = std::move(context.records);
  report.more_records = context.more_records;
  report.offline = options.offline;
  report.ledger_given = options.ledger_given;
  return std::move(report);
}

}  // namespace twinchain::chain
