// frames cat and rejects: samples and rejected rows as text.

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/chain/stream_tools_common.hpp"
#include "twinchain/record/column_reader.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t text_chunk_bytes = std::size_t{1} << 20;

}  // namespace

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
  std::optional<record::Schema> waiting;
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
    auto window = read_window(frame, *schema);
    if (!window) {
      window.error().message.insert(0, at_frame(frame));
      return pass(window);
    }
    // A recorder that has read no row yet knows no channels: the header waits for them.
    if (csv && !begun && final_schema == nullptr && schema->channels.empty() &&
        window->times_ns.empty()) {
      only_source = frame.header.source;
      waiting = *schema;
      return {};
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
      if (final_schema != nullptr) TWINCHAIN_TRY(text.check_channels(*final_schema));
      text.begin(names, chunk);
      begun = true;
      channels_begun = names.channels.size();
    }
    TWINCHAIN_TRY(text.append(*window, *schema, chunk));
    if (chunk.size() >= text_chunk_bytes) {
      TWINCHAIN_TRY(out(chunk));
      chunk.clear();
    }
    return {};
  });
  if (!begun && waiting) text.begin(*waiting, chunk);
  if (!chunk.empty()) TWINCHAIN_TRY(out(chunk));
  // Only now: a channel may be new in any frame. Damage may have hidden it, and is said first.
  if (const auto missing = text.missing_channel();
      (begun || waiting) && missing && code == ExitCode::success) {
    return fail(ExitCode::usage, "no source has a channel " + escape(*missing));
  }
  if (text.lossy_values() > 0) {
    complain(decimal(text.lossy_values()) + " values that JSON cannot say were written as null");
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

}  // namespace twinchain::chain
