// Answers of a hostile node: the first byte chooses what is asked, each following line is the body
// of the answer to the next call. Whatever comes, a receipt that is given out proves what it says.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/ledger/receipt.hpp"
#include "twinchain/ledger/rpc_ledger.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::ledger;

class LineConnection final : public RpcConnection {
 public:
  explicit LineConnection(std::string_view lines) : rest_(lines) {}
  Result<RpcReply> call(std::string_view, std::string_view, bool) override {
    if (rest_.empty()) return fail(ExitCode::peer, "no more answers");
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(rest_.size(), line.size() + 1));
    return parse_rpc_reply(line);
  }

 private:
  std::string_view rest_;
};

Bytes payload() {
  Hash256 hash{};
  hash.fill(0x42);
  return anchor_payload(hash);
}

/// A transaction that a node made for this payload.
Prepared earlier_transaction() {
  static const Bytes raw = *from_hex(
      "02000000000101706d0029b77c132bc182f30bd18581eacd744333e26a67bb029c1cd126b0bbcc0000000000fd"
      "ffffff02a8e5052a0100000016001400000000000000000000000000000000000000000000000000000000276a"
      "255457494e0142424242424242424242424242424242424242424242424242424242424242420101aa00000000");
  const auto parsed = bitcoin::parse_transaction(raw);
  if (!parsed) std::abort();
  return {raw, bitcoin::txid(*parsed), 3160};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view lines(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto ledger = make_rpc_ledger("litecoin", std::make_unique<LineConnection>(lines), {});
  const Prepared earlier = earlier_transaction();
  bool fee_too_low = false;
  switch (data[0] % 8) {
    case 0:
      (void)ledger->tip();
      break;
    case 1:
      (void)ledger->ready_to_publish();
      break;
    case 2:
      if (const auto prepared = ledger->prepare(payload())) {
        if (!bitcoin::parse_transaction(prepared->raw_transaction)) std::abort();
      }
      break;
    case 3:
      (void)ledger->broadcast(earlier, &fee_too_low);
      break;
    case 4:
      (void)ledger->status(earlier.txid);
      break;
    case 5:
      (void)ledger->bump_fee(earlier);
      break;
    case 6: {
      // The one that the corpus has the block of.
      const auto txid = *hash_from_hex_reversed(
          "d1af2654f73558f8f8c91516465ebc5aeda89a3fe64bba568bb36848743588b6");
      const auto receipt = ledger->receipt(txid, payload());
      if (receipt && !check_receipt(*receipt)) std::abort();
      break;
    }
    default:
      (void)ledger->position(earlier.txid);
      break;
  }
  return 0;
}
