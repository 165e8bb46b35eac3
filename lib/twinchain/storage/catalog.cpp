#include "twinchain/storage/catalog.hpp"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::storage {
namespace {

/// How long gc may take to bring the index in line with a segment it has replaced.
constexpr int gc_wait_steps = 100;
constexpr int gc_wait_step_ms = 100;

template <class T>
void keep_smaller(std::optional<T>& kept, const std::optional<T>& other) {
  if (other && (!kept || *other < *kept)) kept = other;
}

}  // namespace

Catalog::Catalog(Fs& fs, Layout layout)
    : fs_(fs), layout_(std::move(layout)), fetcher_(fs, layout_) {}

Catalog::~Catalog() {
  index_.reset();
  if (temporary_index_.empty()) return;
  (void)Index::wipe(temporary_index_);
  (void)::rmdir(temporary_index_.c_str());
}

Result<std::unique_ptr<Catalog>> Catalog::open(Fs& fs, const std::string& folder,
                                               const CatalogOptions& options, const Notes& notes) {
  std::unique_ptr<Catalog> catalog(new Catalog(fs, Layout{folder, options.other_index_folder}));
  auto usable = catalog->use_index(options);
  if (!usable) return pass(usable);
  if (*usable) return catalog;
  if (catalog->mend_index(notes)) {
    usable = catalog->use_index(options);
    if (!usable) return pass(usable);
    if (*usable) return catalog;
  }
  TWINCHAIN_TRY(catalog->make_temporary_index(options, notes));
  return catalog;
}

/// False when the index is missing, damaged, not of these segments or far behind them.
Result<bool> Catalog::use_index(const CatalogOptions& options) {
  index_.reset();
  tail_.clear();
  tail_blocks_.clear();
  // Before the folder is listed, so that a store that is no store is told first.
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  auto index = Index::open(layout_.index_folder(), Index::Access::read);
  if (!index) return false;  // also when it may not be read: a temporary one will do
  index_ = std::move(*index);
  TWINCHAIN_TRY(index_->hold_snapshot(true));
  auto records = index_->segments();
  if (!records && records.error().code == ExitCode::malformed) return false;
  if (!records) return pass(records);
  // Listed after the snapshot: what the snapshot lacks is then in the files.
  files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  files_ = std::move(*files);
  std::map<std::uint32_t, std::uint64_t> indexed_to;
  bool shrinking = false;
  for (const SegmentRecord& record : *records) {
    indexed_to[record.number] = record.indexed_to;
    shrinking = shrinking || record.shrinking;
    const auto file = std::ranges::find(files_, record.number, &SegmentFile::number);
    if (record.shrinking) continue;
    if (file == files_.end() || file->size_bytes < record.indexed_to) return false;
  }
  // A gc that was interrupted has left it to the next one who may write.
  if (shrinking && fs_.lock(layout_.gc_lock_path())) return false;
  std::uint64_t behind = 0;
  for (const SegmentFile& file : files_) {
    behind += file.size_bytes - std::min(file.size_bytes, indexed_to[file.number]);
  }
  if (behind > options.tail_bytes) return false;
  for (const SegmentFile& file : files_) {
    if (indexed_to[file.number] >= file.size_bytes) continue;
    auto status = load_tail(file, indexed_to[file.number]);
    if (!status && status.error().code == ExitCode::malformed) return false;
    if (!status) return pass(Result<bool>(std::unexpected(status.error())));
    if (tail_.size() > options.tail_frames) return false;
  }
  return true;
}

Status Catalog::mend_index(const Notes& notes) {
  index_.reset();
  auto lock = fs_.lock(layout_.lock_path());
  if (!lock) return pass(lock);
  auto gc_lock = fs_.lock(layout_.gc_lock_path());
  auto index = open_or_remake_index(layout_, notes);
  if (!index) return pass(index);
  auto caught_up = catch_up(fs_, layout_, **index,
                            {.may_cut = false, .gc_at_work = !gc_lock.has_value()}, notes);
  if (!caught_up) return pass(caught_up);
  return {};
}

Status Catalog::make_temporary_index(const CatalogOptions& options, const Notes& notes) {
  index_.reset();
  tail_.clear();
  tail_blocks_.clear();
  std::string folder = options.temporary_folder;
  if (folder.empty()) {
    const char* configured = std::getenv("TMPDIR");
    folder = configured != nullptr && *configured != 0 ? configured : "/tmp";
  }
  std::string pattern = folder + "/twinchain-index-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return std::unexpected(errno_error("cannot make a folder in " + escape(folder, 400), errno));
  }
  temporary_index_ = pattern;
  notes("the index cannot be used or brought up to date: making one in " +
        escape(temporary_index_, 400) + " for this run");
  auto index = Index::open(temporary_index_, Index::Access::write);
  if (!index) return pass(index);
  index_ = std::move(*index);
  auto caught_up = catch_up(fs_, layout_, *index_, {}, notes);
  if (!caught_up) return pass(caught_up);
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  files_ = std::move(*files);
  return {};
}

Status Catalog::load_tail(const SegmentFile& file, std::uint64_t from) {
  auto scanner =
      SegmentScanner::open(fs_, layout_.segment_path(file.number), from, file.size_bytes);
  if (!scanner) return pass(scanner);
  while (true) {
    auto event = (*scanner)->next();
    if (!event) return pass(event);
    if (event->kind == StreamEventKind::finished) return {};
    // Damage here is mostly a frame that is being written.
    if (event->kind != StreamEventKind::frame) continue;
    TWINCHAIN_TRY(add_to_tail(event->frame, file.number));
    (*scanner)->recycle(std::move(event->frame.body));
  }
}

Status Catalog::add_to_tail(const Frame& frame, std::uint32_t segment) {
  FrameEntry entry = describe_frame(frame.header, frame.body.view(), segment, frame.offset);
  const bool single = frame.header.type == FrameType::data || frame.header.type == FrameType::link;
  // The ordinal that the writer gives it, too.
  FrameKey highest = entry.key;
  highest.ordinal = UINT32_MAX;
  auto there = last_at_most(highest);
  if (!there) return pass(there);
  const bool known = *there && (*there)->key.sequence == entry.key.sequence;
  if (known && !single) entry.key.ordinal = (*there)->key.ordinal + 1;
  tail_[entry.key] = entry;
  if (!known || !single) {
    tail_blocks_[{entry.key.source, Block::number_of(entry.key.sequence)}].add(entry);
  }
  return {};
}

Result<std::optional<FrameEntry>> Catalog::find(const FrameKey& key) {
  if (const auto found = tail_.find(key); found != tail_.end()) return std::optional(found->second);
  return index_->find(key);
}

Result<std::vector<FrameEntry>> Catalog::entries(const FrameKey& first, const FrameKey& last,
                                                 std::size_t limit) {
  auto indexed = index_->entries(first, last, limit);
  if (!indexed || tail_.empty()) return indexed;
  std::vector<FrameEntry> merged;
  auto next = indexed->begin();
  auto tail = tail_.lower_bound(first);
  while (merged.size() < limit) {
    const bool has_tail = tail != tail_.end() && tail->first <= last;
    if (next == indexed->end() && !has_tail) break;
    if (has_tail && (next == indexed->end() || tail->first <= next->key)) {
      if (next != indexed->end() && next->key == tail->first) ++next;
      merged.push_back(tail->second);
      ++tail;
    } else {
      merged.push_back(*next);
      ++next;
    }
  }
  return merged;
}

Result<std::optional<FrameEntry>> Catalog::last_at_most(const FrameKey& key) {
  auto found = index_->last_at_most(key);
  if (!found) return found;
  auto tail = tail_.upper_bound(key);
  if (tail == tail_.begin()) return found;
  --tail;
  const FrameEntry& entry = tail->second;
  if (entry.key.source != key.source || entry.key.type != key.type) return found;
  if (!*found || (*found)->key <= entry.key) return std::optional(entry);
  return found;
}

Result<std::optional<FrameType>> Catalog::next_type(const Id128& source, FrameType type) {
  auto found = index_->next_type(source, type);
  if (!found) return found;
  const auto tail = tail_.lower_bound({source, type, 0, 0});
  if (tail != tail_.end() && tail->first.source == source) {
    keep_smaller(*found, std::optional(tail->first.type));
  }
  return found;
}

Result<std::optional<NumberedBlock>> Catalog::next_block(const Id128& source,
                                                         std::uint64_t number) {
  auto found = index_->next_block(source, number);
  if (!found) return found;
  const auto tail = tail_blocks_.lower_bound({source, number});
  if (tail == tail_blocks_.end() || tail->first.first != source) return found;
  const std::uint64_t tail_number = tail->first.second;
  if (!*found || tail_number < (*found)->number) {
    return std::optional(NumberedBlock{tail_number, tail->second});
  }
  if (tail_number == (*found)->number) (*found)->block.add(tail->second);
  return found;
}

Result<std::optional<Id128>> Catalog::next_source(const std::optional<Id128>& after) {
  auto found = index_->next_source(after);
  if (!found) return found;
  const auto tail = after ? tail_blocks_.upper_bound({*after, UINT64_MAX}) : tail_blocks_.begin();
  if (tail != tail_blocks_.end()) keep_smaller(*found, std::optional(tail->first.first));
  return found;
}

Result<std::optional<Frame>> Catalog::fetch(const FrameEntry& entry) {
  FrameEntry wanted = entry;
  for (int step = 0;; ++step) {
    auto frame = fetcher_.fetch(wanted);
    if (frame) return std::optional(std::move(*frame));
    // Has gc replaced the segment meanwhile?
    fetcher_.forget();
    TWINCHAIN_TRY(follow());
    auto now = find(wanted.key);
    if (!now) return pass(now);
    if (!*now) return std::optional<Frame>{};
    auto record = index_->segment(wanted.segment);
    if (!record) return pass(record);
    const bool moved = **now != wanted;
    const bool moving = *record && (*record)->shrinking;
    wanted = **now;
    if (step >= gc_wait_steps || (!moved && !moving && step > 0)) return pass(frame);
    if (moving && !moved) ::poll(nullptr, 0, gc_wait_step_ms);
  }
}

}  // namespace twinchain::storage
