// Measures the validating core of a node, without sockets. One line "name value" a figure.
//
// usage: bench_net FOLDER TRANSACTIONS THREADS
//
//   raw          libsecp256k1's own verifications a second on all threads, keys and signatures
//                parsed, as many as there are transactions
//   admission    one-signature transactions a second into the pool, in batches of 2,000, of 100
//                payers: a twin's transactions are signed with one key
//   again        their signature checks when a block with all of them comes
//   block        seconds for that block: body to disk, coins in LMDB with its sync, pool
//   strangers    admission of as many transactions, each signed with a key of its own
//   bulk         bytes a second of data in transactions of 1 MiB into the pool
//   *-cpu-s      seconds of CPU that each of these took

#include <secp256k1.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/sighash.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/chain_state.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::net;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench_net: error: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

/// Of all threads of this process: what a busy machine takes away does not count.
double cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_of(const char* name, const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  const double cpu_began_s = cpu_s();
  work();
  std::printf("%s-cpu-s %.3f\n", name, cpu_s() - cpu_began_s);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

struct Payer {
  EcdsaSecretKey key = EcdsaSecretKey::generate();
  EcdsaPublicKey public_key = key.public_key();
  Bytes script = pay_to_key_hash_script(public_key);
};

struct Signed {
  Bytes raw;
  Hash256 hash{};
  Bytes signature;
  EcdsaPublicKey public_key{};
};

class Bench {
 public:
  Bench(std::string folder, std::size_t count, unsigned threads)
      : folder_(std::move(folder)),
        count_(count),
        workers_(threads, [](std::function<void()>& work) { work(); }) {
    parameters_.name = "bench";
    parameters_.genesis_time_s = 1'767'225'600;
    mine_genesis(parameters_, [] { return false; });
    payers_.resize(payer_count + count_);
    parallel_for(workers_, payers_.size(), 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) payers_[i] = std::make_unique<Payer>();
    });
    std::vector<std::pair<bitcoin::OutPoint, Coin>> coins;
    for (std::size_t i = 0; i < 2 * count_ + data_count; ++i) {
      coins.emplace_back(outpoint(i), Coin{value, 0, false, payer(i).script});
    }
    coins_ =
        must(storage::CoinDatabase::open(folder_ + "/coins", genesis_hash(parameters_), coins));
    pool_ = std::make_unique<LocalPool>(parameters_, *coins_, workers_,
                                        PoolLimits{.memory_bytes = std::uint64_t{4} << 30});
    blocks_ = must(open_block_file(real_fs(), folder_ + "/blocks", parameters_));
    state_ = must(ChainState::open(parameters_, {*coins_, *blocks_, workers_, system_clock()},
                                   tree(), *pool_));
  }

  void run() {
    const auto transactions = make(0, count_, 0);
    measure_raw(transactions);
    admit(transactions, 2'000, "admission", static_cast<double>(count_));
    measure_block();
    admit(make(count_, count_, 0), 2'000, "strangers", static_cast<double>(count_));
    const auto bulk = make(2 * count_, data_count, data_bytes);
    admit(bulk, 16, "bulk", static_cast<double>(data_count * data_bytes));
  }

 private:
  static constexpr std::size_t payer_count = 100;
  static constexpr std::size_t data_count = 400;
  static constexpr std::size_t data_bytes = std::size_t{1} << 20;
  static constexpr std::int64_t value = 100'000'000;

  HeaderTree& tree() {
    tree_ = std::make_unique<HeaderTree>(parameters_);
    return *tree_;
  }
  static bitcoin::OutPoint outpoint(std::size_t number) {
    std::array<std::uint8_t, 8> bytes{};
    store_le(bytes.data(), std::uint64_t{number});
    return {sha256(bytes), 0};
  }

  /// Of the coin with this number.
  [[nodiscard]] const Payer& payer(std::size_t number) const {
    const bool is_stranger = number >= count_ && number < 2 * count_;
    return *payers_[is_stranger ? payer_count + number - count_ : number % payer_count];
  }

  std::vector<Signed> make(std::size_t first, std::size_t count, std::size_t size_bytes) {
    std::vector<Signed> made(count);
    parallel_for(workers_, count, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const Payer& from = payer(first + i);
        bitcoin::Transaction tx;
        tx.inputs.push_back({outpoint(first + i), {}, 0xffffffff, {}});
        tx.outputs.push_back({value - 100'000, from.script});
        if (size_bytes > 0) {
          const Bytes data(size_bytes, static_cast<std::uint8_t>(i));
          tx.outputs.push_back({0, *bitcoin::data_output_script(parameters_.data_tag, data)});
        }
        made[i].hash = bitcoin::signature_hash(tx, 0, from.script, bitcoin::sighash_all);
        made[i].signature = from.key.sign(made[i].hash);
        made[i].public_key = from.public_key;
        Bytes with_type = made[i].signature;
        with_type.push_back(bitcoin::sighash_all);
        bitcoin::append_push(tx.inputs[0].script_sig, with_type);
        bitcoin::append_push(tx.inputs[0].script_sig, from.public_key);
        made[i].raw = bitcoin::serialize(tx, bitcoin::TxEncoding::no_witness);
      }
    });
    return made;
  }

  void measure_raw(const std::vector<Signed>& transactions) {
    std::atomic<std::size_t> good = 0;
    const double took_s = seconds_of("raw", [&] {
      parallel_for(workers_, transactions.size(), 64, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          secp256k1_pubkey key;
          secp256k1_ecdsa_signature signature;
          const Signed& one = transactions[i];
          const bool parsed =
              secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, one.public_key.data(),
                                        one.public_key.size()) == 1 &&
              secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &signature,
                                                  one.signature.data(), one.signature.size()) == 1;
          good += parsed && secp256k1_ecdsa_verify(secp256k1_context_static, &signature,
                                                   one.hash.data(), &key) == 1;
        }
      });
    });
    if (good != transactions.size()) std::exit(1);
    std::printf("raw %.0f\n", static_cast<double>(transactions.size()) / took_s);
  }

  void admit(const std::vector<Signed>& transactions, std::size_t batch, const char* name,
             double amount) {
    std::vector<ByteView> views;
    for (const Signed& one : transactions) views.emplace_back(one.raw);
    const std::size_t before = pool_->size();
    const double took_s = seconds_of(name, [&] {
      for (std::size_t i = 0; i < views.size(); i += batch) {
        const auto part = std::span(views).subspan(i, std::min(batch, views.size() - i));
        (void)must(pool_->admit(part));
      }
    });
    if (pool_->size() != before + views.size()) std::exit(1);
    std::printf("%s %.0f\n", name, amount / took_s);
  }

  void measure_block() {
    NetBlock block;
    bitcoin::Transaction coinbase;
    Bytes script;
    bitcoin::append_coinbase_height(script, 1);
    bitcoin::append_push(script, as_bytes("bench"));
    coinbase.inputs.push_back({{{}, 0xffffffff}, script, 0xffffffff, {}});
    coinbase.outputs.push_back({0, payers_[0]->script});
    block.transactions.push_back(share_transaction(std::move(coinbase)));
    for (const PoolEntry& entry : pool_->ascending()) {
      block.transactions.push_back(entry.transaction);
    }
    std::vector<Hash256> ids;
    for (const TransactionPtr& transaction : block.transactions) ids.push_back(transaction->txid);
    block.header = {0x20000000,
                    state_->tip().hash,
                    bitcoin::merkle_root(ids),
                    parameters_.genesis_time_s + 10,
                    state_->next_bits(),
                    0};
    while (!bitcoin::meets_target(bitcoin::block_hash(block.header), block.header.bits,
                                  parameters_.easiest_target())) {
      ++block.header.nonce;
    }
    const double took_s = seconds_of("block", [&] {
      const Verdict verdict = must(state_->process_block(block));
      if (!verdict.accepted()) {
        std::fprintf(stderr, "bench_net: error: %s\n", verdict.reason.c_str());
        std::exit(1);
      }
    });
    if (state_->tip().height != 1 || pool_->size() != 0) std::exit(1);
    std::printf("block %.3f\n", took_s);
    std::printf("again %llu\n", static_cast<unsigned long long>(state_->transactions_verified()));
  }

  std::string folder_;
  std::size_t count_;
  WorkPool workers_;
  ChainParameters parameters_;
  std::vector<std::unique_ptr<Payer>> payers_;
  std::unique_ptr<storage::CoinDatabase> coins_;
  std::unique_ptr<HeaderTree> tree_;
  std::unique_ptr<BlockStore> blocks_;
  std::unique_ptr<LocalPool> pool_;
  std::unique_ptr<ChainState> state_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_net FOLDER TRANSACTIONS THREADS\n");
    return 2;
  }
  Bench(argv[1], std::strtoul(argv[2], nullptr, 10),
        static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)))
      .run();
  return 0;
}
