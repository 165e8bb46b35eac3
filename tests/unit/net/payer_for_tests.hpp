// A node without sockets for the tests of payers: a real pool and real coins judge what they send.
#pragma once

#include <map>

#include "twinchain/net/frame_payer.hpp"
#include "twinchain/net/mempool.hpp"
#include "twinchain/stream/writer.hpp"
#include "unit/net/blocks_for_tests.hpp"

namespace twinchain::testing {

struct StreamFrame {
  FrameHeader header;
  Bytes body;
};

inline StreamFrame stream_frame(std::uint64_t sequence, std::size_t size, FrameType type,
                                std::string_view source = "engine") {
  StreamFrame frame;
  frame.header.type = type;
  frame.header.source = source_id(source);
  frame.header.sequence = sequence;
  frame.header.window_start_ns = static_cast<std::int64_t>(sequence) * 1'000;
  frame.header.window_end_ns = frame.header.window_start_ns + 1'000;
  frame.body.assign(size, static_cast<std::uint8_t>(sequence * 7));
  set_body(frame.header, frame.body);
  return frame;
}
inline std::vector<StreamFrame> stream_frames(std::uint64_t first, std::uint64_t count,
                                              std::size_t size = 300) {
  std::vector<StreamFrame> frames;
  for (std::uint64_t i = first; i < first + count; ++i) {
    frames.push_back(stream_frame(i, size + i % 5, FrameType::data));
  }
  return frames;
}
inline Bytes bytes_of(const std::vector<StreamFrame>& frames) {
  Bytes bytes;
  for (const StreamFrame& frame : frames) append(bytes, encode_frame(frame.header, frame.body));
  return bytes;
}

class NodeForTests {
 public:
  explicit NodeForTests(std::size_t fundings, const net::PoolLimits& limits = {})
      : chain(fundings), limits_(limits) {
    genesis_ = net::genesis_block(chain.parameters).header;
    lose_pool();
  }

  /// As after a restart without the pool's file.
  void lose_pool() {
    pool = std::make_unique<net::LocalPool>(chain.parameters, *chain.coins, chain.workers, limits_);
    pool->set_tip(chain.context());
  }
  /// All of the pool goes into a block.
  const net::NetBlock& mine(bool empty = false) {
    std::vector<net::TransactionPtr> transactions;
    if (!empty) {
      for (const net::PoolEntry& entry : pool->ascending()) {
        transactions.push_back(entry.transaction);
      }
    }
    net::NetBlock block = chain.block(std::move(transactions), 0);
    chain.connect(block);
    pool->set_tip(chain.context());
    pool->block_connected(block);
    for (const net::TransactionPtr& transaction : block.transactions) {
      heights_[transaction->txid] = chain.coins->tip().height;
    }
    blocks.push_back(std::move(block));
    return blocks.back();
  }

  std::optional<net::Message> answer(const net::Message& message) {
    if (const auto* submit = std::get_if<net::Submit>(&message)) return judge(*submit);
    if (const auto* question = std::get_if<net::GetCoins>(&message)) return coins(*question);
    if (const auto* question = std::get_if<net::FindTransaction>(&message)) return find(*question);
    FAIL("a message that payers do not send");
    return std::nullopt;
  }
  net::Verdicts judge(const net::Submit& submit) {
    std::uint64_t size = 0;
    for (const Bytes& raw : submit.transactions) size += raw.size();
    CHECK((submit.transactions.size() == 1 || size <= net::transactions_message_bytes));
    const std::vector<ByteView> views(submit.transactions.begin(), submit.transactions.end());
    auto admitted = pool->admit(views);
    REQUIRE(admitted);
    net::Verdicts verdicts;
    for (const net::Admission& admission : *admitted) {
      verdicts.verdicts.push_back(
          {admission.txid, admission.verdict.outcome, admission.verdict.reason});
      submitted.push_back(admission.txid);
    }
    return verdicts;
  }
  net::Coins coins(const net::GetCoins& question) {
    net::Coins answer;
    const auto offer = [&](const bitcoin::OutPoint& outpoint, const bitcoin::TxOut& output) {
      if (output.script_pubkey == question.script_pubkey && pool->spender(outpoint) == Hash256{}) {
        answer.coins.push_back({outpoint, output.value_sat});
      }
    };
    const auto genesis = net::genesis_block(chain.parameters).transactions[0];
    std::vector<std::pair<Hash256, bitcoin::Transaction>> all{{chain.genesis_txid, genesis}};
    for (const net::NetBlock& block : blocks) {
      for (std::size_t i = 1; i < block.transactions.size(); ++i) {
        all.emplace_back(block.transactions[i]->txid, block.transactions[i]->tx);
      }
    }
    auto snapshot = chain.coins->snapshot();
    REQUIRE(snapshot);
    for (const auto& [txid, tx] : all) {
      for (std::uint32_t i = 0; i < tx.outputs.size(); ++i) {
        auto coin = snapshot->find({txid, i});
        REQUIRE(coin);
        if (*coin) offer({txid, i}, tx.outputs[i]);
      }
    }
    for (const net::PoolEntry& entry : pool->ascending()) {
      for (std::uint32_t i = 0; i < entry.transaction->tx.outputs.size(); ++i) {
        offer({entry.transaction->txid, i}, entry.transaction->tx.outputs[i]);
      }
    }
    std::ranges::stable_sort(answer.coins, std::greater<>(), &net::WireCoin::value_sat);
    return answer;
  }
  net::FoundTransaction find(const net::FindTransaction& question) {
    ++questions;
    net::FoundTransaction found;
    found.txid = question.txid;
    found.tip_height = chain.coins->tip().height;
    const auto height = heights_.find(question.txid);
    if (question.txid == chain.genesis_txid) {
      found.place = net::FoundTransaction::Place::block;
    } else if (height != heights_.end() && height->second >= question.first_height) {
      found.place = net::FoundTransaction::Place::block;
      found.height = height->second;
    } else if (pool->find(question.txid) != nullptr) {
      found.place = net::FoundTransaction::Place::pool;
    }
    return found;
  }

  CoinsForTests chain;
  std::unique_ptr<net::LocalPool> pool;
  std::vector<net::NetBlock> blocks;
  std::vector<Hash256> submitted;
  std::size_t questions = 0;

 private:
  net::PoolLimits limits_;
  bitcoin::BlockHeader genesis_;
  std::map<Hash256, std::uint32_t> heights_;
};

/// Carries messages between a payer and a node until both are silent. False: the payer has failed.
inline Status talk(net::FramePayer& payer, NodeForTests& node, std::int64_t now_ns) {
  for (int rounds = 0; rounds < 1'000; ++rounds) {
    auto messages = payer.take_messages(now_ns);
    if (!messages) return pass(messages);
    if (messages->empty()) return {};
    for (const net::Message& message : *messages) {
      const auto answer = node.answer(message);
      if (answer) TWINCHAIN_TRY(payer.receive(*answer, now_ns));
    }
  }
  FAIL("a payer that never falls silent");
  return {};
}

}  // namespace twinchain::testing
