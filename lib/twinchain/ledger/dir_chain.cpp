#include "twinchain/ledger/dir_chain.hpp"

#include <algorithm>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/ledger/network.hpp"

namespace twinchain::ledger {
namespace {

using bitcoin::OutPoint;
using bitcoin::Transaction;
using bitcoin::TxIn;

constexpr std::size_t window_size = std::size_t{256} * 1024;
// What one write can have left torn: the blocks of one anchor.
constexpr std::uint64_t max_torn_size = 1'048'576;
constexpr std::size_t durable_end_size = 8 + 32 + 4;
// Header, count, and no transaction that is shorter than this.
constexpr std::size_t min_block_size = bitcoin::block_header_size + 1 + 60;
constexpr std::size_t max_searches = 1000;

std::uint32_t dir_magic() {
  static const std::uint32_t magic = network_by_name("dir")->magic;
  return magic;
}

bool spends(const std::vector<Transaction>& transactions, const OutPoint& outpoint) {
  return std::any_of(transactions.begin(), transactions.end(), [&](const Transaction& transaction) {
    return std::any_of(transaction.inputs.begin(), transaction.inputs.end(),
                       [&](const TxIn& input) { return input.previous_output == outpoint; });
  });
}

// Takes the outputs that a block makes from the list of those looked for; true when the block
// spends one of them, or one cannot be spent.
bool strikes_out(std::vector<OutPoint>& missing, const CheckedBlock& checked) {
  const std::vector<Transaction>& transactions = checked.block.transactions;
  bool bad = std::any_of(missing.begin(), missing.end(),
                         [&](const OutPoint& coin) { return spends(transactions, coin); });
  for (std::size_t i = 0; i < transactions.size(); ++i) {
    const auto& outputs = transactions[i].outputs;
    std::erase_if(missing, [&](const OutPoint& coin) {
      if (coin.txid != checked.txids[i]) return false;
      if (coin.index >= outputs.size() ||
          outputs[coin.index].script_pubkey != Bytes{bitcoin::OP_TRUE}) {
        bad = true;
      }
      return true;
    });
  }
  return bad;
}

// Whether bytes look like the beginning of a record with a block that was really mined.
bool looks_like_record(ByteView bytes) {
  ByteCursor cursor(bytes);
  if (cursor.read_le<std::uint32_t>() != dir_magic()) return false;
  const auto size = cursor.read_le<std::uint32_t>();
  const bitcoin::BlockHeader header = bitcoin::read_header(cursor);
  if (!cursor.ok() || size > bytes.size() - dir_record_prefix_size) return false;
  return check_dir_header(header, bitcoin::block_hash(header), header.previous, 0).has_value();
}

}  // namespace

Bytes encode_durable_end(const DurableEnd& end) {
  Bytes bytes;
  append_le(bytes, end.size_bytes);
  append(bytes, end.block_hash);
  append_le(bytes, crc32c(bytes));
  return bytes;
}

/// A part of blocks.dat in memory, from the first byte that was not yet taken.
struct DirChain::Window {
  Buffer bytes;
  std::uint64_t offset = 0;  // of bytes[0] in the file
  std::uint64_t file_size = 0;
  std::size_t used = 0;
  std::size_t wanted = window_size;

  [[nodiscard]] ByteView rest() const { return bytes.view().subspan(used); }
  [[nodiscard]] std::uint64_t position() const { return offset + used; }
  [[nodiscard]] bool at_file_end() const { return offset + bytes.size() == file_size; }
};

DirChain::DirChain(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

std::unexpected<Error> DirChain::damaged(std::uint64_t height, std::uint64_t offset,
                                         std::string_view what) const {
  std::string message = escape(blocks_path(), 400);
  message += ": block ";
  message += decimal(height);
  message += " at byte ";
  message += decimal(offset);
  message += ": ";
  message += what;
  return fail(ExitCode::refuted, std::move(message));
}

Status DirChain::refresh() {
  // By its name each time: a folder that was replaced must not be written to through an old
  // descriptor.
  auto file = fs_.open(blocks_path(), OpenMode::read);
  if (!file) return pass(file);
  file_ = std::move(*file);
  // Before the size: it may only be behind.
  read_durable_end();
  auto size = file_->size_bytes();
  if (!size) return pass(size);
  TWINCHAIN_TRY(check_unchanged(*size));
  TWINCHAIN_TRY(read_blocks(*size));
  if (offsets_.empty()) return damaged(0, 0, "not even the genesis block is there");
  return {};
}

// The file may only have grown since the last time.
Status DirChain::check_unchanged(std::uint64_t file_size) {
  const std::uint64_t least = std::max(end_bytes_, durable_.size_bytes);
  if (file_size < least) {
    std::string message = escape(blocks_path(), 400);
    message += ": cut: ";
    message += decimal(file_size);
    message += " bytes, of ";
    message += decimal(least);
    message += " that were there";
    return fail(ExitCode::refuted, std::move(message),
                "restore it; or remove " + escape(end_path(), 400) + " to go on with what is left");
  }
  if (offsets_.empty()) return {};
  bitcoin::BlockHeaderBytes header{};
  auto count = file_->pread(header, offsets_.back() + dir_record_prefix_size);
  if (!count) return pass(count);
  if (*count != header.size() || bitcoin::block_hash(header) != tip_hash_) {
    return fail(ExitCode::refuted,
                escape(blocks_path(), 400) + ": not the ledger that was there before");
  }
  return {};
}

Status DirChain::read_blocks(std::uint64_t file_size) {
  Window window;
  window.offset = end_bytes_;
  window.file_size = file_size;
  torn_bytes_ = 0;
  while (window.position() < file_size) {
    TWINCHAIN_TRY(fill(window));
    while (true) {
      auto taken = read_record(window);
      if (taken && *taken) continue;
      if (taken) break;
      if (taken.error().code != ExitCode::refuted) return pass(taken);
      auto torn = is_torn_end(file_size);
      if (!torn) return pass(torn);
      if (!*torn) return pass(taken);
      torn_bytes_ = file_size - end_bytes_;
      return {};
    }
  }
  return {};
}

// Drops what was used and reads on behind the rest.
Status DirChain::fill(Window& window) {
  window.bytes.remove_front(window.used);
  window.offset += window.used;
  window.used = 0;
  const std::size_t had = window.bytes.size();
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(window.wanted, window.file_size - window.offset));
  window.bytes.resize_uninitialized(std::max(size, had));
  auto count = file_->pread(window.bytes.span().subspan(had), window.offset + had);
  if (!count) return pass(count);
  if (had + *count < window.bytes.size()) {
    return fail(ExitCode::system,
                escape(blocks_path(), 400) + ": became shorter while it was read");
  }
  return {};
}

// Takes one record; false when the window has to be filled first or is used up.
Result<bool> DirChain::read_record(Window& window) {
  const std::uint64_t position = window.position();
  const auto bad = [&](std::string_view what) { return damaged(offsets_.size(), position, what); };
  ByteCursor cursor(window.rest());
  const auto magic = cursor.read_le<std::uint32_t>();
  const auto size = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) {
    if (!window.at_file_end() || window.rest().empty()) return false;
    return bad("file ends within the block's prefix");
  }
  if (magic != dir_magic()) return bad("not the beginning of a block");
  if (size < min_block_size) return bad("block is too short");
  if (size > max_dir_block_size) return bad("block is too long");
  if (size > window.file_size - position - dir_record_prefix_size) {
    return bad("file ends within the block");
  }
  window.wanted = std::max(window_size, dir_record_prefix_size + size);
  const ByteView block = cursor.read_view(size);
  if (!cursor.ok()) return false;
  if (auto status = take(block, position); !status) return bad(status.error().message);
  window.used += cursor.offset();
  return true;
}

Status DirChain::take(ByteView bytes, std::uint64_t offset) {
  const auto height = static_cast<std::uint32_t>(offsets_.size());
  const std::uint64_t end = offset + dir_record_prefix_size + bytes.size();
  ByteCursor cursor(bytes);
  const bitcoin::BlockHeader header = bitcoin::read_header(cursor);
  const Hash256 hash = bitcoin::block_hash(header);
  if (height == 0 && hash != bitcoin::block_hash(dir_genesis().header)) {
    return fail(ExitCode::refuted, "not the genesis block of a dir: ledger");
  }
  TWINCHAIN_TRY(check_dir_header(header, hash, tip_hash_, median_time_.median_s()));
  if (end == durable_.size_bytes && hash != durable_.block_hash) {
    return fail(ExitCode::refuted, "not the block that was there");
  }
  if (end > durable_.size_bytes) {
    auto block = bitcoin::parse_block(bytes, max_dir_block_size);
    if (!block) return pass(block);
    TWINCHAIN_TRY(check_dir_body(*block, height));
  }
  heights_.add(hash, height);
  offsets_.push_back(offset);
  tip_hash_ = hash;
  tip_time_s_ = header.time_s;
  median_time_.add(header.time_s);
  end_bytes_ = end;
  return {};
}

// What a crash during the last write leaves: a short piece that was not yet durable, with no block
// behind it.
Result<bool> DirChain::is_torn_end(std::uint64_t file_size) {
  if (end_bytes_ < durable_.size_bytes) return false;
  const std::uint64_t tail_size = file_size - end_bytes_;
  Bytes tail;
  bool all_zero = true;
  // Zeros may be many: file systems, and Bitcoin itself, take room in advance.
  for (std::uint64_t at = end_bytes_; at < file_size && all_zero; at += tail.size()) {
    tail.resize(static_cast<std::size_t>(std::min(tail_size, max_torn_size)));
    auto count = file_->pread(tail, at);
    if (!count) return pass(count);
    if (*count == 0) break;
    tail.resize(*count);
    all_zero = std::all_of(tail.begin(), tail.end(), [](std::uint8_t byte) { return byte == 0; });
    if (!all_zero && at != end_bytes_) return false;
  }
  if (all_zero) return true;
  if (tail_size > max_torn_size) return false;
  for (std::size_t at = 1; at < tail.size(); ++at) {
    if (looks_like_record(ByteView(tail).subspan(at))) return false;
  }
  return true;
}

void DirChain::read_durable_end() {
  durable_ = {};
  const auto bytes = read_whole_file(fs_, end_path(), durable_end_size);
  if (!bytes || bytes->size() != durable_end_size) return;
  ByteCursor cursor(*bytes);
  DurableEnd end;
  end.size_bytes = cursor.read_le<std::uint64_t>();
  end.block_hash = cursor.read_array<32>();
  if (encode_durable_end(end) == *bytes) durable_ = end;
}

Result<CheckedBlock> DirChain::read_block(std::uint32_t height) {
  const std::uint64_t offset = offsets_[height];
  const std::uint64_t end = height == tip_height() ? end_bytes_ : offsets_[height + 1];
  Bytes record(static_cast<std::size_t>(end - offset));
  auto count = file_->pread(record, offset);
  if (!count) return pass(count);
  if (*count != record.size()) return damaged(height, offset, "file became shorter");
  auto block =
      bitcoin::parse_block(ByteView(record).subspan(dir_record_prefix_size), max_dir_block_size);
  if (!block) return damaged(height, offset, block.error().message);
  CheckedBlock checked{height, std::move(*block), {}};
  if (auto status = check_dir_body(checked.block, height, &checked.txids); !status) {
    return damaged(height, offset, status.error().message);
  }
  const auto same = [&](std::uint32_t candidate) { return candidate == height; };
  if (!heights_.find(bitcoin::block_hash(checked.block.header), same)) {
    return damaged(height, offset, "changed while it was in use");
  }
  return checked;
}

Result<std::optional<CheckedBlock>> DirChain::find_block(const Hash256& block_hash) {
  Result<std::optional<CheckedBlock>> found = std::nullopt;
  (void)heights_.find(block_hash, [&](std::uint32_t candidate) {
    auto checked = read_block(candidate);
    if (!checked) {
      found = pass(checked);
      return true;
    }
    if (bitcoin::block_hash(checked->block.header) != block_hash) return false;
    found = std::move(*checked);
    return true;
  });
  return found;
}

Result<std::optional<TransactionPosition>> DirChain::find_transaction(const Hash256& txid) {
  const auto known = searches_.find(txid);
  Search search = known == searches_.end() ? Search{} : known->second;
  if (search.found) return search.found;
  const std::uint32_t least = known == searches_.end() ? 0 : search.searched_to + 1;
  for (std::uint32_t height = tip_height() + 1; height-- > least && !search.found;) {
    auto checked = read_block(height);
    if (!checked) return pass(checked);
    const auto& ids = checked->txids;
    const auto at = std::find(ids.begin(), ids.end(), txid);
    if (at != ids.end()) {
      search.found = {height, static_cast<std::uint32_t>(at - ids.begin())};
    }
  }
  search.searched_to = tip_height();
  if (searches_.size() >= max_searches) searches_.clear();
  searches_[txid] = search;
  return search.found;
}

Result<Placement> DirChain::place(const Transaction& transaction, const Hash256& txid) {
  std::vector<OutPoint> missing;
  bool good = true;
  for (const TxIn& input : transaction.inputs) {
    const OutPoint& coin = input.previous_output;
    if (std::find(missing.begin(), missing.end(), coin) != missing.end()) good = false;
    missing.push_back(coin);
  }
  for (std::uint32_t height = tip_height() + 1; height-- > 0 && !missing.empty();) {
    auto checked = read_block(height);
    if (!checked) return pass(checked);
    const auto& ids = checked->txids;
    const auto at = std::find(ids.begin(), ids.end(), txid);
    if (at != ids.end()) {
      return Placement{TransactionPosition{height, static_cast<std::uint32_t>(at - ids.begin())}};
    }
    good = good && !strikes_out(missing, *checked);
  }
  return Placement{{}, good && missing.empty()};
}

}  // namespace twinchain::ledger
