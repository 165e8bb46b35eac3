#include "twinchain/chain/stream_tools.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/record/column_reader.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t text_chunk_bytes = std::size_t{1} << 20;

std::string number(std::uint64_t value) {
  return decimal(value);
}

/// Runs `each` on every frame; complains of damage; success or malformed.
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

/// Header leaf of DATA or of a SLICE; nothing when malformed.
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

/// Keeps each source's newest schema.
class Schemas {
 public:
  Status learn(const Frame& frame) {
    auto schema = record::parse_schema_frame(frame.header, frame.body.view());
    if (!schema) {
      std::string message = "SCHEMA frame at byte ";
      message += number(frame.offset);
      message += ": ";
      message += schema.error().message;
      return fail(ExitCode::malformed, std::move(message));
    }
    by_source_[frame.header.source] = std::move(*schema);
    return {};
  }
  [[nodiscard]] const record::Schema* find(const Id128& source) const {
    const auto found = by_source_.find(source);
    return found == by_source_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::string name(const Id128& source) const {
    const record::Schema* schema = find(source);
    return schema != nullptr ? escape(schema->source_name) : to_hex(source);
  }

 private:
  std::map<Id128, record::Schema> by_source_;
};

std::string at_frame(const Frame& frame) {
  std::string text = "frame ";
  text += number(frame.header.sequence);
  text += " at byte ";
  text += number(frame.offset);
  text += ": ";
  return text;
}

/// A window from a DATA frame, or from the shown columns of a SLICE.
Result<record::Window> read_window(const Frame& frame, const record::Schema& schema) {
  if (frame.header.type == FrameType::data) {
    return record::decode_window(frame.header, frame.body.view(), schema);
  }
  auto slice = check_slice(frame.header, frame.body.view());
  if (!slice) return pass(slice);
  record::Window window;
  window.header = slice->header;
  for (const auto& shown : slice->shown) {
    if (shown.leaf.type == record::LeafType::time_column) {
      auto times = record::decode_time_column(shown.leaf.payload);
      if (!times) return pass(times);
      window.times_ns = std::move(*times);
    } else if (shown.leaf.type == record::LeafType::value_column) {
      auto column = record::decode_value_column(shown.leaf.payload);
      if (!column) return pass(column);
      window.columns.push_back(std::move(*column));
    }
  }
  return window;
}

struct SourceSummary {
  std::map<FrameType, std::uint64_t> frames;
  std::uint64_t size_bytes = 0;
  std::uint64_t data_frames = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  std::uint64_t rows = 0;
  std::uint64_t samples = 0;
  std::uint64_t late = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t rejected = 0;
  std::optional<Hash256> head;
  std::uint64_t head_number = 0;

  void add(const Frame& frame) {
    ++frames[frame.header.type];
    size_bytes += frame.size_bytes();
    if (frame.header.type == FrameType::data || frame.header.type == FrameType::slice) {
      if (data_frames == 0) {
        first_sequence = frame.header.sequence;
        window_start_ns = frame.header.window_start_ns;
      }
      ++data_frames;
      last_sequence = frame.header.sequence;
      window_end_ns = frame.header.window_end_ns;
      if (const auto header = data_header(frame)) {
        rows += header->rows;
        samples += header->samples;
        late += header->late_rows;
        duplicate += header->duplicate_rows;
        out_of_order += header->out_of_order_rows;
        rejected += header->rejected_rows;
      }
    }
    if (frame.header.type == FrameType::link) {
      if (const auto link = parse_link_frame(frame.header, frame.body.view())) {
        head = link_hash(link->link);
        head_number = link->link.number;
      }
    }
  }
};

std::string summary_text(const Id128& id, const SourceSummary& summary, const Schemas& schemas) {
  std::string out = "source " + schemas.name(id) + " (" + to_hex(id) + ")\n";
  const auto line = [&](const char* name, const std::string& value) {
    out += "  ";
    out += name;
    out.append(14 - std::min<std::size_t>(13, std::string_view(name).size()), ' ');
    out += value;
    out += '\n';
  };
  if (summary.data_frames > 0) {
    line("frames", number(summary.first_sequence) + " to " + number(summary.last_sequence) + " (" +
                       number(summary.data_frames) + " with data)");
    line("windows",
         format_time_ns(summary.window_start_ns) + " to " + format_time_ns(summary.window_end_ns));
    line("rows", number(summary.rows));
    line("samples", number(summary.samples));
  }
  std::string types;
  for (const auto& [type, count] : summary.frames) {
    if (!types.empty()) types += ", ";
    types += number(count);
    types += ' ';
    types += frame_type_name(type);
  }
  line("types", types);
  line("bytes", number(summary.size_bytes));
  if (summary.late + summary.duplicate + summary.out_of_order + summary.rejected > 0) {
    line("counted", number(summary.late) + " late, " + number(summary.duplicate) + " duplicate, " +
                        number(summary.out_of_order) + " out of order, " +
                        number(summary.rejected) + " rejected");
  }
  if (summary.head)
    line("head", "link " + number(summary.head_number) + " " + to_hex(*summary.head));
  if (const record::Schema* schema = schemas.find(id)) {
    if (!schema->time_note.empty()) line("time", escape(schema->time_note));
    line("channels", number(schema->channels.size()));
    for (const record::Channel& channel : schema->channels) {
      out += "    ";
      out += escape(channel.name);
      out += ' ';
      out += record::value_type_name(channel.type);
      if (!channel.unit.empty()) {
        out += ' ';
        out += escape(channel.unit);
      }
      out += '\n';
    }
  }
  return out;
}

void summary_json(JsonWriter& json, const Id128& id, const SourceSummary& summary,
                  const Schemas& schemas) {
  json.begin_object();
  json.member("id", std::string_view(to_hex(id)));
  const record::Schema* schema = schemas.find(id);
  if (schema != nullptr) json.member("name", std::string_view(schema->source_name));
  json.member("data_frames", summary.data_frames);
  if (summary.data_frames > 0) {
    json.member("first_sequence", summary.first_sequence);
    json.member("last_sequence", summary.last_sequence);
    json.member("window_start", std::string_view(format_time_ns(summary.window_start_ns)));
    json.member("window_end", std::string_view(format_time_ns(summary.window_end_ns)));
  }
  json.member("rows", summary.rows).member("samples", summary.samples);
  json.member("late_rows", summary.late).member("duplicate_rows", summary.duplicate);
  json.member("out_of_order_rows", summary.out_of_order).member("rejected_rows", summary.rejected);
  json.member("size_bytes", summary.size_bytes);
  json.key("frames").begin_object();
  for (const auto& [type, count] : summary.frames) json.member(frame_type_name(type), count);
  json.end_object();
  if (summary.head) {
    json.member("head_number", summary.head_number);
    json.member("head", std::string_view(to_hex(*summary.head)));
  }
  json.key("channels").begin_array();
  if (schema != nullptr) {
    for (const record::Channel& channel : schema->channels) {
      json.begin_object();
      json.member("name", std::string_view(channel.name));
      json.member("type", std::string_view(record::value_type_name(channel.type)));
      json.member("unit", std::string_view(channel.unit));
      json.member("label", std::string_view(channel.label));
      json.end_object();
    }
  }
  json.end_array();
  json.end_object();
}

/// State of cut_stream.
class Cutter {
 public:
  Cutter(const record::Selection& selection, const std::vector<std::string>& channels,
         StreamWriter& out)
      : selection_(selection), channels_(channels), out_(out) {}

  Status take(Frame& frame) {
    const FrameHeader& header = frame.header;
    if (!selection_.wants_source(header.source)) return {};
    Pending& pending = pending_[header.source];
    switch (header.type) {
      case FrameType::schema:
        TWINCHAIN_TRY(schemas_.learn(frame));
        pending.schema.emplace();
        pending.schema->header = header;
        pending.schema->body.append(frame.body.view());
        return {};
      case FrameType::reject: {
        std::erase_if(pending.rejects,
                      [&](const Frame& kept) { return kept.header.sequence != header.sequence; });
        Frame copy;
        copy.header = header;
        copy.body.append(frame.body.view());
        pending.rejects.push_back(std::move(copy));
        return {};
      }
      case FrameType::data:
      case FrameType::slice:
        return take_data(frame, pending);
      case FrameType::link:
      case FrameType::anchor:
        break;
      default:
        break;
    }
    if (!chosen_.contains(header.source, header.sequence)) return {};
    return out_.write_unchanged(header, frame.body.view());
  }

 private:
  struct Pending {
    std::optional<Frame> schema;
    std::vector<Frame> rejects;
  };

  Status take_data(const Frame& frame, Pending& pending) {
    if (!selection_.wants_data(frame.header, frame.body.view())) {
      pending.rejects.clear();
      return {};
    }
    if (pending.schema) {
      TWINCHAIN_TRY(out_.write_unchanged(pending.schema->header, pending.schema->body.view()));
      pending.schema.reset();
    }
    for (const Frame& reject : pending.rejects) {
      if (reject.header.sequence == frame.header.sequence) {
        TWINCHAIN_TRY(out_.write_unchanged(reject.header, reject.body.view()));
      }
    }
    pending.rejects.clear();
    chosen_.add(frame.header.source, frame.header.sequence);
    if (channels_.empty()) return out_.write_unchanged(frame.header, frame.body.view());
    return write_slice(frame);
  }

  Status write_slice(const Frame& frame) {
    const record::Schema* schema = schemas_.find(frame.header.source);
    if (schema == nullptr) {
      return fail(ExitCode::malformed, at_frame(frame) + "no SCHEMA frame before it");
    }
    std::vector<std::uint32_t> wanted;
    for (const std::string& name : channels_) {
      for (std::uint32_t i = 0; i < schema->channels.size(); ++i) {
        if (schema->channels[i].name == name) wanted.push_back(i);
      }
    }
    if (wanted.empty()) {
      return fail(ExitCode::usage,
                  "source " + escape(schema->source_name) + " has none of the channels asked for");
    }
    auto slice = make_slice(frame.header, frame.body.view(), wanted);
    if (!slice) {
      slice.error().message.insert(0, at_frame(frame));
      return pass(slice);
    }
    return out_.write_unchanged(slice->header, slice->body);
  }

  const record::Selection& selection_;
  const std::vector<std::string>& channels_;
  StreamWriter& out_;
  Schemas schemas_;
  std::map<Id128, Pending> pending_;
  record::SequenceSet chosen_;
};

}  // namespace

std::string describe_damage(const StreamEvent& event) {
  std::string text;
  if (event.header) {
    text += frame_type_name(event.header->type);
    text += " frame ";
    text += number(event.header->sequence);
    text += " (";
    text += window_text(*event.header);
    text += ") ";
  }
  text += "at byte ";
  text += number(event.offset);
  text += ": ";
  text += event.message;
  if (event.size_bytes > 0) {
    text += ", ";
    text += number(event.size_bytes);
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
    std::string line = number(frame.offset);
    line += ' ';
    line += number(frame.size_bytes());
    line += ' ';
    line += frame_type_name(header.type);
    line += ' ';
    line += schemas.name(header.source);
    line += ' ';
    line += number(header.sequence);
    line += ' ';
    line += window_text(header);
    if (data) {
      line += ' ';
      line += number(data->rows);
      line += " rows";
    }
    line += '\n';
    return out(line);
  });
}

Result<ExitCode> summarize_stream(StreamReader& in, bool json, const TextSink& out,
                                  const Complain& complain) {
  Schemas schemas;
  std::map<Id128, SourceSummary> sources;
  auto code = for_each_frame(in, complain, [&](Frame& frame) -> Status {
    if (frame.header.type == FrameType::schema) {
      if (auto status = schemas.learn(frame); !status) complain(status.error().message);
    }
    sources[frame.header.source].add(frame);
    return {};
  });
  if (!code) return code;
  JsonWriter writer;
  if (json) {
    writer.begin_object();
    writer.member("version", std::uint64_t{1}).key("sources").begin_array();
  }
  for (const auto& [id, summary] : sources) {
    if (json) {
      summary_json(writer, id, summary, schemas);
    } else {
      TWINCHAIN_TRY(out(summary_text(id, summary, schemas)));
    }
  }
  if (json) {
    writer.end_array().end_object();
    TWINCHAIN_TRY(out(writer.text() + "\n"));
  }
  return code;
}

Result<record::Schema> find_final_schema(StreamReader& in, const record::Selection& selection) {
  record::Schema final_schema;
  auto code = for_each_frame(
      in, [](const std::string&) {},
      [&](Frame& frame) -> Status {
        if (frame.header.type != FrameType::schema ||
            !selection.wants_source(frame.header.source)) {
          return {};
        }
        if (auto schema = record::parse_schema_frame(frame.header, frame.body.view())) {
          final_schema = std::move(*schema);
        }
        return {};
      });
  if (!code) return pass(code);
  return final_schema;
}

Result<ExitCode> cat_samples(StreamReader& in, const CatOptions& options,
                             const record::Schema* final_schema, const TextSink& out,
                             const Complain& complain) {
  Schemas schemas;
  std::optional<Id128> only_source;
  record::TextExport text(options.text);
  bool begun = false;
  std::size_t channels_begun = 0;
  std::string chunk;
  const bool csv = options.text.format == record::TextFormat::csv;
  auto code = for_each_frame(in, complain, [&](Frame& frame) -> Status {
    if (!options.selection.wants_source(frame.header.source)) return {};
    if (frame.header.type == FrameType::schema) return schemas.learn(frame);
    if (frame.header.type != FrameType::data && frame.header.type != FrameType::slice) return {};
    if (!options.selection.wants_data(frame.header, frame.body.view())) return {};
    const record::Schema* schema = schemas.find(frame.header.source);
    if (schema == nullptr) {
      return fail(ExitCode::malformed, at_frame(frame) + "no SCHEMA frame before it");
    }
    if (csv && only_source && *only_source != frame.header.source) {
      return fail(ExitCode::usage, "more than one source in the stream",
                  "choose one with --source, or use --format ndjson");
    }
    const bool grown = schema->channels.size() > channels_begun && final_schema == nullptr &&
                       options.text.channels.empty();
    if (!begun || only_source != frame.header.source || grown) {
      if (csv && begun) {
        return fail(ExitCode::usage, at_frame(frame) + "a channel appears that the header lacks",
                    "name --channel, read from a file, or use --format ndjson");
      }
      only_source = frame.header.source;
      const record::Schema& names = csv && final_schema != nullptr ? *final_schema : *schema;
      TWINCHAIN_TRY(text.begin(names, chunk));
      begun = true;
      channels_begun = names.channels.size();
    }
    auto window = read_window(frame, *schema);
    if (!window) {
      window.error().message.insert(0, at_frame(frame));
      return pass(window);
    }
    TWINCHAIN_TRY(text.append(*window, *schema, chunk));
    if (chunk.size() >= text_chunk_bytes) {
      TWINCHAIN_TRY(out(chunk));
      chunk.clear();
    }
    return {};
  });
  if (!chunk.empty()) TWINCHAIN_TRY(out(chunk));
  if (text.lossy_values() > 0) {
    complain(number(text.lossy_values()) + " values that JSON cannot say were written as null");
  }
  return code;
}

Result<ExitCode> cat_rejects(StreamReader& in, const record::Selection& selection,
                             const TextSink& out, const Complain& complain) {
  return for_each_frame(in, complain, [&](Frame& frame) -> Status {
    if (frame.header.type != FrameType::reject || !selection.wants_data(frame.header, {}))
      return {};
    auto rejects = record::parse_reject_body(frame.body.view());
    if (!rejects) {
      rejects.error().message.insert(0, at_frame(frame));
      return pass(rejects);
    }
    for (const record::Reject& reject : *rejects) {
      JsonWriter json;
      json.begin_object();
      json.member("sequence", frame.header.sequence).member("line", reject.line);
      json.member("arrival", std::string_view(format_time_ns(reject.arrival_ns)));
      json.member("reason", std::string_view(reject.reason));
      json.member("text", std::string_view(reject.text));
      json.member("hex", std::string_view(to_hex(as_bytes(reject.text))));
      json.end_object();
      TWINCHAIN_TRY(out(json.text() + "\n"));
    }
    return {};
  });
}

Result<ExitCode> cut_stream(StreamReader& in, const record::Selection& selection,
                            const std::vector<std::string>& channels, StreamWriter& out,
                            const Complain& complain) {
  Cutter cutter(selection, channels, out);
  auto code = for_each_frame(in, complain, [&](Frame& frame) { return cutter.take(frame); });
  if (code && *code == ExitCode::success) TWINCHAIN_TRY(out.finish());
  return code;
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
