// Measures what a block's skeleton costs beside a compact block of BIP 152, and how long a receiver
// takes from the skeleton to the checked list of transactions. Prints one JSON object.
//
// usage: bench_skeleton TRANSACTIONS DIFFERENCE ESTIMATE TRIALS [SEED]
//
// The block takes a list of TRANSACTIONS whole. Half of DIFFERENCE are transactions that the
// receiver's mempool lacks, the other half those it has beyond the list. ESTIMATE is what the miner
// thinks the difference is. Bytes are those of the messages; times are processor time.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/skeleton_receiver.hpp"
#include "twinchain/net/skeleton_sender.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::vector<Hash256> random_txids(std::mt19937_64& random, std::size_t count) {
  std::vector<Hash256> txids(count);
  for (auto& txid : txids) {
    for (std::size_t i = 0; i < 32; i += 8) store_le(&txid[i], random());
  }
  return txids;
}

Bytes coinbase_bytes() {
  bitcoin::Transaction coinbase;
  coinbase.inputs.push_back({{{}, 0xffffffff}, Bytes(13, 1), 0xffffffff, {}});
  coinbase.outputs.push_back({5'000'000'000, Bytes(25, 2)});
  return bitcoin::serialize(coinbase);
}

// Header, nonce, count, 6 bytes a transaction, and the coinbase in full.
std::size_t compact_block_bytes(std::size_t transactions, std::size_t coinbase_bytes) {
  const std::size_t count_bytes = transactions < 0xfd ? 1 : transactions <= 0xffff ? 3 : 5;
  return 80 + 8 + count_bytes + 6 * transactions + 1 + 1 + coinbase_bytes;
}

struct Sent {
  std::size_t skeleton = 0;
  std::size_t extensions = 0;  ///< requests and answers
  std::size_t lists = 0;
  std::size_t asked = 0;  ///< requests for transactions: ids
  std::size_t requests = 0;
  double receiver_s = 0;
};

Sent exchange(SkeletonSender& sender, std::span<const Hash256> mempool,
              const std::vector<Hash256>& block) {
  Sent sent;
  sent.skeleton = encode_skeleton(sender.skeleton()).size();
  double began = cpu_s();
  SkeletonReceiver receiver(sender.skeleton(), mempool, {});
  sent.receiver_s += cpu_s() - began;
  while (receiver.next() != SkeletonReceiver::Next::complete) {
    ++sent.requests;
    if (receiver.next() == SkeletonReceiver::Next::ask_symbols) {
      const SymbolRequest request = receiver.symbol_request();
      const auto range = sender.symbols(request).value();
      sent.extensions +=
          encode_symbol_request(request).size() + iblt::encode_symbol_range(range).size();
      began = cpu_s();
      receiver.add_symbols(range);
    } else if (receiver.next() == SkeletonReceiver::Next::ask_short_ids) {
      const ShortIdList list = sender.short_ids();
      sent.lists += encode_short_id_list(list).size();
      began = cpu_s();
      receiver.add_short_ids(list);
    } else if (receiver.next() == SkeletonReceiver::Next::ask_transactions) {
      const TransactionRequest request = receiver.transaction_request();
      sent.asked += encode_transaction_request(request).size();
      const auto positions = sender.positions(request).value();
      began = cpu_s();
      for (const std::uint32_t at : positions) receiver.add_transaction(block[at - 1]);
    } else {
      std::fprintf(stderr, "bench_skeleton: the receiver needs the whole block\n");
      std::exit(1);
    }
    sent.receiver_s += cpu_s() - began;
  }
  if (receiver.txids() != block) {
    std::fprintf(stderr, "bench_skeleton: another list than the block's\n");
    std::exit(1);
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: bench_skeleton TRANSACTIONS DIFFERENCE ESTIMATE TRIALS [SEED]\n");
    return 2;
  }
  const std::size_t count = std::strtoull(argv[1], nullptr, 10);
  const std::size_t difference = std::strtoull(argv[2], nullptr, 10);
  const std::size_t estimate = std::strtoull(argv[3], nullptr, 10);
  const std::size_t trials = std::strtoull(argv[4], nullptr, 10);
  std::mt19937_64 random(argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 20240201);
  const Bytes coinbase = coinbase_bytes();
  std::vector<Sent> all;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const Snapshot list = make_snapshot({.id = 1}, random_txids(random, count));
    std::vector<Hash256> txids{sha256d(coinbase)};
    txids.insert(txids.end(), list.txids.begin(), list.txids.end());
    bitcoin::BlockHeader header;
    header.merkle_root = bitcoin::merkle_root(txids);
    SkeletonSender sender(header, coinbase, list.txids, &list,
                          {.salt = random(), .expected_extra = estimate});
    // Evenly out of the list, so that it stays in order.
    const std::size_t lacking = difference / 2;
    std::vector<Hash256> mempool;
    for (std::size_t i = 0; i < count; ++i) {
      if (lacking == 0 || i * lacking / count == (i + 1) * lacking / count) {
        mempool.push_back(list.txids[i]);
      }
    }
    const auto more = random_txids(random, difference - lacking);
    mempool.insert(mempool.end(), more.begin(), more.end());
    std::sort(mempool.begin(), mempool.end(), canonical_less);
    all.push_back(exchange(sender, mempool, list.txids));
  }
  const auto median = [&](auto member) {
    std::sort(all.begin(), all.end(),
              [&](const Sent& a, const Sent& b) { return a.*member < b.*member; });
    return static_cast<double>(all[all.size() / 2].*member);
  };
  const auto most = [&](auto member) {
    median(member);
    return static_cast<double>(all.back().*member);
  };
  std::printf(
      "{\"transactions\": %zu, \"d\": %zu, \"estimate\": %zu, \"trials\": %zu, \"skeleton\": %.0f, "
      "\"extensions\": %.0f, \"extensions_most\": %.0f, \"lists_most\": %.0f, \"asked\": %.0f, "
      "\"requests_most\": %.0f, \"compact_block\": %zu, \"receiver_s_median\": %.4f}\n",
      count, difference, estimate, trials, median(&Sent::skeleton), median(&Sent::extensions),
      most(&Sent::extensions), most(&Sent::lists), median(&Sent::asked), most(&Sent::requests),
      compact_block_bytes(count, coinbase.size()), median(&Sent::receiver_s));
  return 0;
}
