// Any bytes as a transaction or a block: what parses serialises to the same bytes.

#include <cstdlib>

#include "twinchain/bitcoin/block.hpp"
#include "twinchain/bitcoin/script.hpp"

namespace {

using namespace twinchain;

void check_transaction(ByteView input, bitcoin::TxEncoding encoding) {
  const auto parsed = bitcoin::parse_transaction(input, encoding);
  if (!parsed) return;
  if (bitcoin::serialize(*parsed, encoding) != Bytes(input.begin(), input.end())) std::abort();
  const Bytes stripped = bitcoin::serialize(*parsed, bitcoin::TxEncoding::no_witness);
  const auto again = bitcoin::parse_transaction(stripped, bitcoin::TxEncoding::no_witness);
  if (!again || bitcoin::txid(*again) != bitcoin::txid(*parsed)) std::abort();
  for (const bitcoin::TxOut& output : parsed->outputs) {
    const auto payload = bitcoin::op_return_payload(output.script_pubkey);
    if (payload && bitcoin::op_return_script(*payload) != output.script_pubkey) std::abort();
    bitcoin::ScriptReader reader(output.script_pubkey);
    while (reader.next()) {
    }
    if (!reader.malformed() && !reader.at_end()) std::abort();
  }
  (void)bitcoin::coinbase_height(*parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_transaction(input, bitcoin::TxEncoding::full);
  check_transaction(input, bitcoin::TxEncoding::no_witness);
  const auto block = bitcoin::parse_block(input);
  if (!block) return 0;
  if (bitcoin::serialize(*block) != Bytes(input.begin(), input.end())) std::abort();
  (void)bitcoin::check_block(*block);
  return 0;
}
