#include "twinchain/record/spool_format.hpp"

namespace twinchain::record {
namespace {

void append_sized(Bytes& out, ByteView bytes) {
  append_le(out, static_cast<std::uint32_t>(bytes.size()));
  append(out, bytes);
}

ByteView read_sized(ByteCursor& in) {
  const auto size = in.read_le<std::uint32_t>();
  return in.read_view(size);
}

Bytes copy_of(ByteView view) {
  return {view.begin(), view.end()};
}

std::unexpected<Error> malformed(const char* what) {
  return fail(ExitCode::malformed, std::string("malformed ") + what);
}

}  // namespace

Bytes encode_checkpoint(const Checkpoint& checkpoint) {
  Bytes out;
  append_le(out, checkpoint.next_sequence);
  append_le(out, checkpoint.next_start_ns);
  append_le(out, checkpoint.next_writer);
  append_le(out, static_cast<std::uint32_t>(checkpoint.writers.size()));
  for (const SpoolWriter& writer : checkpoint.writers) {
    append_le(out, writer.writer);
    append_le(out, writer.consumed_bytes);
    append_le(out, static_cast<std::uint8_t>(writer.check_header));
    append_sized(out, writer.parser_state);
    append_sized(out, writer.position);
    append_le(out, writer.position_bytes);
  }
  return out;
}

Result<Checkpoint> parse_checkpoint(ByteView bytes) {
  ByteCursor in(bytes);
  Checkpoint checkpoint;
  checkpoint.next_sequence = in.read_le<std::uint64_t>();
  checkpoint.next_start_ns = in.read_le<std::int64_t>();
  checkpoint.next_writer = in.read_le<std::uint32_t>();
  const auto count = in.read_le<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    SpoolWriter writer;
    writer.writer = in.read_le<std::uint32_t>();
    writer.consumed_bytes = in.read_le<std::uint64_t>();
    writer.check_header = in.read_le<std::uint8_t>() != 0;
    writer.parser_state = copy_of(read_sized(in));
    writer.position = copy_of(read_sized(in));
    writer.position_bytes = in.read_le<std::uint64_t>();
    if (writer.writer >= checkpoint.next_writer) return malformed("checkpoint");
    checkpoint.writers.push_back(std::move(writer));
  }
  if (!in.at_end()) return malformed("checkpoint");
  return checkpoint;
}

Bytes encode_wal_event(const WalEvent& event) {
  Bytes out;
  switch (event.type) {
    case SpoolRecordType::start:
      append_le(out, event.sequence);
      append_le(out, static_cast<std::uint8_t>(event.has_start));
      append_le(out, event.window_start_ns);
      return out;
    case SpoolRecordType::chunk:
      append_le(out, event.writer);
      append_le(out, event.offset);
      append_le(out, event.arrival_ns);
      append_le(out, static_cast<std::uint16_t>(event.position.size()));
      append(out, event.position);
      return out;
    case SpoolRecordType::close:
      append_le(out, event.writer);
      append_le(out, static_cast<std::uint8_t>(event.whole));
      append_le(out, event.arrival_ns);
      return out;
    case SpoolRecordType::restart:
      append_le(out, event.writer);
      append_le(out, event.offset);
      append_le(out, event.arrival_ns);
      return out;
    default:
      append_le(out, event.writer);
      return out;
  }
}

Result<WalEvent> parse_wal_event(std::uint16_t type, ByteView payload) {
  ByteCursor in(payload);
  WalEvent event;
  event.type = static_cast<SpoolRecordType>(type);
  switch (event.type) {
    case SpoolRecordType::start:
      event.sequence = in.read_le<std::uint64_t>();
      event.has_start = in.read_le<std::uint8_t>() != 0;
      event.window_start_ns = in.read_le<std::int64_t>();
      event.bytes = in.read_view(in.remaining());
      break;
    case SpoolRecordType::open:
      event.writer = in.read_le<std::uint32_t>();
      break;
    case SpoolRecordType::chunk: {
      event.writer = in.read_le<std::uint32_t>();
      event.offset = in.read_le<std::uint64_t>();
      event.arrival_ns = in.read_le<std::int64_t>();
      const auto position_size = in.read_le<std::uint16_t>();
      event.position = in.read_view(position_size);
      event.bytes = in.read_view(in.remaining());
      break;
    }
    case SpoolRecordType::restart:
      event.writer = in.read_le<std::uint32_t>();
      event.offset = in.read_le<std::uint64_t>();
      event.arrival_ns = in.read_le<std::int64_t>();
      break;
    case SpoolRecordType::close:
      event.writer = in.read_le<std::uint32_t>();
      event.whole = in.read_le<std::uint8_t>() != 0;
      event.arrival_ns = in.read_le<std::int64_t>();
      break;
    default:
      return malformed("record type");
  }
  if (!in.at_end()) return malformed("record");
  return event;
}

Bytes encode_segment_head(const SegmentHead& head) {
  Bytes out;
  append_sized(out, as_bytes(head.source_name));
  append_sized(out, head.schema_frame);
  return out;
}

Result<SegmentHead> parse_segment_head(ByteView payload) {
  ByteCursor in(payload);
  SegmentHead head;
  head.source_name = as_text(read_sized(in));
  head.schema_frame = copy_of(read_sized(in));
  if (!in.at_end()) return malformed("head of a frame file");
  return head;
}

Bytes encode_window_record(std::uint64_t sequence, ByteView checkpoint) {
  Bytes out;
  append_le(out, sequence);
  append_sized(out, checkpoint);
  return out;
}

Result<WindowRecord> parse_window_record(ByteView payload) {
  ByteCursor in(payload);
  WindowRecord record;
  record.sequence = in.read_le<std::uint64_t>();
  record.checkpoint = read_sized(in);
  record.frames = in.read_view(in.remaining());
  if (!in.ok()) return malformed("window");
  return record;
}

}  // namespace twinchain::record
