#include "twinchain/ledger/dir_ledger.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/ledger/dir_chain.hpp"

namespace twinchain::ledger {
namespace {

using bitcoin::Block;
using bitcoin::OutPoint;
using bitcoin::Transaction;

// More blocks than that are written in several pieces (dir_chain.cpp bounds what can be torn).
constexpr std::uint32_t max_blocks_per_write = 1000;
constexpr std::size_t max_spare_coins = 64;

Network dir_network() {
  return *network_by_name("dir");
}

// Waits for other anchors, which hold the lock for a write's time each.
Result<std::unique_ptr<FileLock>> lock_waiting(Fs& fs, const std::string& path, int timeout_ms) {
  // Apart from lock(), so that a folder that cannot be written to is not waited for.
  if (auto file = fs.open(path, OpenMode::create); !file) return pass(file);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  auto pause = std::chrono::microseconds(100);
  while (true) {
    auto lock = fs.lock(path);
    if (lock) return lock;
    if (std::chrono::steady_clock::now() >= deadline) {
      lock.error().code = ExitCode::peer;
      return lock;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(10'000));
  }
}

class RealDirLedger final : public DirLedger {
 public:
  RealDirLedger(Fs& fs, Clock& clock, const std::string& folder, const LedgerOptions& options)
      : fs_(fs), clock_(clock), folder_(folder), options_(options), chain_(fs, folder) {}

  Status open(bool create) {
    auto there = fs_.exists(chain_.blocks_path());
    if (!there) return pass(there);
    if (!*there) {
      if (!create) {
        return fail(ExitCode::usage, escape(folder_, 400) + ": no ledger there",
                    "anchor makes one, or the path is another");
      }
      TWINCHAIN_TRY(make());
    }
    return chain_.refresh();
  }

  Result<Tip> tip() override {
    TWINCHAIN_TRY(chain_.refresh());
    return Tip{dir_network(), chain_.tip_height(), chain_.tip_hash(), chain_.tip_time_s()};
  }

  Result<Prepared> prepare(ByteView payload) override {
    if (coins_.empty()) TWINCHAIN_TRY(mine(1));
    const OutPoint coin = coins_.front();
    coins_.pop_front();
    Prepared prepared;
    const Transaction transaction = make_dir_transaction(coin, payload);
    prepared.raw_transaction = bitcoin::serialize(transaction);
    prepared.txid = bitcoin::txid(transaction);
    return prepared;
  }

  Status broadcast(const Prepared& prepared, bool* fee_too_low) override {
    if (fee_too_low != nullptr) *fee_too_low = false;
    auto transaction = bitcoin::parse_transaction(prepared.raw_transaction);
    if (!transaction) return pass(transaction);
    const Hash256 txid = bitcoin::txid(*transaction);
    auto lock = lock_waiting(fs_, chain_.lock_path(), options_.timeout_ms);
    if (!lock) return pass(lock);
    TWINCHAIN_TRY(chain_.refresh());
    auto placement = chain_.place(*transaction, txid);
    if (!placement) return pass(placement);
    if (placement->position) return deepen(placement->position->height);
    TWINCHAIN_TRY(check_dir_transaction(*transaction));
    if (!placement->spendable) {
      return fail(ExitCode::refuted,
                  escape(folder_, 400) +
                      ": transaction spends an output that is not there or is spent already",
                  "was the ledger exchanged since the transaction was prepared?");
    }
    std::vector<Transaction> transactions;
    transactions.push_back(std::move(*transaction));
    return write_blocks(std::max(options_.dir_blocks_per_anchor, 1U), std::move(transactions));
  }

  void abandon(const Prepared& prepared) override {
    auto transaction = bitcoin::parse_transaction(prepared.raw_transaction);
    if (!transaction || !chain_.refresh()) return;
    auto placement = chain_.place(*transaction, prepared.txid);
    if (!placement || !placement->spendable) return;
    for (const bitcoin::TxIn& input : transaction->inputs) add_coin(input.previous_output);
  }

  Result<TransactionStatus> status(const Hash256& txid) override {
    TWINCHAIN_TRY(chain_.refresh());
    auto position = chain_.find_transaction(txid);
    if (!position) return pass(position);
    TransactionStatus status;
    if (!*position) return status;
    const std::uint32_t height = (*position)->height;
    if (depth_of(height) < options_.dir_blocks_per_anchor) {
      auto lock = lock_waiting(fs_, chain_.lock_path(), options_.timeout_ms);
      if (!lock) return pass(lock);
      TWINCHAIN_TRY(chain_.refresh());
      TWINCHAIN_TRY(deepen(height));
    }
    auto block = chain_.read_block(height);
    if (!block) return pass(block);
    status.place = TransactionPlace::block;
    status.height = height;
    status.block_hash = bitcoin::block_hash(block->block.header);
    status.depth = depth_of(height);
    return status;
  }

  Result<Prepared> bump_fee(const Prepared& transaction) override {
    // There are no fees, so that it can never be refused for one.
    return transaction;
  }

  Result<Receipt> receipt(const Hash256& txid, ByteView payload) override {
    TWINCHAIN_TRY(chain_.refresh());
    auto position = chain_.find_transaction(txid);
    if (!position) return pass(position);
    if (!*position) return fail(ExitCode::refuted, "dir ledger: transaction is not in the chain");
    auto checked = chain_.read_block((*position)->height);
    if (!checked) return pass(checked);
    if (payload.size() != anchor_tag.size() + sizeof(Hash256) ||
        !std::equal(anchor_tag.begin(), anchor_tag.end(), payload.begin())) {
      return fail(ExitCode::usage, "dir ledger: payload is not that of an anchor");
    }
    const std::size_t index = (*position)->index;
    const Block& block = checked->block;
    Receipt receipt;
    receipt.network_magic = dir_network().magic;
    std::copy(payload.begin() + anchor_tag.size(), payload.end(), receipt.link_hash.begin());
    receipt.transaction = bitcoin::serialize(block.transactions[index]);
    receipt.transaction_index = static_cast<std::uint32_t>(index);
    receipt.transaction_branch = bitcoin::merkle_branch(checked->txids, index);
    receipt.coinbase = bitcoin::serialize(block.transactions[0]);
    receipt.coinbase_branch = bitcoin::merkle_branch(checked->txids, 0);
    receipt.block_header = bitcoin::serialize(block.header);
    receipt.block_hash = bitcoin::block_hash(receipt.block_header);
    // The caller's payload may be another than the transaction's.
    if (auto facts = check_receipt(receipt); !facts) return pass(facts);
    return receipt;
  }

  Result<BlockPosition> position(const Hash256& block_hash) override {
    TWINCHAIN_TRY(chain_.refresh());
    auto found = chain_.find_block(block_hash);
    if (!found) return pass(found);
    BlockPosition position;
    if (!*found) return position;
    position.on_best_chain = true;
    position.height = (*found)->height;
    position.depth = depth_of(position.height);
    position.time_s = (*found)->block.header.time_s;
    return position;
  }

  Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t first_height,
                                                         std::uint32_t count) override {
    TWINCHAIN_TRY(chain_.refresh());
    std::vector<bitcoin::BlockHeaderBytes> headers;
    const std::uint64_t end = std::min<std::uint64_t>(std::uint64_t{first_height} + count,
                                                      std::uint64_t{chain_.tip_height()} + 1);
    for (std::uint64_t height = first_height; height < end; ++height) {
      auto block = chain_.read_block(static_cast<std::uint32_t>(height));
      if (!block) return pass(block);
      headers.push_back(bitcoin::serialize(block->block.header));
    }
    return headers;
  }

  Status mine(std::uint32_t count) override {
    auto lock = lock_waiting(fs_, chain_.lock_path(), options_.timeout_ms);
    if (!lock) return pass(lock);
    TWINCHAIN_TRY(chain_.refresh());
    return write_blocks(count, {});
  }

  [[nodiscard]] std::string trust_statement() const override {
    return "a folder that whoever can write to it can make anew: it proves nothing against them";
  }

 private:
  Status make() {
    TWINCHAIN_TRY(fs_.make_folders(folder_));
    auto lock = lock_waiting(fs_, chain_.lock_path(), options_.timeout_ms);
    if (!lock) return pass(lock);
    auto there = fs_.exists(chain_.blocks_path());
    if (!there) return pass(there);
    if (*there) return {};  // another anchor was quicker
    return write_file_atomically(fs_, chain_.blocks_path(), dir_record(dir_genesis()));
  }

  [[nodiscard]] std::uint32_t depth_of(std::uint32_t height) const {
    return chain_.tip_height() - height + 1;
  }

  // With the lock held and the chain fresh, as all that follows.
  Status deepen(std::uint32_t height) {
    const std::uint32_t depth = depth_of(height);
    if (depth >= options_.dir_blocks_per_anchor) return {};
    return write_blocks(options_.dir_blocks_per_anchor - depth, {});
  }

  // Mines on top of the tip; the transactions are in the first block. The blocks' coinbases are
  // coins that no other process knows of.
  Status write_blocks(std::uint32_t count, std::vector<Transaction> transactions) {
    while (count > 0) {
      const std::uint32_t part = std::min(count, max_blocks_per_write);
      TWINCHAIN_TRY(write_part(part, std::move(transactions)));
      transactions.clear();
      count -= part;
    }
    return {};
  }

  Status write_part(std::uint32_t count, std::vector<Transaction> transactions) {
    auto file = fs_.open(chain_.blocks_path(), OpenMode::read_write);
    if (!file) return pass(file);
    const std::uint64_t end = chain_.end_bytes();
    if (chain_.torn_bytes() > 0) TWINCHAIN_TRY((*file)->truncate(end));

    Bytes records;
    std::vector<OutPoint> coins;
    Hash256 previous = chain_.tip_hash();
    std::uint32_t height = chain_.tip_height();
    MedianTime median = chain_.median_time();
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::optional<std::uint32_t> time_s = next_time_s(median);
      if (!time_s) {
        return fail(ExitCode::refuted, escape(folder_, 400) + ": block times have come to an end");
      }
      const Block block = mine_dir_block(previous, ++height, *time_s, std::move(transactions));
      transactions.clear();
      append(records, dir_record(block));
      coins.push_back({bitcoin::txid(block.transactions[0]), 0});
      previous = bitcoin::block_hash(block.header);
      median.add(*time_s);
    }
    const ByteView pieces[] = {records};
    Status status = (*file)->append(pieces);
    if (status) status = (*file)->sync();
    if (!status) {
      // What is there may not last: nobody must build on it.
      (void)(*file)->truncate(end);
      return status;
    }
    note_durable({end + records.size(), previous});
    for (const OutPoint& coin : coins) add_coin(coin);
    return chain_.refresh();
  }

  void add_coin(const OutPoint& coin) {
    coins_.push_back(coin);
    if (coins_.size() > max_spare_coins) coins_.pop_front();
  }

  // Nothing when the blocks' times leave no room: that takes a forged ledger, or the year 2106.
  std::optional<std::uint32_t> next_time_s(const MedianTime& median) {
    constexpr std::int64_t last_s = 0xffffffff;
    const std::int64_t least_s = std::int64_t{median.median_s()} + 1;
    if (least_s > last_s) return std::nullopt;
    const std::int64_t now_s = clock_.wall_ns() / 1'000'000'000;
    return static_cast<std::uint32_t>(std::clamp(now_s, least_s, last_s));
  }

  // A help for later readers (dir_chain.hpp): neither its failure nor its loss matters.
  void note_durable(const DurableEnd& end) {
    if (auto file = fs_.open(chain_.end_path(), OpenMode::create); file) {
      (void)(*file)->pwrite(encode_durable_end(end), 0);
    }
  }

  Fs& fs_;
  Clock& clock_;
  std::string folder_;
  LedgerOptions options_;
  DirChain chain_;
  std::deque<OutPoint> coins_;
};

}  // namespace

Result<std::unique_ptr<DirLedger>> open_dir_ledger(Fs& fs, Clock& clock, const std::string& folder,
                                                   const LedgerOptions& options, bool create) {
  if (folder.empty()) return fail(ExitCode::usage, "dir: needs a path, as in dir:ledger");
  auto ledger = std::make_unique<RealDirLedger>(fs, clock, folder, options);
  TWINCHAIN_TRY(ledger->open(create));
  return ledger;
}

}  // namespace twinchain::ledger
