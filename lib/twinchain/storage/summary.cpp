#include "twinchain/storage/summary.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::storage {
namespace {

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::uint64_t whole = bytes;
  std::uint64_t tenths = 0;
  while (whole >= 1024 && unit + 1 < units.size()) {
    tenths = whole % 1024 * 10 / 1024;
    whole /= 1024;
    ++unit;
  }
  std::string text = decimal(whole);
  if (unit > 0) {
    text += '.';
    text += decimal(tenths);
  }
  text += ' ';
  text += units[unit];
  return text;
}

std::string optional_number(const std::optional<std::uint64_t>& number) {
  return number ? decimal(*number) : "-";
}

/// Left-aligned columns, two spaces apart.
std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

Result<std::string> source_name(Catalog& catalog, const Id128& id) {
  auto newest = catalog.last_at_most({id, FrameType::schema, UINT64_MAX, UINT32_MAX});
  if (!newest) return pass(newest);
  if (!*newest) return std::string{};
  auto frame = catalog.fetcher().fetch(**newest);
  if (!frame) return std::string{};  // fsck says what is wrong with it
  auto schema = record::parse_schema_frame(frame->header, frame->body.view());
  return schema ? schema->source_name : std::string{};
}

Result<std::optional<std::uint64_t>> last_number(Catalog& catalog, const Id128& id,
                                                 FrameType type) {
  auto last = catalog.last_at_most({id, type, UINT64_MAX, UINT32_MAX});
  if (!last) return pass(last);
  std::optional<std::uint64_t> number;
  if (*last) number = (*last)->key.sequence;
  return number;
}

Result<SourceSummary> summarize(Catalog& catalog, const Id128& id, const SourceNumbers& dropped) {
  SourceSummary summary;
  summary.id = id;
  std::uint64_t lost_in_range = 0;
  for (std::uint64_t number = 0;;) {
    auto block = catalog.next_block(id, number);
    if (!block) return pass(block);
    if (!*block) break;
    summary.sums.add((*block)->block);
    if ((*block)->block.data_frames > 0) lost_in_range += (*block)->block.lost_windows;
    if ((*block)->number == UINT64_MAX) break;
    number = (*block)->number + 1;
  }
  auto name = source_name(catalog, id);
  if (!name) return pass(name);
  summary.name = std::move(*name);
  auto first = catalog.entries({id, FrameType::data, 0, 0},
                               {id, FrameType::data, UINT64_MAX, UINT32_MAX}, 1);
  if (!first) return pass(first);
  if (!first->empty()) summary.first_data = first->front().key.sequence;
  for (const auto& [type, into] : {std::pair{FrameType::data, &summary.last_data},
                                   std::pair{FrameType::link, &summary.last_link},
                                   std::pair{FrameType::anchor, &summary.last_anchored}}) {
    auto number = last_number(catalog, id, type);
    if (!number) return pass(number);
    *into = *number;
  }
  if (summary.first_data && summary.last_data) {
    const std::uint64_t span = *summary.last_data - *summary.first_data + 1;
    const std::uint64_t there = summary.sums.data_frames + lost_in_range;
    summary.missing_data = span - std::min(span, there);
  }
  if (summary.last_link) {
    auto entry = catalog.find({id, FrameType::link, *summary.last_link, 0});
    if (!entry) return pass(entry);
    if (*entry) {
      if (auto frame = catalog.fetcher().fetch(**entry)) {
        const auto link = chain::parse_link_frame(frame->header, frame->body.view());
        if (link) summary.head = chain::link_hash(link->link);
      }
    }
  }
  if (const auto found = dropped.find(id); found != dropped.end()) {
    summary.dropped_below = found->second;
  }
  return summary;
}

std::string shown_name(const SourceSummary& source) {
  return source.name.empty() ? to_hex(source.id) : escape(source.name);
}

std::string shown_range(const SourceSummary& source) {
  if (!source.first_data) return "-";
  return decimal(*source.first_data) + ".." + decimal(*source.last_data);
}

void add_counts(JsonWriter& json, const Block& sums) {
  json.member("data_frames", sums.data_frames);
  json.member("link_frames", sums.link_frames);
  json.member("anchor_frames", sums.anchor_frames);
  json.member("other_frames", sums.other_frames);
  json.member("size_bytes", sums.size_bytes);
}

void add_number(JsonWriter& json, const char* name, const std::optional<std::uint64_t>& number) {
  json.key(name);
  if (number) {
    json.value(*number);
  } else {
    json.null();
  }
}

void add_source(JsonWriter& json, const SourceSummary& source) {
  json.begin_object();
  json.member("source", std::string_view(source.name));
  json.member("source_id", std::string_view(to_hex(source.id)));
  add_number(json, "first_sequence", source.first_data);
  add_number(json, "last_sequence", source.last_data);
  json.member("missing_frames", source.missing_data);
  json.member("dropped_below", source.dropped_below);
  json.member("from", std::string_view(format_time_ns(source.sums.window_start_ns)));
  json.member("to", std::string_view(format_time_ns(source.sums.window_end_ns)));
  json.key("first_event");
  source.sums.has_events ? json.value(format_time_ns(source.sums.first_event_ns)) : json.null();
  json.key("last_event");
  source.sums.has_events ? json.value(format_time_ns(source.sums.last_event_ns)) : json.null();
  add_counts(json, source.sums);
  add_number(json, "last_link", source.last_link);
  json.key("head_link_hash");
  source.head ? json.value(to_hex(*source.head)) : json.null();
  add_number(json, "last_anchored", source.last_anchored);
  json.end_object();
}

}  // namespace

Status summarize_sources(Fs& fs, Catalog& catalog,
                         const std::function<Status(const SourceSummary&)>& each) {
  auto dropped = read_dropped(fs, catalog.layout());
  if (!dropped) return pass(dropped);
  auto source = catalog.next_source(std::nullopt);
  while (source && *source) {
    auto summary = summarize(catalog, **source, *dropped);
    if (!summary) return pass(summary);
    TWINCHAIN_TRY(each(*summary));
    source = catalog.next_source(*source);
  }
  if (!source) return pass(source);
  return {};
}

Result<StoreSummary> summarize_store(Fs& fs, Catalog& catalog) {
  StoreSummary store;
  TWINCHAIN_TRY(summarize_sources(fs, catalog, [&store](const SourceSummary& source) -> Status {
    ++store.sources;
    store.sums.add(source.sums);
    return {};
  }));
  store.segments = catalog.files();
  for (const SegmentFile& file : store.segments) store.segment_bytes += file.size_bytes;
  auto index_bytes = catalog.index().size_bytes();
  if (!index_bytes) return pass(index_bytes);
  store.index_bytes = *index_bytes;
  store.unindexed_frames = catalog.tail_frames();
  return store;
}

Result<std::string> list_as_text(Fs& fs, Catalog& catalog) {
  std::vector<std::vector<std::string>> rows{
      {"SOURCE", "FRAMES", "FROM", "TO", "SIZE", "MISSING", "SEALED", "ANCHORED"}};
  TWINCHAIN_TRY(summarize_sources(fs, catalog, [&rows](const SourceSummary& source) -> Status {
    rows.push_back({shown_name(source), shown_range(source),
                    format_time_ns(source.sums.window_start_ns),
                    format_time_ns(source.sums.window_end_ns), format_size(source.sums.size_bytes),
                    decimal(source.missing_data), optional_number(source.last_link),
                    optional_number(source.last_anchored)});
    return {};
  }));
  return rows.size() == 1 ? std::string{} : align(rows);
}

Result<std::string> list_as_json(Fs& fs, Catalog& catalog) {
  JsonWriter json;
  json.begin_object().member("version", 1).key("sources").begin_array();
  TWINCHAIN_TRY(summarize_sources(fs, catalog, [&json](const SourceSummary& source) -> Status {
    add_source(json, source);
    return {};
  }));
  json.end_array().end_object();
  return json.text() + "\n";
}

Result<std::string> info_as_text(Fs& fs, Catalog& catalog) {
  auto store = summarize_store(fs, catalog);
  if (!store) return pass(store);
  std::vector<std::vector<std::string>> rows{
      {"store", escape(catalog.layout().folder, 400)},
      {"segments", decimal(std::uint64_t{store->segments.size()}) + " (" +
                       format_size(store->segment_bytes) + ")"},
      {"index", format_size(store->index_bytes) + ", " + decimal(store->unindexed_frames) +
                    " frames behind"},
      {"sources", decimal(store->sources)},
      {"data frames", decimal(store->sums.data_frames)},
      {"link frames", decimal(store->sums.link_frames)},
      {"anchor frames", decimal(store->sums.anchor_frames)},
      {"other frames", decimal(store->sums.other_frames)}};
  TWINCHAIN_TRY(summarize_sources(fs, catalog, [&rows](const SourceSummary& source) -> Status {
    rows.push_back({});
    rows.push_back({"source", shown_name(source)});
    rows.push_back({"source id", to_hex(source.id)});
    rows.push_back({"frames", shown_range(source)});
    rows.push_back({"missing", decimal(source.missing_data)});
    if (source.dropped_below > 0) {
      rows.push_back({"dropped", "data below " + decimal(source.dropped_below)});
    }
    rows.push_back({"time", format_time_ns(source.sums.window_start_ns) + " to " +
                                format_time_ns(source.sums.window_end_ns)});
    rows.push_back({"size", format_size(source.sums.size_bytes)});
    rows.push_back({"last link", optional_number(source.last_link)});
    rows.push_back({"head hash", source.head ? to_hex(*source.head) : "-"});
    rows.push_back({"anchored to", optional_number(source.last_anchored)});
    return {};
  }));
  return align(rows);
}

Result<std::string> info_as_json(Fs& fs, Catalog& catalog) {
  auto store = summarize_store(fs, catalog);
  if (!store) return pass(store);
  JsonWriter json;
  json.begin_object().member("version", 1);
  json.member("store", std::string_view(catalog.layout().folder));
  json.key("segments").begin_array();
  for (const SegmentFile& file : store->segments) {
    json.begin_object().member("name", std::string_view(segment_name(file.number)));
    json.member("size_bytes", file.size_bytes).end_object();
  }
  json.end_array();
  json.member("segment_bytes", store->segment_bytes);
  json.member("index_bytes", store->index_bytes);
  json.member("unindexed_frames", store->unindexed_frames);
  add_counts(json, store->sums);
  json.key("sources").begin_array();
  TWINCHAIN_TRY(summarize_sources(fs, catalog, [&json](const SourceSummary& source) -> Status {
    add_source(json, source);
    return {};
  }));
  json.end_array().end_object();
  return json.text() + "\n";
}

}  // namespace twinchain::storage
