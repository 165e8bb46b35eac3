#include "twinchain/net/chain_parameters.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/digests.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint8_t op_dup = 0x76;
constexpr std::uint8_t op_equal_verify = 0x88;
constexpr std::uint8_t op_hash160 = 0xa9;
constexpr std::uint8_t op_check_sig = 0xac;
// BIP 9: no signals.
constexpr std::int32_t genesis_version = 0x20000000;
// Later times are kept for blocks: a header's time has 32 bits.
constexpr std::uint32_t latest_genesis_time_s = 0xf0000000;

std::unexpected<Error> unusable(std::string message) {
  return fail(ExitCode::usage, "parameters: " + std::move(message));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_bytes &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
             std::string_view::npos;
}

Status check_texts(const ChainParameters& parameters) {
  if (!is_name(parameters.name)) {
    return unusable("the name must be 1 to 32 letters, digits, - and _");
  }
  const std::string& message = parameters.genesis_message;
  if (message.size() > max_message_bytes || !is_printable(message) ||
      message.find('#') != std::string::npos || trim(message).size() != message.size()) {
    return unusable("the genesis message must be up to 60 printable ASCII characters without #");
  }
  const std::string_view tag = as_text(parameters.data_tag);
  if (tag.empty() || tag.size() > max_data_tag_bytes || !is_printable(tag) ||
      tag.find_first_of("# ") != std::string_view::npos) {
    return unusable("the data tag must be 1 to 16 printable ASCII characters without # and space");
  }
  return {};
}

Status check_money(const ChainParameters& parameters) {
  if (parameters.subsidy_sat < 0 || parameters.subsidy_sat > max_money_sat) {
    return unusable("the subsidy is out of range");
  }
  if (parameters.halving_interval == 0) return unusable("the halving interval is 0");
  if (parameters.coinbase_maturity > 1'000'000) return unusable("the maturity is out of range");
  if (parameters.min_fee_rate_sat < 0 || parameters.min_fee_rate_sat > 1'000'000'000) {
    return unusable("the minimum fee rate is out of range");
  }
  if (parameters.fundings.size() > max_fundings) return unusable("too many fundings");
  std::int64_t funded_sat = 0;
  for (const bitcoin::TxOut& funding : parameters.fundings) {
    if (funding.value_sat <= 0 || funding.value_sat > max_money_sat - funded_sat) {
      return unusable("the fundings' values must be above 0 and at most 21000000 coins in sum");
    }
    funded_sat += funding.value_sat;
    if (funding.script_pubkey.empty() || funding.script_pubkey.size() > max_funding_script_bytes) {
      return unusable("a funding's script must have 1 to 1000 bytes");
    }
  }
  return {};
}

}  // namespace

bitcoin::UInt256 ChainParameters::easiest_target() const {
  return bitcoin::decode_compact(easiest_bits).target;
}

std::int64_t ChainParameters::block_subsidy_sat(std::uint32_t height) const {
  const std::uint32_t halvings = height / halving_interval;
  return halvings >= 63 ? 0 : subsidy_sat >> halvings;
}

std::int64_t ChainParameters::min_fee_sat(std::size_t size_bytes) const {
  return (static_cast<std::int64_t>(size_bytes) * min_fee_rate_sat + 999) / 1000;
}

Status check_parameters(const ChainParameters& parameters) {
  TWINCHAIN_TRY(check_texts(parameters));
  if (parameters.spacing_s == 0 || parameters.spacing_s > 86'400) {
    return unusable("the spacing must be 1s to 1d");
  }
  if (parameters.half_life_s < parameters.spacing_s || parameters.half_life_s > 31'536'000) {
    return unusable("the half-life must be at least the spacing and at most 365d");
  }
  const bitcoin::CompactTarget easiest = bitcoin::decode_compact(parameters.easiest_bits);
  if (easiest.negative || easiest.overflow || easiest.target.is_zero() ||
      bitcoin::encode_compact(easiest.target) != parameters.easiest_bits) {
    return unusable("the easiest target is not a compact target in its shortest form");
  }
  if (parameters.transaction_limit_bytes < 1'000 ||
      parameters.transaction_limit_bytes > largest_transaction_limit_bytes) {
    return unusable("the transaction size limit must be 1000 bytes to 32MiB");
  }
  if (parameters.block_limit_bytes < parameters.transaction_limit_bytes + 1'000 ||
      parameters.block_limit_bytes > largest_block_limit_bytes) {
    return unusable("the block size limit must exceed that of transactions, up to 1GiB");
  }
  TWINCHAIN_TRY(check_money(parameters));
  if (parameters.genesis_time_s > latest_genesis_time_s) {
    return unusable("the genesis time is too late for headers");
  }
  return {};
}

bitcoin::Block genesis_block(const ChainParameters& parameters) {
  bitcoin::Transaction coinbase;
  Bytes script;
  bitcoin::append_coinbase_height(script, 0);
  bitcoin::append_push(script, rules_hash(parameters));
  bitcoin::append_push(script, as_bytes(parameters.genesis_message));
  coinbase.inputs.push_back({{{}, 0xffffffff}, std::move(script), 0xffffffff, {}});
  coinbase.outputs = parameters.fundings;
  // A transaction has an output; this one nobody can spend.
  if (coinbase.outputs.empty()) coinbase.outputs.push_back({0, {bitcoin::OP_RETURN}});
  bitcoin::Block block;
  block.transactions.push_back(std::move(coinbase));
  block.header = {genesis_version,
                  {},
                  bitcoin::merkle_root(bitcoin::txids(block)),
                  parameters.genesis_time_s,
                  parameters.easiest_bits,
                  parameters.genesis_nonce};
  return block;
}

Hash256 genesis_hash(const ChainParameters& parameters) {
  return bitcoin::block_hash(genesis_block(parameters).header);
}

Bytes pay_to_key_hash_script(ByteView public_key) {
  Bytes script = {op_dup, op_hash160};
  bitcoin::append_push(script, ripemd160(sha256(public_key)));
  script.push_back(op_equal_verify);
  script.push_back(op_check_sig);
  return script;
}

}  // namespace twinchain::net
