#include "twinchain/net/node_queries.hpp"

#include <algorithm>

#include "twinchain/bitcoin/merkle_branch.hpp"

namespace twinchain::net {

Result<Coins> find_coins(const NodeContext& node, ByteView script_pubkey) {
  std::vector<WireCoin> found;
  const std::uint32_t next_height = node.chain.tip().height + 1;
  const auto is_ours = [&](const Bytes& script) {
    return std::ranges::equal(script, script_pubkey);
  };
  Status visited =
      node.chain.coins().visit([&](const bitcoin::OutPoint& outpoint, const Coin& coin) {
        if (!is_ours(coin.script_pubkey)) return true;
        const bool mature =
            !coin.coinbase || next_height >= coin.height + node.parameters.coinbase_maturity;
        if (mature && node.pool.spender(outpoint) == Hash256{}) {
          found.push_back({outpoint, coin.value_sat});
        }
        return true;
      });
  if (!visited) return pass(visited);
  node.pool.visit([&](const PoolEntry& entry) {
    const auto& outputs = entry.transaction->tx.outputs;
    for (std::uint32_t i = 0; i < outputs.size(); ++i) {
      const bitcoin::OutPoint outpoint{entry.transaction->txid, i};
      if (is_ours(outputs[i].script_pubkey) && node.pool.spender(outpoint) == Hash256{}) {
        found.push_back({outpoint, outputs[i].value_sat});
      }
    }
  });
  std::ranges::sort(found, std::ranges::greater(), &WireCoin::value_sat);
  if (found.size() > max_wire_coins) found.resize(max_wire_coins);
  return Coins{std::move(found)};
}

void TransactionFinder::remember(const Hash256& block, const NetBlock& body) {
  std::vector<std::uint64_t> prefixes;
  prefixes.reserve(body.transactions.size());
  for (const TransactionPtr& one : body.transactions) {
    prefixes.push_back(load_le<std::uint64_t>(one->txid.data()));
  }
  std::ranges::sort(prefixes);
  remembered_ += prefixes.size();
  blocks_[block] = std::move(prefixes);
  order_.push_back(block);
  while (remembered_ > max_remembered && order_.size() > 1) {
    remembered_ -= blocks_.at(order_.front()).size();
    blocks_.erase(order_.front());
    order_.pop_front();
  }
}

/// Whether the block has the transaction; then the answer says where.
Result<bool> TransactionFinder::look_into(const NodeContext& node, const HeaderNode& at,
                                          FoundTransaction& answer) {
  const auto known = blocks_.find(at.hash);
  if (known != blocks_.end() &&
      !std::ranges::binary_search(known->second, load_le<std::uint64_t>(answer.txid.data()))) {
    return false;
  }
  NetBlock block;
  if (at.parent == nullptr) {
    // No body is kept of what follows from the parameters.
    bitcoin::Block genesis = genesis_block(node.parameters);
    block.header = genesis.header;
    for (bitcoin::Transaction& one : genesis.transactions) {
      block.transactions.push_back(share_transaction(std::move(one)));
    }
  } else {
    auto raw = node.blocks.get(at.hash);
    if (!raw) return pass(raw);
    if (!*raw) return false;
    if (!read_block(node.parameters, **raw, node.workers, block).accepted()) return false;
  }
  if (known == blocks_.end()) remember(at.hash, block);
  const auto found = std::ranges::find_if(
      block.transactions, [&](const TransactionPtr& one) { return one->txid == answer.txid; });
  if (found == block.transactions.end()) return false;
  std::vector<Hash256> txids;
  txids.reserve(block.transactions.size());
  for (const TransactionPtr& one : block.transactions) txids.push_back(one->txid);
  answer.place = FoundTransaction::Place::block;
  answer.height = at.height;
  answer.header = at.header;
  answer.position = static_cast<std::uint32_t>(found - block.transactions.begin());
  answer.transaction_count = static_cast<std::uint32_t>(txids.size());
  answer.branch = bitcoin::merkle_branch(txids, answer.position);
  answer.coinbase = bitcoin::serialize(block.transactions[0]->tx, bitcoin::TxEncoding::no_witness);
  answer.coinbase_branch = bitcoin::merkle_branch(txids, 0);
  return true;
}

Result<FoundTransaction> TransactionFinder::find(const NodeContext& node,
                                                 const FindTransaction& question) {
  FoundTransaction answer;
  answer.txid = question.txid;
  answer.tip_height = node.chain.tip().height;
  if (node.pool.find(question.txid) != nullptr) {
    answer.place = FoundTransaction::Place::pool;
    return answer;
  }
  for (std::uint32_t i = 0; i < blocks_a_question; ++i) {
    const std::uint64_t height = std::uint64_t{question.first_height} + i;
    if (height > answer.tip_height) break;
    const HeaderNode* at =
        HeaderTree::ancestor(node.chain.tip(), static_cast<std::uint32_t>(height));
    auto found = look_into(node, *at, answer);
    if (!found) return pass(found);
    if (*found) break;
  }
  return answer;
}

}  // namespace twinchain::net
