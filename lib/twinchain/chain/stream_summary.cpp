// frames info.
#include <algorithm>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/chain/stream_tools_common.hpp"

namespace twinchain::chain {
namespace {

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
    line("frames", decimal(summary.first_sequence) + " to " + decimal(summary.last_sequence) +
                       " (" + decimal(summary.data_frames) + " with data)");
    line("windows",
         format_time_ns(summary.window_start_ns) + " to " + format_time_ns(summary.window_end_ns));
    line("rows", decimal(summary.rows));
    line("samples", decimal(summary.samples));
  }
  std::string types;
  for (const auto& [type, count] : summary.frames) {
    if (!types.empty()) types += ", ";
    types += decimal(count);
    types += ' ';
    types += frame_type_name(type);
  }
  line("types", types);
  line("bytes", decimal(summary.size_bytes));
  if (summary.late + summary.duplicate + summary.out_of_order + summary.rejected > 0) {
    line("counted", decimal(summary.late) + " late, " + decimal(summary.duplicate) +
                        " duplicate, " + decimal(summary.out_of_order) + " out of order, " +
                        decimal(summary.rejected) + " rejected");
  }
  if (summary.head)
    line("head", "link " + decimal(summary.head_number) + " " + to_hex(*summary.head));
  if (const record::Schema* schema = schemas.find(id)) {
    if (!schema->time_note.empty()) line("time", escape(schema->time_note));
    line("channels", decimal(schema->channels.size()));
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

}  // namespace

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

}  // namespace twinchain::chain
