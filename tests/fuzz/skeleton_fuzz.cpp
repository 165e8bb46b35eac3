// Any skeleton and any answers against a receiver: it ends, within its limits, and is complete with
// the list of the header's Merkle root only. The input: one byte of choices; a skeleton (2 bytes of
// size), any or a true one with changes; then answers, any or true ones with changes.

#include <algorithm>

#include "require.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/skeleton_receiver.hpp"
#include "twinchain/net/skeleton_sender.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::net;
using Next = SkeletonReceiver::Next;

constexpr ReceiverLimits limits{2048, 2048};

std::vector<Hash256> make_txids(std::uint8_t first, std::size_t count) {
  std::vector<Hash256> txids(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::array<std::uint8_t, 2> name{first, static_cast<std::uint8_t>(i)};
    txids[i] = sha256(name);
  }
  std::sort(txids.begin(), txids.end(), canonical_less);
  return txids;
}

const Bytes& coinbase_bytes() {
  static const Bytes bytes = [] {
    bitcoin::Transaction coinbase;
    coinbase.inputs.push_back({{{}, 0xffffffff}, {1, 2}, 0xffffffff, {}});
    coinbase.outputs.push_back({5, {0x51}});
    return bitcoin::serialize(coinbase);
  }();
  return bytes;
}

SkeletonSender make_sender(const std::vector<Hash256>& block) {
  std::vector<Hash256> all{sha256d(coinbase_bytes())};
  all.insert(all.end(), block.begin(), block.end());
  bitcoin::BlockHeader header;
  header.merkle_root = bitcoin::merkle_root(all);
  return {header, coinbase_bytes(), block, nullptr, {.max_symbols = 60}};
}

// Takes bytes from the front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : cursor_(ByteView(data, size)) {}
  std::uint8_t byte() { return cursor_.read_le<std::uint8_t>(); }
  ByteView bytes() {
    const auto size = cursor_.read_le<std::uint16_t>();
    return cursor_.read_view(std::min<std::size_t>(size, cursor_.remaining()));
  }
  // True bytes with some changed.
  Bytes changed(Bytes bytes) {
    for (int changes = byte() % 8; changes > 0 && !bytes.empty(); --changes) {
      const auto at = cursor_.read_le<std::uint16_t>();
      bytes[at % bytes.size()] ^= byte();
    }
    return bytes;
  }
  [[nodiscard]] bool more() const { return cursor_.remaining() > 0; }

 private:
  ByteCursor cursor_;
};

void answer(SkeletonReceiver& receiver, SkeletonSender& sender, const std::vector<Hash256>& block,
            Input& input) {
  const bool is_true = (input.byte() & 3) != 0;
  if (receiver.next() == Next::ask_symbols) {
    const SymbolRequest request = receiver.symbol_request();
    require(request.count > 0 && receiver.symbols_received() + request.count <= limits.symbols);
    const auto true_range = sender.symbols(request);
    Bytes bytes;
    if (is_true && true_range) {
      bytes = input.changed(iblt::encode_symbol_range(*true_range));
    } else {
      const ByteView any = input.bytes();
      bytes.assign(any.begin(), any.end());
    }
    const auto range = iblt::parse_symbol_range(bytes, limits.symbols);
    if (!range || !receiver.add_symbols(*range)) receiver.give_up_rung();
  } else if (receiver.next() == Next::ask_short_ids) {
    ShortIdList list = sender.short_ids();
    list.block = bitcoin::block_hash(receiver.skeleton().header);
    const auto parsed = parse_short_id_list(input.changed(encode_short_id_list(list)));
    if (!parsed || !receiver.add_short_ids(*parsed)) receiver.give_up_rung();
  } else if (receiver.next() == Next::ask_transactions) {
    const std::size_t missing = receiver.missing();
    const TransactionRequest request = receiver.transaction_request();
    require(missing > 0 && request.ids.size() + request.positions.size() ==
                               std::min(missing, max_transactions_in_request));
    Hash256 any{};
    const std::size_t at = input.byte();
    if (is_true && at < block.size()) any = block[at];
    if (!receiver.add_transaction(any)) {
      require(receiver.missing() == missing);
      bool useful = false;
      for (const Hash256& txid : block) useful = receiver.add_transaction(txid) || useful;
      if (!useful) receiver.give_up_rung();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t choices = input.byte();
  const std::vector<Hash256> block = make_txids(1, 40);
  SkeletonSender sender = make_sender(block);
  Bytes bytes;
  if ((choices & 1) != 0) {
    const ByteView any = input.bytes();
    bytes.assign(any.begin(), any.end());
  } else {
    bytes = input.changed(encode_skeleton(sender.skeleton()));
  }
  const auto skeleton = parse_skeleton(bytes, limits.symbols);
  if (!skeleton) return 0;
  std::vector<Hash256> base(block.begin() + (choices >> 1 & 7), block.end() - (choices >> 4 & 3));
  const auto more = make_txids(2, choices >> 6 & 3);
  base.insert(base.end(), more.begin(), more.end());
  SkeletonReceiver receiver(*skeleton, base, (choices & 1) != 0 ? block : more, limits);
  // Each step takes something of what is missing, or goes down a rung.
  for (int step = 0; step < 10'000; ++step) {
    if (receiver.next() == Next::ask_block) {
      require(receiver.txids().empty());
      return 0;
    }
    if (receiver.next() == Next::complete) break;
    if (!input.more()) receiver.give_up_rung();
    answer(receiver, sender, block, input);
  }
  require(receiver.next() == Next::complete);
  std::vector<Hash256> all{sha256d(receiver.skeleton().coinbase)};
  all.insert(all.end(), receiver.txids().begin(), receiver.txids().end());
  require(in_canonical_order(receiver.txids()) && receiver.missing() == 0);
  require(all.size() == receiver.skeleton().transaction_count);
  require(bitcoin::merkle_root(all) == receiver.skeleton().header.merkle_root);
  return 0;
}
