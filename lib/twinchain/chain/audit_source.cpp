#include "twinchain/chain/audit_source.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::chain {
namespace {

/// Frames that may wait for the other half of them; tools write DATA and LINK one after the other.
constexpr std::size_t max_waiting_frames = 64;
/// Bodies that are kept so that a damaged channel can be named, all sources together.
constexpr std::uint64_t max_retained_bytes = max_frame_size;
constexpr std::size_t max_spare_buffers = 16;

std::string frame_text(FrameType type) {
  return frame_type_name(type) + " frame";
}

}  // namespace

void AuditContext::give_back(Buffer&& body) {
  if (body.capacity() == 0 || spare.size() >= max_spare_buffers) return;
  std::uint64_t together = body.capacity();
  for (const Buffer& buffer : spare) together += buffer.capacity();
  if (together <= max_frame_size) spare.push_back(std::move(body));
}

SourceAudit::SourceAudit(AuditContext& context, const Id128& source)
    : context_(context), source_(source) {}

std::size_t SourceAudit::add(Finding finding, bool merge) {
  verdict_.take(finding.kind, finding.severity);
  return context_.findings.add(std::move(finding), merge);
}

Finding SourceAudit::finding(FindingKind kind, Severity severity, const Place& place) const {
  Finding made;
  made.kind = kind;
  made.severity = severity;
  made.source = source_;
  made.input = place.input;
  made.offset = place.offset;
  return made;
}

Finding SourceAudit::finding(FindingKind kind, Severity severity, const Place& place,
                             std::uint64_t sequence, std::int64_t start_ns,
                             std::int64_t end_ns) const {
  Finding made = finding(kind, severity, place);
  made.first_sequence = sequence;
  made.last_sequence = sequence;
  made.window = Finding::TimeWindow{start_ns, end_ns};
  return made;
}

void SourceAudit::take(CheckedFrame& frame) {
  const FrameHeader& header = frame.header();
  const Place place{frame.input, frame.event.frame.offset};
  if (frame.error) {
    Finding made = finding(FindingKind::malformed_frame, Severity::malformed, place,
                           header.sequence, header.window_start_ns, header.window_end_ns);
    made.size_bytes = frame.event.frame.size_bytes();
    made.message = frame_text(header.type) + ": " + frame.error->message;
    const std::size_t where = add(std::move(made));
    const bool content_known = frame.data || frame.link || header.type == FrameType::schema;
    if (!content_known) {
      if (damaged_.size() == max_waiting_frames) damaged_.pop_front();
      damaged_.push_back({header.type, header.sequence, where});
      return;
    }
  }
  report_disagreements(frame);
  take_by_type(frame);
  if (header.type == FrameType::anchor || header.type == FrameType::cosignature) return;
  const bool is_data = header.type == FrameType::data || header.type == FrameType::slice;
  latest_ = Latest{is_data, frame.sequence()};
}

void SourceAudit::take_by_type(CheckedFrame& frame) {
  switch (frame.header().type) {
    case FrameType::schema:
      return take_schema(frame);
    case FrameType::reject:
      return take_reject(frame);
    case FrameType::data:
    case FrameType::slice:
      return take_data(frame);
    case FrameType::link:
      return take_link(frame);
    case FrameType::anchor:
      return take_anchor(frame);
    case FrameType::cosignature:
      return frame.cosignature ? take_cosignature(frame) : void();
    case FrameType::end:
    case FrameType::evidence:
    case FrameType::network:
    case FrameType::snapshot:
    case FrameType::skeleton:
    case FrameType::block:
      break;
  }
}

void SourceAudit::report_disagreements(const CheckedFrame& frame) {
  if (!frame.other_source && !frame.other_sequence && !frame.other_window) return;
  const FrameHeader& header = frame.header();
  const Place place{frame.input, frame.event.frame.offset};
  const std::int64_t start_ns =
      frame.data ? frame.data->window_start_ns : frame.link->link.window_start_ns;
  const std::int64_t end_ns =
      frame.data ? frame.data->window_end_ns : frame.link->link.window_end_ns;
  const auto report = [&](FindingKind kind, std::string message) {
    Finding made = finding(kind, Severity::refuted, place, frame.sequence(), start_ns, end_ns);
    made.size_bytes = frame.event.frame.size_bytes();
    made.message = frame_text(header.type) + ": " + std::move(message);
    add(std::move(made));
  };
  const char* content = frame.link ? "what was signed" : "its content";
  if (frame.other_source) {
    report(FindingKind::moved_source,
           std::string("the frame header names another source than ") + content);
  }
  if (frame.other_sequence) {
    report(FindingKind::renumbered, "the frame header says number " + decimal(header.sequence) +
                                        ", " + content + " says " + decimal(frame.sequence()));
  }
  if (frame.other_window) {
    report(FindingKind::altered_window,
           std::string("the frame header says another time window than ") + content);
  }
}

void SourceAudit::take_damaged(const StreamEvent& event, std::uint32_t input) {
  const FrameHeader& header = *event.header;
  Finding made = finding(FindingKind::damaged_frame, Severity::malformed, {input, event.offset},
                         header.sequence, header.window_start_ns, header.window_end_ns);
  made.size_bytes = event.size_bytes;
  made.message = frame_text(header.type) + ": " + event.message;
  const bool has_columns = header.type == FrameType::data || header.type == FrameType::slice;
  if (has_columns && !event.frame.body.empty()) {
    const ByteView bytes = event.frame.body.view();
    DamagePlace damage;
    if (header.type == FrameType::data) {
      damage = find_damage(bytes, channels_.get());
    } else if (const auto data = slice_data_header(bytes)) {
      damage = find_slice_damage(*data, header, bytes, channels_.get());
    }
    made.channels = std::move(damage.channels);
    if (damage.first_byte) {
      const std::uint64_t body = event.offset + frame_header_size;
      made.message += ", the damage is in bytes " + decimal(body + *damage.first_byte) + " to " +
                      decimal(body + damage.last_byte);
    } else if (made.channels.empty()) {
      made.message += damage.text.empty() ? ", the damage is not in a column" : ", " + damage.text;
    }
  }
  const std::size_t where = add(std::move(made));
  if (damaged_.size() == max_waiting_frames) damaged_.pop_front();
  damaged_.push_back({header.type, header.sequence, where});
}

SourceAudit::DamagedFrame* SourceAudit::find_damaged(FrameType type, std::uint64_t sequence) {
  for (DamagedFrame& damaged : damaged_) {
    if (damaged.type == type && damaged.sequence == sequence) return &damaged;
  }
  return nullptr;
}

bool SourceAudit::was_dropped(std::uint64_t sequence) const {
  const auto& dropped_below = context_.options.dropped_below;
  const auto found = dropped_below.find(source_);
  return found != dropped_below.end() && sequence < found->second;
}

void SourceAudit::settle_schema() {
  if (!schema_digest_ || schema_used_) return;
  const bool dropped = was_dropped(schema_sequence_);
  Finding made =
      finding(FindingKind::unsealed, dropped ? Severity::note : Severity::unproven, schema_place_);
  made.message = dropped ? "SCHEMA frame of data that was dropped"
                         : "SCHEMA frame that no sealed frame refers to";
  add(std::move(made));
}

void SourceAudit::take_schema(CheckedFrame& frame) {
  const Place place{frame.input, frame.event.frame.offset};
  if (schema_digest_ == frame.hash) {
    // A cut begins with the schema that applies, so only within one stream is it a repetition.
    if (schema_part_ == context_.part) {
      Finding made = finding(FindingKind::duplicate_frame, Severity::loss, place);
      made.first_sequence = made.last_sequence = frame.header().sequence;
      made.message = "SCHEMA frame is here twice, the same each time";
      add(std::move(made));
    }
    schema_part_ = context_.part;
    return;
  }
  settle_schema();
  schema_digest_ = frame.hash;
  schema_used_ = false;
  schema_place_ = place;
  schema_sequence_ = frame.header().sequence;
  schema_part_ = context_.part;
  channels_ = std::move(frame.channels);
  if (!frame.source_name.empty()) name_ = std::move(frame.source_name);
}

void SourceAudit::settle_reject_group() {
  if (!rejects_) return;
  const bool dropped = was_dropped(rejects_->sequence);
  Finding made = finding(FindingKind::unsealed, dropped ? Severity::note : Severity::unproven,
                         rejects_->place);
  made.first_sequence = made.last_sequence = rejects_->sequence;
  made.message = dropped ? "REJECT frames of data that was dropped"
                         : "REJECT frames without the DATA frame that covers them";
  add(std::move(made));
  rejects_.reset();
}

void SourceAudit::take_reject(const CheckedFrame& frame) {
  const std::uint64_t sequence = frame.header().sequence;
  if (rejects_ && rejects_->sequence != sequence) settle_reject_group();
  if (!rejects_) {
    rejects_.emplace();
    rejects_->sequence = sequence;
    rejects_->place = {frame.input, frame.event.frame.offset};
  }
  ++rejects_->frames;
  rejects_->digests.update(frame.hash);
}

void SourceAudit::check_rejects(const CheckedFrame& frame) {
  const record::DataHeader& data = *frame.data;
  const Place place{frame.input, frame.event.frame.offset};
  std::uint32_t frames = 0;
  Hash256 digest{};
  if (rejects_ && rejects_->sequence == data.sequence) {
    frames = rejects_->frames;
    digest = rejects_->digests.finish();
    rejects_.reset();
  } else {
    settle_reject_group();
  }
  if (frames == data.reject_frames && (frames == 0 || digest == data.reject_digest)) return;
  if (frames == 0 && frame.header().type == FrameType::slice) return;  // withheld with the rest
  Finding made = finding(FindingKind::reject_mismatch, Severity::refuted, place, data.sequence,
                         data.window_start_ns, data.window_end_ns);
  made.message = frames == data.reject_frames
                     ? "REJECT frames differ from those that the DATA frame covers"
                     : "DATA frame covers " + decimal(std::uint64_t{data.reject_frames}) +
                           " REJECT frames, " + decimal(std::uint64_t{frames}) + " are here";
  add(std::move(made));
}

void SourceAudit::check_schema(const CheckedFrame& frame) {
  const record::DataHeader& data = *frame.data;
  if (schema_digest_ && data.schema_digest == *schema_digest_) {
    schema_used_ = true;
    return;
  }
  if (!schema_digest_ && data.schema_digest == Hash256{}) return;  // there never was one
  Finding made = finding(FindingKind::missing_schema, Severity::refuted,
                         {frame.input, frame.event.frame.offset}, data.sequence,
                         data.window_start_ns, data.window_end_ns);
  made.message = "the SCHEMA frame that the DATA frame refers to is not before it";
  add(std::move(made), true);
}

void SourceAudit::take_data(CheckedFrame& frame) {
  check_rejects(frame);
  check_schema(frame);
  if (pending_.size() == max_waiting_frames) {
    settle(pending_.front());
    drop(pending_.front());
    pending_.pop_front();
  }
  PendingData data;
  data.type = frame.header().type;
  data.place = {frame.input, frame.event.frame.offset};
  data.root = frame.hash;
  data.data = *frame.data;
  data.leaf_count = frame.leaf_count;
  data.shown_leaves = frame.shown_leaves;
  Buffer& body = frame.event.frame.body;
  if (context_.retained_bytes + body.size() <= max_retained_bytes) {
    context_.retained_bytes += body.size();
    data.body = std::move(body);
  }
  const auto waiting =
      std::find_if(waiting_links_.begin(), waiting_links_.end(),
                   [&](const WaitingLink& link) { return link.link.number == data.data.sequence; });
  if (waiting != waiting_links_.end()) {
    Finding made = finding(FindingKind::reordered, Severity::refuted, data.place,
                           data.data.sequence, data.data.window_start_ns, data.data.window_end_ns);
    made.message = frame_text(data.type) + " stands after the link that seals it";
    add(std::move(made));
    compare_with_link(data, waiting->link);
    waiting_links_.erase(waiting);
    drop(data);
    return;
  }
  pending_.push_back(std::move(data));
}

void SourceAudit::drop(PendingData& data) {
  context_.retained_bytes -= data.body.size();
  context_.give_back(std::move(data.body));
  data.body.clear();
}

/// A DATA frame that no link is going to follow.
void SourceAudit::settle(PendingData& data) {
  const std::uint64_t number = data.data.sequence;
  for (Hole& hole : holes_) {
    if (number >= hole.first && number <= hole.last) {
      ++hole.data_seen;  // one finding for the hole says it
      return;
    }
  }
  if (DamagedFrame* link = find_damaged(FrameType::link, number)) {
    context_.findings.raise(link->finding, FindingKind::damaged_frame, Severity::refuted);
    verdict_.take(FindingKind::damaged_frame, Severity::refuted);
    return;
  }
  const auto make = [&](FindingKind kind, Severity severity, std::string message, bool merge) {
    Finding made = finding(kind, severity, data.place, number, data.data.window_start_ns,
                           data.data.window_end_ns);
    made.message = frame_text(data.type) + " " + std::move(message);
    add(std::move(made), merge);
  };
  if (links_ == 0 || number > last_link_ || number < first_link_) {
    return make(FindingKind::unsealed, Severity::unproven, "without a link that seals it", true);
  }
  const RememberedLink* link = memory_.find(number);
  if (link == nullptr) {
    return make(FindingKind::reordered, Severity::refuted, "stands where other frames belong",
                false);
  }
  if (link->frame_root == data.root) {
    return make(FindingKind::duplicate_frame, Severity::loss, "is here again, the same as sealed",
                true);
  }
  make(FindingKind::conflicting_data, Severity::refuted,
       "is here with two contents, and one of them was not sealed", false);
}

/// Repeated frames are told once the newest link is known; those in holes wait for theirs.
void SourceAudit::settle_repeated() {
  for (auto data = pending_.begin(); data != pending_.end();) {
    const std::uint64_t number = data->data.sequence;
    const bool in_hole = std::any_of(holes_.begin(), holes_.end(), [&](const Hole& hole) {
      return number >= hole.first && number <= hole.last;
    });
    if (number > last_link_ || in_hole) {
      ++data;
      continue;
    }
    settle(*data);
    drop(*data);
    data = pending_.erase(data);
  }
}

void SourceAudit::finish() {
  for (PendingData& data : pending_) {
    settle(data);
    drop(data);
  }
  pending_.clear();
  settle_reject_group();
  settle_schema();
  end_record();
}

}  // namespace twinchain::chain
