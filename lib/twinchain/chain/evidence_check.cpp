#include "twinchain/chain/evidence_check.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/evidence_state.hpp"

namespace twinchain::chain {
namespace {

constexpr std::uint64_t max_evidence_in_flight_bytes = std::uint64_t{8} << 20;
constexpr std::size_t max_evidence_in_flight = 512;
constexpr std::uint64_t max_bundles = 10'000;

}  // namespace

Finding EvidenceCheck::State::finding(FindingKind kind, Severity severity,
                                      std::string message) const {
  Finding made;
  made.kind = kind;
  made.severity = severity;
  made.message = std::move(message);
  if (!bundle) return made;
  made.source = bundle->evidence.head.link.source;
  made.first_sequence = bundle->evidence.first;
  made.last_sequence = bundle->evidence.last();
  made.input = bundle->input;
  made.offset = bundle->offset;
  return made;
}

void EvidenceCheck::State::add(Finding made, bool merge) {
  if (bundle) bundle->report.verdict.take(made.kind, made.severity);
  findings.add(std::move(made), merge);
}

Finding EvidenceCheck::State::finding_at(const CheckedFrame& frame, FindingKind kind,
                                         Severity severity, std::string message) {
  Finding made;
  made.kind = kind;
  made.severity = severity;
  made.input = frame.input;
  made.offset = frame.event.offset;
  made.size_bytes = frame.event.size_bytes;
  const FrameHeader* header = frame.is_frame()     ? &frame.header()
                              : frame.event.header ? &*frame.event.header
                                                   : nullptr;
  if (header != nullptr) {
    made.source = header->source;
    made.first_sequence = made.last_sequence = header->sequence;
    made.window = Finding::TimeWindow{header->window_start_ns, header->window_end_ns};
    message = frame_type_name(header->type) + " frame: " + message;
  }
  made.message = std::move(message);
  return made;
}

void EvidenceCheck::State::add_at(const CheckedFrame& frame, FindingKind kind, Severity severity,
                                  std::string message) {
  add(finding_at(frame, kind, severity, std::move(message)));
}

void EvidenceCheck::State::take(CheckedFrame& frame) {
  switch (frame.event.kind) {
    case StreamEventKind::frame:
      ++report.frames;
      take_frame(frame);
      spare.push_back(std::move(frame.event.frame.body));
      return;
    case StreamEventKind::end:
      return end();
    case StreamEventKind::damage:
      return take_damage(frame);
    case StreamEventKind::truncated:
      if (bundle) bundle->damaged = true;
      add_at(frame, FindingKind::truncated, Severity::malformed, frame.event.message);
      return end();
    case StreamEventKind::finished:
    case StreamEventKind::stopped:
      return;
  }
}

void EvidenceCheck::State::take_damage(const CheckedFrame& frame) {
  if (bundle) bundle->damaged = true;
  add_at(frame, frame.event.header ? FindingKind::damaged_frame : FindingKind::damaged_bytes,
         Severity::malformed,
         frame.event.message + ", " + decimal(frame.event.size_bytes) + " bytes are left out");
}

void EvidenceCheck::State::take_frame(CheckedFrame& frame) {
  const FrameHeader& header = frame.header();
  if (!is_known_frame_type(header.type)) {
    const bool critical = header.critical();
    return add_at(frame, critical ? FindingKind::critical_frame : FindingKind::unknown_frame,
                  critical ? Severity::malformed : Severity::unproven,
                  "nothing proves what it says");
  }
  if (header.flags != 0) {
    return add_at(frame, FindingKind::malformed_frame, Severity::malformed,
                  "has flags that nothing covers");
  }
  if (header.type == FrameType::evidence) return begin(frame);
  if (!bundle) {
    if (!stray) {
      stray = finding_at(frame, FindingKind::malformed_frame, Severity::malformed,
                         "stands before any EVIDENCE frame");
    }
    return;
  }
  if (header.source != bundle->evidence.head.link.source) {
    return add_at(frame, FindingKind::moved_source, Severity::refuted,
                  "is of another source than the evidence");
  }
  if (frame.error) {
    return add_at(frame, FindingKind::malformed_frame, Severity::malformed, frame.error->message);
  }
  switch (header.type) {
    case FrameType::schema:
      return take_schema(frame);
    case FrameType::reject:
      return take_reject(frame);
    case FrameType::slice:
      return take_slice(frame);
    default:
      return add_at(frame, FindingKind::malformed_frame, Severity::malformed,
                    "does not belong into a bundle");
  }
}

void EvidenceCheck::State::begin(const CheckedFrame& frame) {
  end();
  auto evidence = parse_evidence_frame(frame.header(), frame.event.frame.body.view());
  if (!evidence) {
    return add_at(frame, FindingKind::malformed_frame, Severity::malformed,
                  evidence.error().message);
  }
  bundle.emplace();
  bundle->offset = frame.event.offset;
  bundle->input = frame.input;
  bundle->header_start_ns = frame.header().window_start_ns;
  bundle->header_end_ns = frame.header().window_end_ns;
  bundle->evidence = std::move(*evidence);
  const Evidence& proof = bundle->evidence;
  bundle->next = proof.first;
  // The reader has seen to it that the number of hashes is right.
  bundle->tree = *MerkleFrontier::from_parts(proof.proven_first(), proof.proof.left);
  RecordReport& about = bundle->report;
  about.source = proof.head.link.source;
  about.record = proof.head.link.record;
  about.first_link = proof.first;
  about.last_link = proof.last();
  about.links = proof.count;
  about.proven_by_link = proof.head.link.number;
  about.last_link_hash = link_hash(proof.head.link);
  about.window_start_ns = bundle->header_start_ns;
  about.window_end_ns = bundle->header_end_ns;
  if (proof.before) {
    bundle->tree.append(merkle_leaf(proof.before->link.frame_root));
    bundle->window_end_ns = proof.before->link.window_end_ns;
    about.first_beacon = proof.before->link.beacon;
  }
}

void EvidenceCheck::State::take_schema(const CheckedFrame& frame) {
  if (!bundle->schema_used) {
    add_at(frame, FindingKind::malformed_frame, Severity::malformed,
           "follows another one that no window uses");
  }
  bundle->schema_digest = frame.hash;
  bundle->schema_used = false;
  bundle->report.name = frame.source_name;
}

void EvidenceCheck::State::take_reject(const CheckedFrame& frame) {
  if (bundle->reject_frames > 0 && bundle->reject_sequence != frame.header().sequence) {
    return add_at(frame, FindingKind::reject_mismatch, Severity::refuted,
                  "is not followed by its window");
  }
  bundle->reject_sequence = frame.header().sequence;
  ++bundle->reject_frames;
  bundle->reject_digests.update(frame.hash);
}

void EvidenceCheck::State::check_rejects(const CheckedFrame& frame) {
  const record::DataHeader& data = *frame.data;
  const std::uint32_t frames = std::exchange(bundle->reject_frames, 0);
  const Hash256 digest = bundle->reject_digests.finish();
  if (frames == 0) return;  // left out, as channels are
  if (bundle->reject_sequence == data.sequence && frames == data.reject_frames &&
      digest == data.reject_digest) {
    return;
  }
  add_at(frame, FindingKind::reject_mismatch, Severity::refuted,
         "the REJECT frames before it are not those that were sealed");
}

void EvidenceCheck::State::take_slice(const CheckedFrame& frame) {
  const record::DataHeader& data = *frame.data;
  const std::uint64_t number = data.sequence;
  if (frame.other_source || frame.other_sequence || frame.other_window) {
    add_at(frame,
           frame.other_source     ? FindingKind::moved_source
           : frame.other_sequence ? FindingKind::renumbered
                                  : FindingKind::altered_window,
           Severity::refuted, "the frame header says other than the content that was sealed");
  }
  if (number < bundle->next || number > bundle->evidence.last()) {
    return add_at(frame, number < bundle->next ? FindingKind::reordered : FindingKind::renumbered,
                  Severity::refuted,
                  number < bundle->next ? "is here twice or not in its place"
                                        : "is not one of the windows of the evidence");
  }
  if (number > bundle->next) {
    if (bundle->lost_windows == 0) bundle->first_lost = bundle->next;
    bundle->lost_windows += number - bundle->next;
    append_lost_windows(bundle->tree, number - bundle->next);
  }
  bundle->tree.append(merkle_leaf(frame.hash));
  bundle->next = number + 1;
  if (data.schema_digest != bundle->schema_digest.value_or(Hash256{})) {
    add_at(frame, FindingKind::missing_schema, Severity::refuted,
           "the SCHEMA frame that it was sealed with is not here");
  }
  bundle->schema_used = true;
  check_rejects(frame);
  if (bundle->window_end_ns) note_gap(*bundle->window_end_ns, data.window_start_ns, number);
  bundle->window_end_ns = data.window_end_ns;
  check_against_head(frame);
  Accounting& sums = bundle->report.accounting;
  sums.add_window(data);
  sums.shown_leaves += frame.shown_leaves;
  sums.hidden_leaves += frame.leaf_count - frame.shown_leaves;
}

/// What frame headers and the head's link repeat of a window.
void EvidenceCheck::State::check_against_head(const CheckedFrame& frame) {
  const record::DataHeader& data = *frame.data;
  const Evidence& proof = bundle->evidence;
  if ((data.sequence == proof.first && data.window_start_ns != bundle->header_start_ns) ||
      (data.sequence == proof.last() && data.window_end_ns != bundle->header_end_ns)) {
    add_at(frame, FindingKind::altered_window, Severity::refuted,
           "the EVIDENCE frame says another time");
  }
  const Link& head = proof.head.link;
  if (data.sequence == head.number &&
      (head.frame_root != frame.hash || head.window_start_ns != data.window_start_ns ||
       head.window_end_ns != data.window_end_ns || head.samples != data.samples)) {
    add_at(frame, FindingKind::link_disagrees, Severity::refuted,
           "its link says other than the window");
  }
}

void EvidenceCheck::State::note_gap(std::int64_t before_ns, std::int64_t start_ns,
                                    std::uint64_t number) {
  const auto gap_ns = bundle->report.accounting.add_gap(before_ns, start_ns);
  if (!gap_ns) return;
  const auto& largest = options.audit.policy.largest_gap_ns;
  Finding made = finding(FindingKind::gap, gap_severity(*gap_ns, largest),
                         "nothing was recorded for " + format_duration_ns(*gap_ns) +
                             " before frame " + decimal(number));
  made.first_sequence = made.last_sequence = number;
  made.window = Finding::TimeWindow{before_ns, start_ns};
  add(std::move(made));
}

void EvidenceCheck::State::end() {
  if (!bundle) return;
  if (bundle->reject_frames > 0 || !bundle->schema_used) {
    add(finding(FindingKind::malformed_frame, Severity::malformed,
                "the last frames before the end belong to no window"));
  }
  check_edges();
  check_root();
  check_signatures();
  check_policy();
  audit_head();
  if (report.records.size() < max_bundles) {
    report.records.push_back(std::move(bundle->report));
  } else {
    ++report.more_records;
  }
  bundle.reset();
}

void EvidenceCheck::State::drain(std::uint64_t bytes, std::size_t items) {
  while (pool.in_flight() > items || pool.in_flight_bytes() > bytes) {
    auto frame = pool.pop();
    if (!frame) return;
    take(*frame);
  }
}

EvidenceCheck::EvidenceCheck(EvidenceOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
EvidenceCheck::~EvidenceCheck() = default;
EvidenceCheck::EvidenceCheck(EvidenceCheck&&) noexcept = default;

void EvidenceCheck::on_progress(std::function<bool(std::uint64_t)> go_on) {
  state_->go_on = std::move(go_on);
}

Status EvidenceCheck::read(const std::string& name, StreamReader& reader) {
  State& state = *state_;
  const auto input = static_cast<std::uint32_t>(state.report.inputs.size());
  state.report.inputs.push_back(name);
  state.report.input_bytes.push_back(0);
  while (true) {
    if (!state.spare.empty()) {
      reader.recycle(std::move(state.spare.back()));
      state.spare.pop_back();
    }
    auto event = reader.next();
    CheckedFrame frame;
    frame.input = input;
    if (!event) {
      state.drain(0, 0);
      if (event.error().code != ExitCode::malformed) return pass(event);
      state.add_at(frame, FindingKind::not_a_stream, Severity::malformed, event.error().message);
      return {};
    }
    if (event->kind == StreamEventKind::finished) break;
    if (event->kind == StreamEventKind::stopped || (state.go_on && !state.go_on(reader.offset()))) {
      return fail(ExitCode::unproven, "stopped before the end of the input, nothing is proven");
    }
    frame.event = std::move(*event);
    const std::uint64_t size = frame.event.frame.body.size();
    state.pool.put(std::move(frame), size);
    state.drain(max_evidence_in_flight_bytes, max_evidence_in_flight);
    while (auto done = state.pool.try_pop()) state.take(*done);
  }
  state.drain(0, 0);
  state.end();
  state.report.input_bytes.back() = reader.offset();
  return {};
}

AuditReport EvidenceCheck::finish() {
  State& state = *state_;
  state.end();
  if (state.report.records.empty()) {
    state.add(state.finding(FindingKind::nothing_sealed, Severity::unproven,
                            "there is no EVIDENCE frame, this is no evidence bundle"));
  } else if (state.stray) {
    state.add(std::move(*state.stray));
  }
  state.report.offline = state.options.audit.offline;
  state.report.ledger_given = state.options.audit.ledger_given;
  state.findings.sort();
  state.report.findings = std::move(state.findings);
  return std::move(state.report);
}

}  // namespace twinchain::chain
