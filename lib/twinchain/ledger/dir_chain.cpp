#include "twinchain/ledger/dir_chain.hpp"

#include <algorithm>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/pow.hpp"
#include "twinchain/ledger/network.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::size_t window_size = std::size_t{256} * 1024;
// What one write can have left torn: the blocks of one anchor.
constexpr std::uint64_t max_torn_size = 1'048'576;
constexpr std::size_t durable_end_size = 8 + 32 + 4;

std::uint32_t dir_magic() {
  static const std::uint32_t magic = network_by_name("dir")->magic;
  return magic;
}

// Outpoints share the index with txids; another first word keeps them apart.
Hash256 outpoint_key(const bitcoin::OutPoint& outpoint) {
  Hash256 key = outpoint.txid;
  const auto word = load_le<std::uint32_t>(key.data());
  store_le(key.data(), word ^ (0x9e3779b1U * (outpoint.index + 1)));
  return key;
}

bool spends(const bitcoin::Block& block, const bitcoin::OutPoint& outpoint) {
  for (const bitcoin::Transaction& transaction : block.transactions) {
    for (const bitcoin::TxIn& input : transaction.inputs) {
      if (input.previous_output == outpoint) return true;
    }
  }
  return false;
}

// Whether bytes look like the beginning of a record with a block that was really mined.
bool looks_like_record(ByteView bytes) {
  ByteCursor cursor(bytes);
  if (cursor.read_le<std::uint32_t>() != dir_magic()) return false;
  const auto size = cursor.read_le<std::uint32_t>();
  const bitcoin::BlockHeader header = bitcoin::read_header(cursor);
  if (!cursor.ok() || size > bytes.size() - dir_record_prefix_size) return false;
  return bitcoin::check_proof_of_work(ProofOfWork::sha256d, bitcoin::serialize(header),
                                      bitcoin::decode_compact(dir_bits).target);
}

}  // namespace

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

Bytes encode_durable_end(const DurableEnd& end) {
  Bytes bytes;
  append_le(bytes, end.size_bytes);
  append(bytes, end.block_hash);
  append_le(bytes, crc32c(bytes));
  return bytes;
}

DirChain::DirChain(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

std::unexpected<Error> DirChain::damaged(std::uint64_t offset, std::string_view what) const {
  std::string message = escape(blocks_path(), 400);
  message += ": block ";
  message += decimal(std::uint64_t{offsets_.size()});
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
  if (offsets_.empty()) return damaged(0, "not even the genesis block is there");
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
  std::array<std::uint8_t, dir_record_prefix_size + bitcoin::block_header_size> bytes{};
  auto count = file_->pread(bytes, offsets_.back());
  if (!count) return pass(count);
  bitcoin::BlockHeaderBytes header{};
  std::copy_n(bytes.begin() + dir_record_prefix_size, header.size(), header.begin());
  if (*count != bytes.size() || bitcoin::block_hash(header) != tip_hash_) {
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
    // Read on behind what was not used of the last part.
    window.bytes.remove_front(window.used);
    window.offset += window.used;
    window.used = 0;
    const std::size_t had = window.bytes.size();
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(window.wanted, file_size - window.offset));
    window.bytes.resize_uninitialized(std::max(size, had));
    auto count = file_->pread(window.bytes.span().subspan(had), window.offset + had);
    if (!count) return pass(count);
    window.bytes.resize_uninitialized(had + *count);
    if (!window.at_file_end() && window.bytes.size() < size) {
      return damaged(window.position(), "file became shorter while it was read");
    }
    while (true) {
      auto taken = read_record(window);
      if (!taken) {
        if (taken.error().code == ExitCode::system) return pass(taken);
        auto torn = is_torn_end(file_size);
        if (!torn) return pass(torn);
        if (!*torn) return pass(taken);
        torn_bytes_ = file_size - end_bytes_;
        return {};
      }
      if (!*taken) break;
    }
  }
  return {};
}

// Takes one record; false when the window has to be filled first or is used up.
Result<bool> DirChain::read_record(Window& window) {
  const std::uint64_t position = window.position();
  ByteCursor cursor(window.rest());
  const auto magic = cursor.read_le<std::uint32_t>();
  const auto size = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) {
    if (!window.at_file_end() || window.rest().empty()) return false;
    return damaged(position, "file ends within the block's prefix");
  }
  if (magic != dir_magic()) return damaged(position, "not the beginning of a block");
  if (size > max_dir_block_size) return damaged(position, "block is too long");
  if (size > window.file_size - position - dir_record_prefix_size) {
    return damaged(position, "file ends within the block");
  }
  window.wanted = std::max(window_size, dir_record_prefix_size + size);
  const ByteView bytes = cursor.read_view(size);
  if (!cursor.ok()) return false;
  auto block = bitcoin::parse_block(bytes, max_dir_block_size);
  if (!block) return damaged(position, block.error().message);
  if (auto status = take(*block, position, cursor.offset()); !status) {
    return damaged(position, status.error().message);
  }
  window.used += cursor.offset();
  return true;
}

Status DirChain::take(const bitcoin::Block& block, std::uint64_t offset, std::size_t record_size) {
  const auto height = static_cast<std::uint32_t>(offsets_.size());
  TWINCHAIN_TRY(check_dir_block(block, tip_hash_, height, median_time_.median_s()));
  const Hash256 hash = bitcoin::block_hash(block.header);
  if (height == 0 && block != dir_genesis()) {
    return fail(ExitCode::refuted, "not the genesis block of a dir: ledger");
  }
  if (offset + record_size == durable_.size_bytes && hash != durable_.block_hash) {
    return fail(ExitCode::refuted, "not the block that was there");
  }
  index_.add(hash, height);
  for (const bitcoin::Transaction& transaction : block.transactions) {
    index_.add(bitcoin::txid(transaction), height);
    if (transaction.is_coinbase()) continue;
    for (const bitcoin::TxIn& input : transaction.inputs) {
      index_.add(outpoint_key(input.previous_output), height);
    }
  }
  offsets_.push_back(offset);
  tip_hash_ = hash;
  tip_time_s_ = block.header.time_s;
  median_time_.add(block.header.time_s);
  end_bytes_ = offset + record_size;
  return {};
}

// What a crash during the last write leaves: a short piece that was not yet durable, with no block
// behind it.
Result<bool> DirChain::is_torn_end(std::uint64_t file_size) {
  const std::uint64_t tail_size = file_size - end_bytes_;
  if (end_bytes_ < durable_.size_bytes) return false;
  Bytes tail(static_cast<std::size_t>(std::min(tail_size, max_torn_size)));
  std::uint64_t zeros_from = end_bytes_;
  bool all_zero = true;
  // Zeros may be many: file systems, and Bitcoin itself, take room in advance.
  for (std::uint64_t at = end_bytes_; at < file_size && all_zero; at += tail.size()) {
    auto count = file_->pread(tail, at);
    if (!count) return pass(count);
    if (*count == 0) break;
    tail.resize(*count);
    all_zero = std::all_of(tail.begin(), tail.end(), [](std::uint8_t byte) { return byte == 0; });
    zeros_from = at;
  }
  if (all_zero) return true;
  if (zeros_from != end_bytes_ || tail_size > max_torn_size) return false;
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

Result<bitcoin::Block> DirChain::read_block(std::uint32_t height) {
  const std::uint64_t offset = offsets_[height];
  const std::uint64_t end = height == tip_height() ? end_bytes_ : offsets_[height + 1];
  Bytes record(static_cast<std::size_t>(end - offset));
  auto count = file_->pread(record, offset);
  if (!count) return pass(count);
  if (*count == record.size()) {
    auto block =
        bitcoin::parse_block(ByteView(record).subspan(dir_record_prefix_size), max_dir_block_size);
    if (block && bitcoin::check_block(*block)) return block;
  }
  return fail(ExitCode::refuted, escape(blocks_path(), 400) + ": block " +
                                     decimal(std::uint64_t{height}) + " at byte " +
                                     decimal(offset) + ": changed while it was in use");
}

Result<std::optional<std::uint32_t>> DirChain::find_block(const Hash256& block_hash) {
  Status status;
  const auto height = index_.find(block_hash, [&](std::uint32_t candidate) {
    auto block = read_block(candidate);
    if (!block) {
      status = pass(block);
      return true;
    }
    return bitcoin::block_hash(block->header) == block_hash;
  });
  if (!status) return pass(status);
  return height;
}

Result<std::optional<TransactionPosition>> DirChain::find_transaction(const Hash256& txid) {
  Status status;
  TransactionPosition position;
  const auto height = index_.find(txid, [&](std::uint32_t candidate) {
    auto block = read_block(candidate);
    if (!block) {
      status = pass(block);
      return true;
    }
    const std::vector<Hash256> ids = bitcoin::txids(*block);
    const auto found = std::find(ids.begin(), ids.end(), txid);
    position = {candidate, static_cast<std::uint32_t>(found - ids.begin())};
    return found != ids.end();
  });
  if (!status) return pass(status);
  if (!height) return std::nullopt;
  return position;
}

Result<bool> DirChain::is_spent(const bitcoin::OutPoint& outpoint) {
  Status status;
  const auto height = index_.find(outpoint_key(outpoint), [&](std::uint32_t candidate) {
    auto block = read_block(candidate);
    if (!block) {
      status = pass(block);
      return true;
    }
    return spends(*block, outpoint);
  });
  if (!status) return pass(status);
  return height.has_value();
}

}  // namespace twinchain::ledger
