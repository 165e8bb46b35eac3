#include "twinchain/net/miner.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/crypto/sha256_many.hpp"
#include "twinchain/net/block_validation.hpp"

namespace twinchain::net {
namespace {

// Nonces that a thread tries before it looks at the clock and at what the others found.
constexpr std::uint32_t nonces_in_chunk = std::uint32_t{1} << 15;
constexpr std::uint64_t chunks_of_nonces = (std::uint64_t{1} << 32) / nonces_in_chunk;
// Hashed together, in the lanes of vector registers. A compression function that went on from the
// state after the header's first 64 bytes would save a third; one lane of it would lose more.
constexpr std::size_t nonces_in_batch = 128;

Bytes coinbase_script(std::uint32_t height, std::uint64_t extra_nonce) {
  Bytes script;
  bitcoin::append_coinbase_height(script, height);
  Bytes number;
  append_le(number, extra_nonce);
  bitcoin::append_push(script, number);
  return script;
}

// One header, many nonces.
class NonceSearch {
 public:
  explicit NonceSearch(const bitcoin::BlockHeader& header)
      : start_(bitcoin::serialize(header)),
        target_(bitcoin::decode_compact(header.bits).target),
        tails_(nonces_in_batch),
        messages_(nonces_in_batch),
        digests_(nonces_in_batch),
        hashes_(nonces_in_batch) {
    const ByteView bytes(start_);
    for (auto& tail : tails_) std::copy(bytes.begin() + 64, bytes.end(), tail.begin());
  }

  /// The first nonce of those from `first` on that does.
  std::optional<std::uint32_t> find(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t at = 0; at < count; at += nonces_in_batch) {
      for (std::size_t i = 0; i < nonces_in_batch; ++i) {
        store_le(&tails_[i][12], static_cast<std::uint32_t>(first + at + i));
        messages_[i] = {ByteView(start_).first(64), tails_[i]};
      }
      sha256_many(messages_, digests_);
      for (std::size_t i = 0; i < nonces_in_batch; ++i) messages_[i] = {digests_[i], {}};
      sha256_many(messages_, hashes_);
      for (std::size_t i = 0; i < nonces_in_batch; ++i) {
        if (bitcoin::UInt256::from_hash(hashes_[i]) <= target_) {
          return static_cast<std::uint32_t>(first + at + i);
        }
      }
    }
    return std::nullopt;
  }

 private:
  bitcoin::BlockHeaderBytes start_;
  bitcoin::UInt256 target_;
  std::vector<std::array<std::uint8_t, 16>> tails_;
  std::vector<PrefixedMessage> messages_;
  std::vector<Hash256> digests_;
  std::vector<Hash256> hashes_;
};

// Threads take chunks of nonces one after the other; each 2^32 of them have their own coinbase.
class PuzzleSearch {
 public:
  PuzzleSearch(const PreBlock& block, const PuzzleOptions& options)
      : block_(block), options_(options) {}

  void work() {
    PreBlock mine = block_;
    while (!done_) {
      if (options_.stop()) {
        done_ = true;
        return;
      }
      const std::uint64_t chunk = next_chunk_.fetch_add(1);
      const std::uint64_t extra_nonce = block_.extra_nonce + chunk / chunks_of_nonces;
      if (extra_nonce != mine.extra_nonce) set_extra_nonce(mine, extra_nonce);
      if (options_.now_s) {
        mine.header.time_s = std::max(block_.list->info.min_time_s, options_.now_s());
      }
      const auto first = static_cast<std::uint32_t>(chunk % chunks_of_nonces) * nonces_in_chunk;
      const auto nonce = NonceSearch(mine.header).find(first, nonces_in_chunk);
      if (!nonce) continue;
      mine.header.nonce = *nonce;
      const std::lock_guard lock(mutex_);
      if (!found_) found_ = std::move(mine);
      done_ = true;
      return;
    }
  }
  std::optional<PreBlock>& found() { return found_; }

 private:
  const PreBlock& block_;
  const PuzzleOptions& options_;
  std::atomic<bool> done_{false};
  std::atomic<std::uint64_t> next_chunk_{0};
  std::mutex mutex_;
  std::optional<PreBlock> found_;
};

std::unexpected<Error> no_block(const std::string& what) {
  return fail(ExitCode::refuted, "list of transactions: " + what);
}

}  // namespace

Result<PreBlock> make_pre_block(const ChainParameters& parameters,
                                std::shared_ptr<const Snapshot> list, const Bytes& payout_script,
                                std::uint64_t extra_nonce, std::uint32_t now_s) {
  const SnapshotInfo& info = list->info;
  if (info.height == 0) return no_block("for block 0, which the network has from its beginning");
  if (!bitcoin::target_from_bits(info.bits, parameters.easiest_target())) {
    return no_block("a difficulty that this network does not have");
  }
  const std::int64_t subsidy_sat = parameters.block_subsidy_sat(info.height);
  if (info.fees_sat < 0 || info.fees_sat > max_money_sat - subsidy_sat) {
    return no_block("fees beyond all money");
  }
  PreBlock block;
  block.height = info.height;
  block.coinbase.inputs.push_back({{{}, 0xffffffff}, {}, 0xffffffff, {}});
  if (payout_script.empty()) {
    block.coinbase.outputs.push_back({0, {bitcoin::OP_RETURN}});
  } else {
    block.coinbase.outputs.push_back({subsidy_sat + info.fees_sat, payout_script});
  }
  block.coinbase.inputs[0].script_sig = coinbase_script(info.height, extra_nonce);
  const std::uint64_t overhead_bytes =
      block_overhead_bytes + bitcoin::serialize(block.coinbase).size();
  if (info.size_bytes > parameters.block_limit_bytes ||
      overhead_bytes > parameters.block_limit_bytes - info.size_bytes) {
    return no_block("larger than a block may be");
  }
  std::vector<Hash256> all(1);  // the place of the coinbase
  all.reserve(1 + list->txids.size());
  all.insert(all.end(), list->txids.begin(), list->txids.end());
  block.coinbase_branch = bitcoin::merkle_branch(all, 0);
  block.header.version = 0x20000000;
  block.header.previous = info.tip;
  block.header.time_s = std::max(info.min_time_s, now_s);
  block.header.bits = info.bits;
  block.list = std::move(list);
  set_extra_nonce(block, extra_nonce);
  return block;
}

void set_extra_nonce(PreBlock& block, std::uint64_t extra_nonce) {
  block.extra_nonce = extra_nonce;
  block.coinbase.inputs[0].script_sig = coinbase_script(block.height, extra_nonce);
  Hash256 root = bitcoin::txid(block.coinbase);
  for (const Hash256& sibling : block.coinbase_branch) root = bitcoin::merkle_parent(root, sibling);
  block.header.merkle_root = root;
}

bool solve_puzzle(PreBlock& block, const PuzzleOptions& options) {
  PuzzleSearch search(block, options);
  std::vector<std::thread> others;
  for (unsigned i = 1; i < options.threads; ++i) others.emplace_back([&] { search.work(); });
  search.work();
  for (auto& other : others) other.join();
  if (!search.found()) return false;
  block = std::move(*search.found());
  return true;
}

std::unique_ptr<SkeletonSender> make_skeleton_sender(const PreBlock& block, std::uint64_t salt,
                                                     std::optional<std::uint64_t> expected_extra) {
  const SnapshotInfo& info = block.list->info;
  SkeletonOptions options;
  options.salt = salt;
  options.expected_extra =
      expected_extra.value_or(std::min(info.expected_difference, info.count / 8));
  return std::make_unique<SkeletonSender>(block.header, bitcoin::serialize(block.coinbase),
                                          block.list->txids, block.list.get(), options);
}

}  // namespace twinchain::net
