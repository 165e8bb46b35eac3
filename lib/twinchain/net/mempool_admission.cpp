#include <algorithm>
#include <mutex>

#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/mempool.hpp"

namespace twinchain::net {
namespace {

using bitcoin::OutPoint;

// Bitcoin's MAX_STANDARD_SCRIPTSIG_SIZE: 15 keys of a P2SH CHECKMULTISIG.
constexpr std::size_t max_script_sig_bytes = 1'650;
// Transactions that a thread takes at a time: some tenths of a millisecond of work.
constexpr std::size_t examined_at_once = 64;
constexpr std::size_t run_at_once = 32;

bool is_pay_to_key_hash(ByteView s) {
  return s.size() == 25 && s[0] == bitcoin::OP_DUP && s[1] == bitcoin::OP_HASH160 && s[2] == 20 &&
         s[23] == bitcoin::OP_EQUALVERIFY && s[24] == bitcoin::OP_CHECKSIG;
}

bool is_pay_to_key(ByteView s) {
  return (s.size() == 35 || s.size() == 67) && s[0] == s.size() - 2 &&
         s.back() == bitcoin::OP_CHECKSIG;
}

bool is_data(ByteView s) {
  std::size_t at = 0;
  if (!s.empty() && s[0] == bitcoin::OP_0) ++at;
  if (s.size() <= at || s[at] != bitcoin::OP_RETURN) return false;
  return bitcoin::is_push_only(s.subspan(at + 1));
}

}  // namespace

struct LocalPool::Candidate {
  TransactionPtr transaction;
  Admission admission;
  SpendCost cost;
  std::vector<Coin> spent;           ///< what its inputs spend, until its scripts have run
  std::vector<std::size_t> parents;  ///< in the batch
  bool spends_pool = false;          ///< a transaction of the pool or of the batch
  bool scripts_were_known = false;
  bool ran_well = false;  ///< its scripts, now
  bool decided = false;
};

/// The transactions that are checked together.
class LocalPool::Batch {
 public:
  Batch(std::vector<Candidate>& candidates, const SipKey& table_key)
      : candidates_(candidates), positions_(0, SaltedHasher{table_key}) {
    positions_.reserve(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].transaction != nullptr) {
        positions_.emplace(candidates[i].transaction->txid, i);
      }
    }
  }
  [[nodiscard]] const std::size_t* position(const Hash256& txid) const {
    const auto found = positions_.find(txid);
    return found == positions_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] Candidate& operator[](std::size_t at) const { return candidates_[at]; }

 private:
  std::vector<Candidate>& candidates_;
  boost::unordered_flat_map<Hash256, std::size_t, SaltedHasher> positions_;
};

Verdict LocalPool::check_standard(const NetTransaction& transaction) const {
  const bitcoin::Transaction& tx = transaction.tx;
  if (tx.is_coinbase()) return Verdict::invalid("coinbase");
  if (tx.version < 1 || tx.version > 2) return Verdict::refused("version");
  for (const bitcoin::TxIn& input : tx.inputs) {
    if (input.script_sig.size() > max_script_sig_bytes) return Verdict::refused("scriptsig-size");
    if (!bitcoin::is_push_only(input.script_sig)) return Verdict::refused("scriptsig-not-pushonly");
  }
  for (const bitcoin::TxOut& output : tx.outputs) {
    const ByteView script = output.script_pubkey;
    if (!is_pay_to_key_hash(script) && !is_pay_to_key(script) &&
        !bitcoin::is_pay_to_script_hash(script) && !is_data(script)) {
      return Verdict::refused("scriptpubkey");
    }
  }
  return {};
}

/// All but the scripts. On a worker's thread: looks at the pool and the batch (none: at first),
/// changes the candidate only.
void LocalPool::examine(Candidate& candidate, const Batch* batch,
                        const storage::CoinSnapshot& snapshot) const {
  const NetTransaction& transaction = *candidate.transaction;
  Verdict& verdict = candidate.admission.verdict;
  candidate.admission.txid = transaction.txid;
  verdict = check_standard(transaction);
  if (!verdict.accepted()) return;
  std::vector<Coin>& spent = candidate.spent;
  spent.clear();
  spent.reserve(transaction.tx.inputs.size());
  for (const bitcoin::TxIn& input : transaction.tx.inputs) {
    const OutPoint& outpoint = input.previous_output;
    const Hash256 holder = spender(outpoint);
    if (holder == transaction.txid && entries_.contains(holder)) {
      verdict = {Outcome::known, "txn-already-in-mempool", false};
      return;
    }
    if (holder != Hash256{} && holder != transaction.txid) {
      candidate.admission.conflict = holder;
      verdict = Verdict::refused("txn-mempool-conflict");
      return;
    }
    TransactionPtr parent = find(outpoint.txid);
    const std::size_t* at =
        parent == nullptr && batch != nullptr ? batch->position(outpoint.txid) : nullptr;
    if (at != nullptr) {
      candidate.parents.push_back(*at);
      parent = (*batch)[*at].transaction;
    }
    if (parent != nullptr) {
      candidate.spends_pool = true;
      if (outpoint.index >= parent->tx.outputs.size() ||
          bitcoin::is_unspendable(parent->tx.outputs[outpoint.index].script_pubkey)) {
        verdict = Verdict::invalid("bad-txns-inputs-missingorspent");
        return;
      }
      const bitcoin::TxOut& output = parent->tx.outputs[outpoint.index];
      spent.push_back({output.value_sat, context_.height, false, output.script_pubkey});
      continue;
    }
    auto coin = snapshot.find(outpoint);
    if (!coin || !*coin) {
      verdict = Verdict::incomplete("missing-inputs");
      return;
    }
    spent.push_back(std::move(**coin));
  }
  verdict = check_spends(parameters_, transaction, spent, context_, candidate.cost);
  if (!verdict.accepted()) return;
  if (candidate.cost.fee_sat < parameters_.min_fee_sat(transaction.size_bytes)) {
    verdict = Verdict::refused("min relay fee not met");
    return;
  }
  candidate.scripts_were_known = was_valid(transaction.txid);
}

/// Decides: its parents have been, its scripts have run. Others of the batch may have been taken
/// meanwhile, and it may be in the batch twice.
void LocalPool::take(Candidate& candidate, const std::vector<Candidate>& batch) {
  candidate.decided = true;
  Admission& admission = candidate.admission;
  if (!admission.verdict.accepted()) return;
  const NetTransaction& transaction = *candidate.transaction;
  for (const std::size_t parent : candidate.parents) {
    if (!entries_.contains(batch[parent].transaction->txid)) {
      admission.verdict = Verdict::incomplete("missing-inputs");
      return;
    }
  }
  PoolEntry entry{candidate.transaction,
                  candidate.cost.fee_sat,
                  candidate.cost.signature_operations,
                  now_s_,
                  0,
                  candidate.spends_pool ? chain_of(transaction) : 1};
  if (entry.chain > limits_.max_chain) {
    admission.verdict = Verdict::refused("too-long-mempool-chain");
    return;
  }
  if (const Hash256 other = claim_inputs(transaction); other != Hash256{}) {
    admission.conflict = other;
    admission.verdict = Verdict::refused("txn-mempool-conflict");
    return;
  }
  if (!add(std::move(entry))) {
    admission.verdict = {Outcome::known, "txn-already-in-mempool", false};
    return;
  }
  if (memory_bytes_ > limits_.memory_bytes) {
    evict();
    if (!entries_.contains(transaction.txid)) admission.verdict = Verdict::refused("mempool full");
  }
}

Result<std::vector<Admission>> LocalPool::admit(std::span<const ByteView> raw) {
  std::vector<Candidate> candidates(raw.size());
  return admit_candidates(candidates, [&](std::size_t i) {
    candidates[i].admission.verdict =
        read_transaction(parameters_, raw[i], candidates[i].transaction);
  });
}

Result<std::vector<Admission>> LocalPool::admit_parsed(std::vector<TransactionPtr> transactions) {
  std::vector<Candidate> candidates(transactions.size());
  return admit_candidates(
      candidates, [&](std::size_t i) { candidates[i].transaction = std::move(transactions[i]); });
}

/// Examines on all threads those that `wanted` names.
Status LocalPool::examine_all(std::vector<Candidate>& candidates, const Batch* batch,
                              const std::function<bool(std::size_t)>& wanted) {
  std::mutex mutex;
  std::optional<Error> failure;
  const auto examine_part = [&](std::size_t begin, std::size_t end) {
    auto snapshot = coins_.snapshot();
    if (!snapshot) {
      const std::lock_guard lock(mutex);
      failure = std::move(snapshot.error());
      return;
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (wanted(i)) examine(candidates[i], batch, *snapshot);
    }
  };
  parallel_for(workers_, candidates.size(), examined_at_once, examine_part);
  if (failure) return std::unexpected(std::move(*failure));
  return {};
}

/// Runs the scripts on all threads, and decides meanwhile: scripts do not look at the pool.
void LocalPool::run_and_take(std::vector<Candidate>& candidates) {
  const auto run = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      Candidate& candidate = candidates[i];
      Verdict& verdict = candidate.admission.verdict;
      if (!verdict.accepted() || candidate.scripts_were_known) continue;
      verdict = check_scripts(*candidate.transaction, candidate.spent);
      candidate.ran_well = verdict.accepted();
    }
  };
  std::vector<std::size_t> late;
  const auto is_undecided = [&](std::size_t at) { return !candidates[at].decided; };
  const auto undecided_parent = [&](const Candidate& candidate) {
    return std::find_if(candidate.parents.begin(), candidate.parents.end(), is_undecided);
  };
  const auto decide = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      Candidate& candidate = candidates[i];
      verified_ += candidate.ran_well ? 1 : 0;
      if (undecided_parent(candidate) == candidate.parents.end()) {
        take(candidate, candidates);
      } else {
        late.push_back(i);
      }
    }
  };
  parallel_for(workers_, candidates.size(), run_at_once, run, decide);
  // Those that came before a parent of theirs.
  std::vector<std::size_t> waiting;
  for (const std::size_t i : late) {
    waiting.push_back(i);
    while (!waiting.empty()) {
      Candidate& candidate = candidates[waiting.back()];
      const auto parent = undecided_parent(candidate);
      if (!candidate.decided && parent != candidate.parents.end()) {
        waiting.push_back(*parent);
        continue;
      }
      waiting.pop_back();
      if (!candidate.decided) take(candidate, candidates);
    }
  }
}

Result<std::vector<Admission>> LocalPool::admit_candidates(
    std::vector<Candidate>& candidates, const std::function<void(std::size_t)>& prepare) {
  // Most spend what is in the pool or in the coins. Those that do not are looked at again, beside
  // the others of the batch.
  TWINCHAIN_TRY(examine_all(candidates, nullptr, [&](std::size_t i) {
    prepare(i);
    return candidates[i].transaction != nullptr;
  }));
  const auto is_incomplete = [&](std::size_t i) {
    return candidates[i].admission.verdict.outcome == Outcome::incomplete;
  };
  bool any_incomplete = false;
  for (std::size_t i = 0; i < candidates.size(); ++i) any_incomplete |= is_incomplete(i);
  if (any_incomplete) {
    const Batch batch(candidates, limits_.table_key);
    TWINCHAIN_TRY(examine_all(candidates, &batch, is_incomplete));
  }
  run_and_take(candidates);
  std::vector<Admission> admissions;
  admissions.reserve(candidates.size());
  for (Candidate& candidate : candidates) admissions.push_back(std::move(candidate.admission));
  return admissions;
}

}  // namespace twinchain::net
