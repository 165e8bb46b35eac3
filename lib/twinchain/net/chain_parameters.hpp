// What all nodes of one network agree on: one file, made by `mnode genesis`. Floor 6.
//
// The file is text, `name = value` lines, `#` begins a comment; mnode(1) documents it. The genesis
// block follows from it, and its coinbase holds the hash of all the rules: two files that differ in
// a rule are two networks, with two genesis hashes, and nodes find that out when they meet. (What a
// node may decide by itself, the least fee it relays for, is not part of that hash.)
//
// Money: data transactions pay fees, so their senders need coins. The outputs of the genesis block
// are coins like any other, spendable from block 1 on: a consortium that makes a network gives its
// members' keys what they need (`fund`). Miners earn subsidy and fees on top.
#pragma once

#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/block.hpp"
#include "twinchain/bitcoin/pow.hpp"
#include "twinchain/bitcoin/tx_check.hpp"
#include "twinchain/net/asert.hpp"

namespace twinchain::net {

using bitcoin::max_money_sat;
/// No file of parameters is longer.
inline constexpr std::size_t max_parameters_file_bytes = 1 << 20;
inline constexpr std::size_t max_name_bytes = 32;
inline constexpr std::size_t max_message_bytes = 60;
inline constexpr std::size_t max_data_tag_bytes = 16;
inline constexpr std::size_t max_fundings = 10'000;
inline constexpr std::size_t max_funding_script_bytes = 1'000;
/// The largest limits that a network can set. A stream's largest frame (16 MiB) fits in a
/// transaction; a block is kept in memory while it is checked.
inline constexpr std::uint64_t largest_transaction_limit_bytes = std::uint64_t{32} << 20;
inline constexpr std::uint64_t largest_block_limit_bytes = std::uint64_t{1} << 30;

struct ChainParameters {
  std::string name;         ///< letters, digits, - and _
  std::uint32_t magic = 0;  ///< as written: the first byte on the wire is the first in the file
  std::uint32_t spacing_s = 10;
  std::uint32_t half_life_s = 600;  ///< of the difficulty rule (asert.hpp)
  std::uint32_t easiest_bits = 0x207fffff;
  std::int64_t subsidy_sat = 5'000'000'000;
  std::uint32_t halving_interval = 200'000;  ///< blocks
  std::uint32_t coinbase_maturity = 100;     ///< blocks
  std::uint64_t block_limit_bytes = std::uint64_t{256} << 20;
  std::uint64_t transaction_limit_bytes = std::uint64_t{17} << 20;
  /// Satoshi per 1000 bytes; what nodes relay for by default, not a rule of the chain.
  std::int64_t min_fee_rate_sat = 10;
  /// What OP_RETURN data outputs begin with.
  Bytes data_tag = {'T', 'W', 'I', 'N'};

  std::uint32_t genesis_time_s = 0;
  std::string genesis_message;
  /// The outputs of the genesis block.
  std::vector<bitcoin::TxOut> fundings;
  std::uint32_t genesis_nonce = 0;

  [[nodiscard]] AsertRule asert() const { return {spacing_s, half_life_s, easiest_bits}; }
  [[nodiscard]] bitcoin::UInt256 easiest_target() const;
  /// What a miner may create in a block, without fees.
  [[nodiscard]] std::int64_t block_subsidy_sat(std::uint32_t height) const;
  /// The least fee of a transaction at min_fee_rate_sat, rounded up.
  [[nodiscard]] std::int64_t min_fee_sat(std::size_t size_bytes) const;
  bool operator==(const ChainParameters&) const = default;
};

/// SHA-256 of the rules in their canonical text: of all but the nonce and the fee rate.
Hash256 rules_hash(const ChainParameters& parameters);
/// Block 0, with the nonce of the parameters.
bitcoin::Block genesis_block(const ChainParameters& parameters);
/// The network's id. Internal byte order.
Hash256 genesis_hash(const ChainParameters& parameters);
/// Finds the nonce. When there is none for this time, the time becomes later. False when `stop`
/// (asked now and then) said so first.
template <class Stop>
bool mine_genesis(ChainParameters& parameters, Stop stop) {
  bitcoin::BlockHeader header = genesis_block(parameters).header;
  while (true) {
    if (bitcoin::meets_target(bitcoin::block_hash(header), header.bits,
                              parameters.easiest_target())) {
      parameters.genesis_nonce = header.nonce;
      return true;
    }
    if ((header.nonce & 0xffff) == 0xffff && stop()) return false;
    if (++header.nonce != 0) continue;
    ++parameters.genesis_time_s;
    header = genesis_block(parameters).header;
    header.nonce = 0;
  }
}

/// Values within their limits, which fit each other. ExitCode::usage.
Status check_parameters(const ChainParameters& parameters);
/// The file. The genesis hash is part of it, so that a change of any rule is noticed at once.
std::string format_parameters(const ChainParameters& parameters);
/// Errors (ExitCode::usage, "parameters line N: ...") for anything but such a file: unknown,
/// repeated and missing names, values out of their limits, a genesis block that does not meet its
/// proof of work or is not the one that the file names.
Result<ChainParameters> parse_parameters(ByteView text);

/// OP_DUP OP_HASH160 <HASH160 of the key> OP_EQUALVERIFY OP_CHECKSIG.
Bytes pay_to_key_hash_script(ByteView public_key);

}  // namespace twinchain::net
