#include "twinchain/net/outsourced_blocks.hpp"

#include <algorithm>
#include <chrono>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/block_parts.hpp"

namespace twinchain::net {
namespace {

constexpr std::string_view outsourced_magic = "TWOUTBL1";
constexpr std::size_t outsourced_preamble_size = 8 + 32;
constexpr std::size_t outsourced_record_size = 52;
constexpr std::size_t records_at_once = 1'000;
constexpr std::uint32_t record_added = 1;
constexpr std::uint32_t record_handed_out = 2;
constexpr std::string_view body_ending = ".block";
constexpr std::string_view temporary_ending = ".tmp";
/// The thread looks after so long whether a storage node is due again.
constexpr auto longest_pause = std::chrono::milliseconds(250);

/// The hash that a body's name states.
std::optional<Hash256> hash_in_name(std::string_view name) {
  const auto bytes = from_hex(std::string(name.substr(0, name.size() - body_ending.size())));
  if (!bytes || bytes->size() != 32) return std::nullopt;
  Hash256 hash{};
  std::reverse_copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

std::string block_in_words(const Hash256& hash) {
  return "block " + to_hex_reversed(hash);
}

}  // namespace

OutsourcedBlocks::OutsourcedBlocks(Fs& fs, std::string folder, const OutsourcedOptions& options,
                                   Clock& clock, std::unique_ptr<BlockTransport> transport)
    : fs_(fs),
      folder_(std::move(folder)),
      options_(options),
      clock_(clock),
      transport_(std::move(transport)),
      push_standing_(transport_->nodes()),
      fetch_standing_(transport_->nodes()) {}

OutsourcedBlocks::~OutsourcedBlocks() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  transport_->stop();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string OutsourcedBlocks::body_path(const Hash256& hash) const {
  std::string path = folder_ + "/" + to_hex_reversed(hash);
  path += body_ending;
  return path;
}

std::int64_t OutsourcedBlocks::now_ms() const {
  return static_cast<std::int64_t>(clock_.monotonic_ns() / 1'000'000);
}

void OutsourcedBlocks::note(const std::string& line) {
  const std::lock_guard guard(note_mutex_);
  if (options_.note) options_.note(line);
}

Result<std::unique_ptr<OutsourcedBlocks>> OutsourcedBlocks::open(
    Fs& fs, const std::string& folder, const ChainParameters& parameters,
    const OutsourcedOptions& options, Clock& clock, std::unique_ptr<BlockTransport> transport) {
  const std::size_t nodes = transport->nodes();
  if (nodes > 0 && (options.copies == 0 || options.copies > nodes)) {
    return fail(ExitCode::usage, decimal(options.copies) + " copies of each block at " +
                                     decimal(nodes) + " storage nodes");
  }
  std::unique_ptr<OutsourcedBlocks> blocks(
      new OutsourcedBlocks(fs, folder, options, clock, std::move(transport)));
  blocks->max_body_bytes_ = parameters.block_limit_bytes;
  TWINCHAIN_TRY(fs.make_folders(folder));
  auto lock = fs.lock(folder + "/lock");
  if (!lock) return pass(lock);
  blocks->lock_ = std::move(*lock);
  TWINCHAIN_TRY(blocks->start_log(parameters));
  TWINCHAIN_TRY(blocks->look_through_folder());
  if (!options.import_file.empty()) TWINCHAIN_TRY(blocks->import(options.import_file, parameters));
  return blocks;
}

/// Opens or makes the log, reads it, and cuts off what is torn.
Status OutsourcedBlocks::start_log(const ChainParameters& parameters) {
  const std::string path = folder_ + "/log";
  auto file = fs_.open(path, OpenMode::create);
  if (!file) return pass(file);
  log_ = std::move(*file);
  Bytes preamble;
  append(preamble, outsourced_magic);
  append(preamble, genesis_hash(parameters));
  Bytes found(preamble.size());
  auto read = log_->pread(found, 0);
  if (!read) return pass(read);
  if (*read == preamble.size()) {
    if (found != preamble) {
      return fail(ExitCode::usage, escape(path) + ": no log of this network's blocks");
    }
    return read_log();
  }
  // The first thing that is written here: an interrupted one has nothing behind it.
  TWINCHAIN_TRY(log_->truncate(0));
  const ByteView pieces[] = {preamble};
  TWINCHAIN_TRY(log_->append(pieces));
  TWINCHAIN_TRY(log_->sync());
  TWINCHAIN_TRY(fs_.sync_folder(folder_));
  log_end_ = preamble.size();
  return {};
}

Status OutsourcedBlocks::read_log() {
  auto size = log_->size_bytes();
  if (!size) return pass(size);
  Bytes chunk(records_at_once * outsourced_record_size);
  log_end_ = outsourced_preamble_size;
  bool sound = true;
  while (sound) {
    auto read = log_->pread(chunk, log_end_);
    if (!read) return pass(read);
    const std::size_t records = *read / outsourced_record_size;
    sound = records == records_at_once;
    for (std::size_t i = 0; i < records; ++i) {
      const ByteView record =
          ByteView(chunk).subspan(i * outsourced_record_size, outsourced_record_size);
      const auto kind = load_le<std::uint32_t>(record.data());
      const bool is_known = kind == record_added || kind == record_handed_out;
      if (!is_known || load_le<std::uint32_t>(&record[48]) != crc32c(record.first(48))) {
        sound = false;
        break;
      }
      take_record(record);
      log_end_ += outsourced_record_size;
    }
  }
  if (log_end_ == *size) return {};
  note("log of blocks: the last " + decimal(*size - log_end_) +
       " bytes were torn or damaged and are left out");
  TWINCHAIN_TRY(log_->truncate(log_end_));
  return log_->sync();
}

void OutsourcedBlocks::take_record(ByteView record) {
  ByteCursor cursor(record);
  const auto kind = cursor.read_le<std::uint32_t>();
  Entry entry;
  entry.crc = cursor.read_le<std::uint32_t>();
  entry.size_bytes = cursor.read_le<std::uint64_t>();
  entry.local = kind == record_added;
  const auto hash = cursor.read_array<32>();
  const auto [at, is_new] = entries_.insert_or_assign(hash, entry);
  if (is_new) order_.push_back(hash);
}

Status OutsourcedBlocks::append_log(std::uint32_t kind, const Hash256& hash, const Entry& entry) {
  if (log_failed_) return fail(ExitCode::system, "the log of blocks has failed before");
  Bytes record;
  append_le(record, kind);
  append_le(record, entry.crc);
  append_le(record, entry.size_bytes);
  append(record, hash);
  append_le(record, crc32c(record));
  const ByteView pieces[] = {record};
  Status written = log_->append(pieces);
  if (written) written = log_->sync();
  if (!written) {
    // Nothing half-written stays before the next record.
    if (!log_->truncate(log_end_)) log_failed_ = true;
    return written;
  }
  log_end_ += record.size();
  return {};
}

/// Makes the folder agree with the log, in both directions.
Status OutsourcedBlocks::look_through_folder() {
  auto names = fs_.list(folder_);
  if (!names) return pass(names);
  std::set<Hash256> here;
  std::vector<std::string> orphans;
  for (const std::string& name : *names) {
    if (name.ends_with(temporary_ending)) TWINCHAIN_TRY(fs_.remove(folder_ + "/" + name));
    if (!name.ends_with(body_ending)) continue;
    const auto hash = hash_in_name(name);
    if (!hash) continue;
    const auto found = entries_.find(*hash);
    if (found == entries_.end()) {
      orphans.push_back(name);
    } else if (found->second.local) {
      here.insert(*hash);
    } else {
      TWINCHAIN_TRY(fs_.remove(folder_ + "/" + name));
    }
  }
  std::vector<Hash256> order;
  for (const Hash256& hash : order_) {
    const Entry& entry = entries_.at(hash);
    if (entry.local && !here.contains(hash)) {
      note(block_in_words(hash) + ": its file is gone");
      entries_.erase(hash);
      continue;
    }
    order.push_back(hash);
    if (!entry.local) continue;
    local_.push_back(hash);
    local_bytes_ += entry.size_bytes;
  }
  order_ = std::move(order);
  for (const std::string& name : orphans) TWINCHAIN_TRY(take_in_orphan(name));
  return {};
}

/// A body whose record was not written, or was lost with a damaged log. It is whole: it got its
/// name after it was durable.
Status OutsourcedBlocks::take_in_orphan(const std::string& name) {
  const std::string path = folder_ + "/" + name;
  const Hash256 hash = *hash_in_name(name);
  auto raw = read_whole_file(fs_, path, max_body_bytes_);
  if (!raw && raw.error().code == ExitCode::system) return pass(raw);
  if (!raw || !has_block_hash(*raw, hash)) {
    note(escape(path) + ": not the block that it is named after, left alone");
    return {};
  }
  return add(hash, {raw->size(), crc32c(*raw), true});
}

Status OutsourcedBlocks::import(const std::string& file, const ChainParameters& parameters) {
  auto there = fs_.exists(file);
  if (!there) return pass(there);
  if (!*there) return {};
  {
    auto blocks = open_block_file(fs_, file, parameters);
    if (!blocks) return pass(blocks);
    for (const Hash256& hash : (*blocks)->all()) {
      auto raw = (*blocks)->get(hash);
      if (!raw) return pass(raw);
      if (*raw) TWINCHAIN_TRY(put(hash, **raw));
    }
  }
  return fs_.remove(file);
}

Status OutsourcedBlocks::write_body(const Hash256& hash, ByteView raw) {
  std::string temporary = folder_ + "/" + to_hex_reversed(hash);
  temporary += temporary_ending;
  {
    auto file = fs_.open(temporary, OpenMode::create);
    if (!file) return pass(file);
    const ByteView pieces[] = {raw};
    TWINCHAIN_TRY((*file)->truncate(0));
    TWINCHAIN_TRY((*file)->append(pieces));
    TWINCHAIN_TRY((*file)->sync());
  }
  TWINCHAIN_TRY(fs_.rename(temporary, body_path(hash)));
  return fs_.sync_folder(folder_);
}

/// The body is durable.
Status OutsourcedBlocks::add(const Hash256& hash, const Entry& entry) {
  const std::lock_guard guard(mutex_);
  TWINCHAIN_TRY(append_log(record_added, hash, entry));
  entries_.emplace(hash, entry);
  order_.push_back(hash);
  local_.push_back(hash);
  local_bytes_ += entry.size_bytes;
  return {};
}

Status OutsourcedBlocks::put(const Hash256& hash, ByteView raw) {
  {
    const std::lock_guard guard(mutex_);
    if (failure_) return std::unexpected(*failure_);
    if (entries_.contains(hash)) return {};
  }
  TWINCHAIN_TRY(write_body(hash, raw));
  TWINCHAIN_TRY(add(hash, {raw.size(), crc32c(raw), true}));
  wake_.notify_all();
  return {};
}

/// Nothing when it is damaged, or gone because it has been handed out meanwhile.
Result<std::optional<Bytes>> OutsourcedBlocks::read_body(const Hash256& hash, const Entry& entry) {
  const std::string path = body_path(hash);
  auto raw = read_whole_file(fs_, path, max_body_bytes_);
  if (!raw) {
    auto there = fs_.exists(path);
    if (there && !*there) return std::nullopt;
    if (raw.error().code == ExitCode::system) return pass(raw);
    return std::nullopt;
  }
  if (raw->size() != entry.size_bytes || crc32c(*raw) != entry.crc) return std::nullopt;
  return raw;
}

Result<std::optional<Bytes>> OutsourcedBlocks::get(const Hash256& hash) {
  const auto look = [&]() -> std::optional<Entry> {
    const std::lock_guard guard(mutex_);
    const auto found = entries_.find(hash);
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  };
  auto entry = look();
  if (!entry) return std::nullopt;
  if (entry->local) {
    auto raw = read_body(hash, *entry);
    if (!raw || *raw) return raw;
    entry = look();
    if (entry->local) note(block_in_words(hash) + ": its file is damaged");
  }
  return fetch(hash, *entry);
}

std::vector<Hash256> OutsourcedBlocks::all() const {
  const std::lock_guard guard(mutex_);
  return order_;
}

std::uint64_t OutsourcedBlocks::local_bytes() const {
  const std::lock_guard guard(mutex_);
  return local_bytes_;
}

std::size_t OutsourcedBlocks::local_blocks() const {
  const std::lock_guard guard(mutex_);
  return local_.size();
}

void OutsourcedBlocks::failed(Standing& standing, std::size_t node, const std::string& why) {
  if (standing.wait_ms == 0) note("storage node " + transport_->name(node) + " fails: " + why);
  standing.wait_ms = std::clamp(2 * standing.wait_ms, options_.retry_ms,
                                std::max(options_.retry_ms, options_.max_retry_ms));
  standing.retry_at_ms = now_ms() + standing.wait_ms;
}

/// Whoever has it is asked first: blocks are spread over the nodes by their hashes.
std::optional<Bytes> OutsourcedBlocks::fetch(const Hash256& hash, const Entry& entry) {
  const std::size_t nodes = transport_->nodes();
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::size_t node = (HashHasher{}(hash) % nodes + i) % nodes;
    Standing& standing = fetch_standing_[node];
    if (now_ms() < standing.retry_at_ms) continue;
    auto raw = transport_->fetch(node, hash, entry.size_bytes);
    if (!raw) {
      failed(standing, node, raw.error().message);
      continue;
    }
    standing = {};
    if (!*raw) continue;
    if ((*raw)->size() == entry.size_bytes && crc32c(**raw) == entry.crc &&
        has_block_hash(**raw, hash)) {
      return std::move(*raw);
    }
    failed(standing, node, "it gives another block than was handed to it");
  }
  note(block_in_words(hash) + ": no storage node gives it");
  return std::nullopt;
}

/// Whether there is a storage node that lacks it and is not left alone just now.
bool OutsourcedBlocks::may_push(const Hash256& hash) {
  if (pushing_ != hash) {
    pushing_ = hash;
    confirmed_.clear();
  }
  const std::int64_t now = now_ms();
  for (std::size_t node = 0; node < push_standing_.size(); ++node) {
    if (!confirmed_.contains(node) && now >= push_standing_[node].retry_at_ms) return true;
  }
  return false;
}

/// True when enough nodes have it.
bool OutsourcedBlocks::push(const Hash256& hash, ByteView raw) {
  const std::size_t nodes = transport_->nodes();
  for (std::size_t i = 0; i < nodes && confirmed_.size() < options_.copies; ++i) {
    const std::size_t node = (HashHasher{}(hash) % nodes + i) % nodes;
    Standing& standing = push_standing_[node];
    if (confirmed_.contains(node) || now_ms() < standing.retry_at_ms) continue;
    auto pushed = transport_->push(node, hash, raw);
    if (!pushed) {
      failed(standing, node, pushed.error().message);
      continue;
    }
    standing = {};
    confirmed_.insert(node);
  }
  return confirmed_.size() >= options_.copies;
}

Result<OutsourcedBlocks::Step> OutsourcedBlocks::hand_out() {
  Hash256 hash{};
  Entry entry;
  {
    const std::lock_guard guard(mutex_);
    const bool due = transport_->nodes() > 0 && local_bytes_ > options_.local_limit_bytes &&
                     local_.size() > options_.keep_blocks;
    if (!due) return Step::idle;
    hash = local_.front();
    entry = entries_.at(hash);
  }
  if (!may_push(hash)) return Step::waiting;
  auto raw = read_body(hash, entry);
  if (!raw) return pass(raw);
  if (!*raw) {
    note(block_in_words(hash) + ": its file is damaged, it is not handed out");
  } else if (!push(hash, **raw)) {
    return Step::waiting;
  }
  {
    const std::lock_guard guard(mutex_);
    if (*raw) {
      TWINCHAIN_TRY(append_log(record_handed_out, hash, entry));
      entries_.at(hash).local = false;
    }
    local_.pop_front();
    local_bytes_ -= entry.size_bytes;
  }
  // What is left of it at a crash is removed when the folder is opened.
  if (*raw) TWINCHAIN_TRY(fs_.remove(body_path(hash)));
  return Step::handed_out;
}

void OutsourcedBlocks::start() {
  thread_ = std::thread([this] { run(); });
}

void OutsourcedBlocks::run() {
  while (true) {
    auto step = hand_out();
    std::unique_lock guard(mutex_);
    if (stopping_) return;
    if (!step) {
      failure_ = std::move(step.error());
      return;
    }
    if (*step != Step::handed_out) wake_.wait_for(guard, longest_pause);
    if (stopping_) return;
  }
}

Result<std::unique_ptr<BlockStore>> open_outsourced_blocks(Fs& fs, const std::string& folder,
                                                           const ChainParameters& parameters,
                                                           const OutsourcedOptions& options) {
  auto transport = open_block_transport(parameters, options.transport);
  if (!transport) return pass(transport);
  auto blocks = OutsourcedBlocks::open(fs, folder, parameters, options, system_clock(),
                                       std::move(*transport));
  if (!blocks) return pass(blocks);
  (*blocks)->start();
  return std::unique_ptr<BlockStore>(std::move(*blocks));
}

}  // namespace twinchain::net
