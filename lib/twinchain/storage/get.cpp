#include "twinchain/storage/get.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t entries_at_once = 64;
constexpr std::size_t max_types = 64;

/// The entries of one type of a source, in order.
class TypeCursor {
 public:
  TypeCursor(Catalog& catalog, const Id128& source, FrameType type)
      : catalog_(&catalog), next_{source, type, 0, 0} {}

  [[nodiscard]] FrameType type() const { return next_.type; }

  /// Goes on to the first entry at or after a sequence; never back.
  Status seek(std::uint64_t sequence) {
    while (at_ < entries_.size() && entries_[at_].key.sequence < sequence) ++at_;
    if (at_ < entries_.size() || ended_) return {};
    if (next_.sequence < sequence) {
      next_.sequence = sequence;
      next_.ordinal = 0;
    }
    return load();
  }
  /// nullptr at the end.
  [[nodiscard]] const FrameEntry* peek() const {
    return at_ < entries_.size() ? &entries_[at_] : nullptr;
  }
  Status advance() {
    ++at_;
    return at_ < entries_.size() || ended_ ? Status{} : load();
  }

 private:
  Status load() {
    auto found = catalog_->entries(next_, {next_.source, next_.type, UINT64_MAX, UINT32_MAX},
                                   entries_at_once);
    if (!found) return pass(found);
    entries_ = std::move(*found);
    at_ = 0;
    ended_ = entries_.size() < entries_at_once;
    if (entries_.empty()) return {};
    next_ = entries_.back().key;
    if (++next_.ordinal == 0) ++next_.sequence;
    return {};
  }

  Catalog* catalog_;
  FrameKey next_;
  std::vector<FrameEntry> entries_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

/// Order of the types of one number in the output.
int rank(FrameType type) {
  switch (type) {
    case FrameType::schema:
      return 0;
    case FrameType::reject:
      return 1;
    case FrameType::data:
      return 2;
    case FrameType::slice:
      return 3;
    case FrameType::link:
      return 4;
    case FrameType::anchor:
      return 5;
    default:
      return 6;
  }
}

class Getter {
 public:
  Getter(Catalog& catalog, const GetRequest& request, StreamWriter& output, const ErrorSink& error)
      : catalog_(catalog), request_(request), output_(output), error_(error) {}

  Status source(const Id128& id);
  [[nodiscard]] const GetResult& result() const { return result_; }

 private:
  Status begin_source(const Id128& id);
  Status block(std::uint64_t number);
  Status number(std::uint64_t sequence);
  [[nodiscard]] bool is_chosen(std::uint64_t sequence) const;
  [[nodiscard]] bool wants(FrameType type) const;
  Result<std::optional<Frame>> fetch(const FrameEntry& entry);
  Status emit(const FrameEntry& entry);
  Status emit_data(const Frame& frame);
  Status provide_schema(const Frame& data);
  Result<std::optional<Frame>> find_schema(const Hash256& digest, std::uint64_t sequence);
  Status use_schema(const Frame& frame);
  void damaged(const Error& error);

  Catalog& catalog_;
  const GetRequest& request_;
  StreamWriter& output_;
  const ErrorSink& error_;
  GetResult result_;
  // Of the current source:
  Id128 id_{};
  std::vector<TypeCursor> cursors_;
  bool data_announced_ = false;           ///< the schema of the number's DATA has been provided
  std::optional<Hash256> schema_digest_;  ///< of the SCHEMA frame that was written last
  std::vector<std::uint32_t> channels_;   ///< indices of the request's channels in it
};

void Getter::damaged(const Error& error) {
  ++result_.damaged_frames;
  error_(error);
}

bool Getter::wants(FrameType type) const {
  if (type == FrameType::reject && !request_.channels.empty()) return false;
  return request_.types.empty() || request_.types.contains(type);
}

Status Getter::begin_source(const Id128& id) {
  id_ = id;
  schema_digest_.reset();
  channels_.clear();
  cursors_.clear();
  auto type = catalog_.next_type(id, FrameType{0});
  while (type && *type) {
    if (cursors_.size() >= max_types) {
      return fail(ExitCode::malformed, "source " + to_hex(id) + " has frames of more than " +
                                           decimal(std::uint64_t{max_types}) + " types");
    }
    cursors_.emplace_back(catalog_, id, **type);
    if (**type == FrameType{UINT16_MAX}) break;
    type = catalog_.next_type(
        id, FrameType{static_cast<std::uint16_t>(static_cast<std::uint16_t>(**type) + 1)});
  }
  if (!type) return pass(type);
  std::ranges::sort(cursors_, {}, [](const TypeCursor& c) {
    return std::pair(rank(c.type()), c.type());  // unknown types share a rank
  });
  if (request_.channels.empty()) return {};
  // Channels are only ever added, so the newest schema knows all of them.
  auto newest = catalog_.last_at_most({id, FrameType::schema, UINT64_MAX, UINT32_MAX});
  if (!newest) return pass(newest);
  if (!*newest) return {};
  auto frame = catalog_.fetch(**newest);
  if (!frame || !*frame) return {};  // said when its data is met
  const auto schema = record::parse_schema((*frame)->body.view());
  if (!schema) return {};
  for (const std::string& name : request_.channels) {
    if (std::ranges::find(schema->channels, name, &record::Channel::name) !=
        schema->channels.end()) {
      continue;
    }
    return fail(ExitCode::usage,
                "source " + escape(schema->source_name) + " has no channel " + escape(name));
  }
  return {};
}

Status Getter::source(const Id128& id) {
  TWINCHAIN_TRY(begin_source(id));
  std::uint64_t at = Block::number_of(request_.first_sequence);
  const std::uint64_t last = Block::number_of(request_.last_sequence);
  while (at <= last) {
    auto found = catalog_.next_block(id, at);
    if (!found) return pass(found);
    if (!*found || (*found)->number > last) break;
    if ((*found)->block.overlaps(request_.range)) TWINCHAIN_TRY(block((*found)->number));
    if ((*found)->number == UINT64_MAX) break;
    at = (*found)->number + 1;
  }
  return {};
}

Status Getter::block(std::uint64_t number_of_block) {
  const std::uint64_t first = number_of_block * Block::sequences;
  const std::uint64_t end_of_block = first + (Block::sequences - 1);
  const std::uint64_t last = std::min(request_.last_sequence, end_of_block);
  std::uint64_t at = std::max(request_.first_sequence, first);
  while (at <= last) {
    std::optional<std::uint64_t> next;
    for (TypeCursor& cursor : cursors_) {
      TWINCHAIN_TRY(cursor.seek(at));
      const FrameEntry* entry = cursor.peek();
      if (entry != nullptr) next = std::min(next.value_or(UINT64_MAX), entry->key.sequence);
    }
    if (!next || *next > last) return {};
    TWINCHAIN_TRY(number(*next));
    if (*next == UINT64_MAX) return {};
    at = *next + 1;
  }
  return {};
}

bool Getter::is_chosen(std::uint64_t sequence) const {
  return std::ranges::any_of(cursors_, [&](const TypeCursor& cursor) {
    const FrameEntry* entry = cursor.peek();
    if (entry == nullptr || entry->key.sequence != sequence) return false;
    return request_.range.overlaps_window(entry->window_start_ns, entry->window_end_ns) ||
           (entry->has_events &&
            request_.range.overlaps_events(entry->first_event_ns, entry->last_event_ns));
  });
}

Status Getter::number(std::uint64_t sequence) {
  if (!is_chosen(sequence)) return {};
  // The data is read first, because its schema comes before its rejects.
  std::optional<Frame> data;
  for (TypeCursor& cursor : cursors_) {
    const FrameEntry* entry = cursor.peek();
    if (cursor.type() != FrameType::data || !wants(cursor.type()) || entry == nullptr ||
        entry->key.sequence != sequence) {
      continue;
    }
    auto frame = fetch(*entry);
    if (!frame) return pass(frame);
    data = std::move(*frame);
  }
  for (TypeCursor& cursor : cursors_) {
    if (rank(cursor.type()) > rank(FrameType::schema) && data && !data_announced_) {
      data_announced_ = true;
      TWINCHAIN_TRY(provide_schema(*data));
    }
    if (!wants(cursor.type())) continue;
    while (const FrameEntry* entry = cursor.peek()) {
      if (entry->key.sequence != sequence) break;
      if (cursor.type() != FrameType::data) {
        TWINCHAIN_TRY(emit(*entry));
      } else if (data) {
        TWINCHAIN_TRY(emit_data(*data));
      }
      TWINCHAIN_TRY(cursor.advance());
    }
  }
  data_announced_ = false;
  if (data) catalog_.fetcher().recycle(std::move(data->body));
  return {};
}

/// Nothing when the frame is damaged, which has been reported, or dropped by gc.
Result<std::optional<Frame>> Getter::fetch(const FrameEntry& entry) {
  auto frame = catalog_.fetch(entry);
  if (frame || frame.error().code != ExitCode::malformed) return frame;
  damaged(frame.error());
  return std::optional<Frame>{};
}

Status Getter::emit(const FrameEntry& entry) {
  auto fetched = fetch(entry);
  if (!fetched) return pass(fetched);
  if (!*fetched) return {};
  Frame& frame = **fetched;
  if (entry.key.type == FrameType::slice) {
    TWINCHAIN_TRY(provide_schema(frame));
    TWINCHAIN_TRY(emit_data(frame));
  } else {
    if (entry.key.type == FrameType::schema) TWINCHAIN_TRY(use_schema(frame));
    ++result_.frames;
    TWINCHAIN_TRY(output_.write_unchanged(frame.header, frame.body.view()));
  }
  catalog_.fetcher().recycle(std::move(frame.body));
  return {};
}

Status Getter::emit_data(const Frame& frame) {
  if (request_.channels.empty() && !request_.slices) {
    ++result_.frames;
    return output_.write_unchanged(frame.header, frame.body.view());
  }
  auto slice = chain::make_slice(frame.header, frame.body.view(), channels_);
  if (!slice) {
    if (slice.error().code != ExitCode::malformed) return pass(slice);
    damaged({ExitCode::malformed,
             "DATA frame " + decimal(frame.header.sequence) + ": " + slice.error().message,
             {}});
    return {};
  }
  ++result_.frames;
  return output_.write_unchanged(slice->header, slice->body);
}

/// Writes the SCHEMA that a DATA or SLICE frame names, unless it was the last one written.
Status Getter::provide_schema(const Frame& data) {
  Hash256 digest{};
  if (data.header.type == FrameType::data) {
    auto header = record::check_data_frame(data.header, data.body.view());
    if (!header) return {};  // verify's business; nothing says which schema it has
    digest = header->schema_digest;
  } else {
    auto content = chain::check_slice(data.header, data.body.view());
    if (!content) return {};
    digest = content->header.schema_digest;
  }
  if (schema_digest_ == digest) return {};
  auto schema = find_schema(digest, data.header.sequence);
  if (!schema) return pass(schema);
  if (!*schema) {
    ++result_.missing_schemas;
    error_({ExitCode::loss,
            "the SCHEMA frame of " + frame_type_name(data.header.type) + " frame " +
                decimal(data.header.sequence) + " is not in the store",
            {}});
    channels_.clear();
    schema_digest_ = digest;  // said once
    return {};
  }
  TWINCHAIN_TRY(use_schema(**schema));
  ++result_.frames;
  return output_.write_unchanged((*schema)->header, (*schema)->body.view());
}

Result<std::optional<Frame>> Getter::find_schema(const Hash256& digest, std::uint64_t sequence) {
  FrameKey at{id_, FrameType::schema, sequence, UINT32_MAX};
  while (true) {
    auto entry = catalog_.last_at_most(at);
    if (!entry) return pass(entry);
    if (!*entry) return std::optional<Frame>{};
    auto frame = catalog_.fetch(**entry);
    if (!frame && frame.error().code != ExitCode::malformed) return pass(frame);
    if (frame && *frame && frame_digest((*frame)->header, (*frame)->body.view()) == digest) {
      return frame;
    }
    at = (*entry)->key;
    if (at.ordinal > 0) {
      --at.ordinal;
    } else if (at.sequence > 0) {
      --at.sequence;
      at.ordinal = UINT32_MAX;
    } else {
      return std::optional<Frame>{};
    }
  }
}

Status Getter::use_schema(const Frame& frame) {
  schema_digest_ = frame_digest(frame.header, frame.body.view());
  channels_.clear();
  if (request_.channels.empty() && !request_.slices) return {};
  const auto schema = record::parse_schema(frame.body.view());
  if (!schema) return {};
  for (std::uint32_t i = 0; i < schema->channels.size(); ++i) {
    const bool is_wanted =
        request_.channels.empty() ||
        std::ranges::find(request_.channels, schema->channels[i].name) != request_.channels.end();
    if (is_wanted) channels_.push_back(i);
  }
  return {};
}

}  // namespace

Result<GetResult> get_source(Catalog& catalog, const Id128& source, const GetRequest& request,
                             StreamWriter& output, const ErrorSink& error) {
  TWINCHAIN_TRY(catalog.follow());
  TWINCHAIN_TRY(output.start());
  Getter getter(catalog, request, output, error);
  TWINCHAIN_TRY(getter.source(source));
  return getter.result();
}

Result<GetResult> get_frames(Catalog& catalog, const GetRequest& request, StreamWriter& output,
                             const ErrorSink& error) {
  TWINCHAIN_TRY(catalog.follow());
  TWINCHAIN_TRY(output.start());
  Getter getter(catalog, request, output, error);
  if (request.source) {
    TWINCHAIN_TRY(getter.source(*request.source));
  } else {
    auto source = catalog.next_source(std::nullopt);
    while (source && *source) {
      TWINCHAIN_TRY(getter.source(**source));
      source = catalog.next_source(*source);
    }
    if (!source) return pass(source);
  }
  const GetResult& result = getter.result();
  if (result.damaged_frames == 0 && result.missing_schemas == 0) TWINCHAIN_TRY(output.finish());
  return result;
}

Result<GetResult> export_frames(Fs& fs, Catalog& catalog, StreamWriter& output,
                                const ErrorSink& error,
                                const std::function<void(std::uint64_t)>& progress) {
  TWINCHAIN_TRY(catalog.follow());
  TWINCHAIN_TRY(output.start());
  GetResult result;
  std::uint64_t done = 0;
  for (const SegmentFile& file : catalog.files()) {
    auto scanner =
        SegmentScanner::open(fs, catalog.layout().segment_path(file.number), 0, file.size_bytes);
    if (!scanner) return pass(scanner);
    const bool is_last = &file == &catalog.files().back();
    while (true) {
      auto event = (*scanner)->next();
      if (!event) return pass(event);
      if (event->kind == StreamEventKind::finished) break;
      if (event->kind == StreamEventKind::truncated && is_last) continue;  // being written
      if (event->kind == StreamEventKind::damage || event->kind == StreamEventKind::truncated) {
        ++result.damaged_frames;
        error({ExitCode::malformed,
               place(file.number, event->offset) + ": " + event->message + ", " +
                   decimal(event->size_bytes) + " bytes left out",
               {}});
        continue;
      }
      if (event->kind != StreamEventKind::frame) continue;
      Frame& frame = event->frame;
      auto placing = place_frame(catalog.index(), catalog.fetcher(), frame.header,
                                 frame.body.view(), file.number, frame.offset);
      if (!placing) return pass(placing);
      const bool elsewhere =
          placing->novelty == Novelty::duplicate &&
          (placing->entry.segment != file.number || placing->entry.offset != frame.offset);
      if (!elsewhere) {
        ++result.frames;
        TWINCHAIN_TRY(output.write_unchanged(frame.header, frame.body.view()));
      }
      (*scanner)->recycle(std::move(frame.body));
      if (progress) progress(done + event->offset);
    }
    done += file.size_bytes;
  }
  if (result.damaged_frames == 0) TWINCHAIN_TRY(output.finish());
  return result;
}

}  // namespace twinchain::storage
