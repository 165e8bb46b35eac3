// frames ls and recover, and what all commands of frames share.
#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/chain/stream_tools_common.hpp"

namespace twinchain::chain {

Result<ExitCode> for_each_frame(StreamReader& in, const Complain& complain,
                                const std::function<Status(Frame&)>& each) {
  ExitCode code = ExitCode::success;
  while (true) {
    auto event = in.next();
    if (!event) return pass(event);
    switch (event->kind) {
      case StreamEventKind::frame:
        TWINCHAIN_TRY(each(event->frame));
        in.recycle(std::move(event->frame.body));
        break;
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        complain(describe_damage(*event));
        code = ExitCode::malformed;
        break;
      case StreamEventKind::end:
        break;
      case StreamEventKind::stopped:
      case StreamEventKind::finished:
        return code;
    }
  }
}

std::string window_text(const FrameHeader& header) {
  std::string text = format_time_ns(header.window_start_ns);
  text += " to ";
  text += format_time_ns(header.window_end_ns);
  return text;
}

std::string at_frame(const Frame& frame) {
  std::string text = "frame ";
  text += decimal(frame.header.sequence);
  text += " at byte ";
  text += decimal(frame.offset);
  text += ": ";
  return text;
}

std::optional<record::DataHeader> data_header(const Frame& frame) {
  if (frame.header.type == FrameType::data) {
    auto header = record::check_data_frame(frame.header, frame.body.view());
    if (header) return *header;
  }
  if (frame.header.type == FrameType::slice) {
    auto slice = check_slice(frame.header, frame.body.view());
    if (slice) return slice->header;
  }
  return std::nullopt;
}

Status Schemas::learn(const Frame& frame) {
  auto schema = record::parse_schema_frame(frame.header, frame.body.view());
  if (!schema) {
    std::string message = "SCHEMA frame at byte ";
    message += decimal(frame.offset);
    message += ": ";
    message += schema.error().message;
    return fail(ExitCode::malformed, std::move(message));
  }
  by_source_[frame.header.source] = std::move(*schema);
  return {};
}

const record::Schema* Schemas::find(const Id128& source) const {
  const auto found = by_source_.find(source);
  return found == by_source_.end() ? nullptr : &found->second;
}

std::string Schemas::name(const Id128& source) const {
  const record::Schema* schema = find(source);
  return schema != nullptr ? escape(schema->source_name) : to_hex(source);
}

std::string describe_damage(const StreamEvent& event) {
  std::string text;
  if (event.header) {
    text += frame_type_name(event.header->type);
    text += " frame ";
    text += decimal(event.header->sequence);
    text += " (";
    text += window_text(*event.header);
    text += ") ";
  }
  text += "at byte ";
  text += decimal(event.offset);
  text += ": ";
  text += event.message;
  if (event.size_bytes > 0) {
    text += ", ";
    text += decimal(event.size_bytes);
    text += " bytes left out";
  }
  return text;
}

Result<ExitCode> list_frames(StreamReader& in, bool json, const TextSink& out,
                             const Complain& complain) {
  Schemas schemas;
  return for_each_frame(in, complain, [&](Frame& frame) -> Status {
    const FrameHeader& header = frame.header;
    if (header.type == FrameType::schema) {
      if (auto status = schemas.learn(frame); !status) complain(status.error().message);
    }
    const auto data = data_header(frame);
    if (json) {
      JsonWriter line;
      line.begin_object();
      line.member("offset", frame.offset).member("size_bytes", frame.size_bytes());
      line.member("type", frame_type_name(header.type));
      line.member("source", std::string_view(to_hex(header.source)));
      line.member("sequence", header.sequence);
      line.member("window_start", std::string_view(format_time_ns(header.window_start_ns)));
      line.member("window_end", std::string_view(format_time_ns(header.window_end_ns)));
      if (data) line.member("rows", data->rows).member("samples", data->samples);
      line.end_object();
      return out(line.text() + "\n");
    }
    std::string line = decimal(frame.offset);
    line += ' ';
    line += decimal(frame.size_bytes());
    line += ' ';
    line += frame_type_name(header.type);
    line += ' ';
    line += schemas.name(header.source);
    line += ' ';
    line += decimal(header.sequence);
    line += ' ';
    line += window_text(header);
    if (data) {
      line += ' ';
      line += decimal(data->rows);
      line += " rows";
    }
    line += '\n';
    return out(line);
  });
}

Result<ExitCode> recover_stream(StreamReader& in, StreamWriter& out, const Complain& complain) {
  auto code = for_each_frame(in, complain, [&](Frame& frame) {
    return out.write_unchanged(frame.header, frame.body.view());
  });
  if (!code) return code;
  TWINCHAIN_TRY(out.finish());
  return *code == ExitCode::success ? ExitCode::success : ExitCode::loss;
}

}  // namespace twinchain::chain
