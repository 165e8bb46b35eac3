// The memory pool as the rest of a node sees it: insert, get, claim an outpoint. Floor 6.
//
// The pool may be one node's memory that all nodes keep equal (LocalPool), or spread over many
// nodes that are asked (a distributed hash table): so answers come by a function, before the call
// returns or later. A transaction is found by its txid; the claim of an outpoint says which
// transaction spends it, so that two spends sent to two nodes meet.
#pragma once

#include <functional>

#include "twinchain/net/transaction_check.hpp"

namespace twinchain::net {

class TransactionPool {
 public:
  virtual ~TransactionPool() = default;
  /// Checks a transaction in full and keeps it.
  virtual void insert(ByteView raw, std::function<void(const Verdict&)> done) = 0;
  /// Gives nullptr when it is not in the pool.
  virtual void get(const Hash256& txid, std::function<void(TransactionPtr)> done) = 0;
  /// Takes an outpoint for a transaction unless another has it already: the first wins. Gives who
  /// has it now.
  virtual void claim(const bitcoin::OutPoint& outpoint, const Hash256& txid,
                     std::function<void(const Hash256& holder)> done) = 0;
};

}  // namespace twinchain::net
