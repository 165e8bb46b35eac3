// A network of trivial difficulty for the tests of net.
#pragma once

#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/chain_parameters.hpp"

namespace twinchain::testing {

/// 2026-01-01T00:00:00Z.
inline constexpr std::uint32_t genesis_time_for_tests_s = 1'767'225'600;

inline net::ChainParameters parameters_for_tests() {
  net::ChainParameters parameters;
  parameters.name = "test";
  parameters.magic = 0x7477696e;
  parameters.coinbase_maturity = 5;
  parameters.halving_interval = 150;
  parameters.genesis_time_s = genesis_time_for_tests_s;
  parameters.genesis_message = "a network for tests";
  parameters.fundings.push_back({1'000'000'000'000, {bitcoin::OP_TRUE}});
  net::mine_genesis(parameters, [] { return false; });
  return parameters;
}

/// Does the work that the header's bits ask for.
inline void find_nonce(bitcoin::BlockHeader& header) {
  const bitcoin::UInt256 any = ~bitcoin::UInt256();
  while (!bitcoin::meets_target(bitcoin::block_hash(header), header.bits, any)) ++header.nonce;
}

}  // namespace twinchain::testing
