// Any bytes as a receipt: what parses encodes to the same bytes, and checking it ends.

#include <cstdlib>

#include "twinchain/ledger/receipt.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const ByteView input(data, size);
  const auto receipt = ledger::parse_receipt(input);
  if (!receipt) return 0;
  const Bytes again = ledger::encode_receipt(*receipt);
  if (Bytes(input.begin(), input.end()) != again) std::abort();
  const auto facts = ledger::check_receipt(*receipt);
  if (facts && facts->block_hash != receipt->block_hash) std::abort();
  return 0;
}
