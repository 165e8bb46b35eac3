// Any bytes as a Merkle block: every match's branch leads to the header's root.

#include <cstdlib>

#include "twinchain/bitcoin/merkle_block.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"

namespace {

using namespace twinchain;

// So that the fuzzer gets past the root: the root that the error would have liked is not known
// from outside, but a proof of our own making for the given choice is.
void check_own_proof(ByteView input) {
  if (input.size() < 2) return;
  const std::size_t count = 1 + input[0] % 64;
  std::vector<Hash256> txids(count);
  for (std::size_t i = 0; i < count; ++i) txids[i][0] = static_cast<std::uint8_t>(i + 1);
  std::vector<bool> matches(count);
  for (std::size_t i = 0; i < count; ++i) {
    matches[i] = (input[1 + (i / 8) % (input.size() - 1)] >> (i % 8) & 1) != 0;
  }
  bitcoin::BlockHeader header;
  header.merkle_root = bitcoin::merkle_root(txids);
  const auto parsed =
      bitcoin::parse_merkle_block(bitcoin::make_merkle_block(header, txids, matches));
  if (!parsed) std::abort();
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (matches[i] && parsed->matches.at(found++).index != i) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_own_proof(input);
  const auto parsed = bitcoin::parse_merkle_block(input);
  if (!parsed) return 0;
  for (const bitcoin::MatchedTransaction& match : parsed->matches) {
    const auto root = bitcoin::root_from_branch(match.txid, match.index, match.branch);
    if (!root || *root != parsed->header.merkle_root) std::abort();
  }
  return 0;
}
