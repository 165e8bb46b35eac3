// What a transaction must be by itself, whatever it spends. Floor 2.
//
// Source: Bitcoin Core consensus/tx_check.cpp (CheckTransaction).
#pragma once

#include <cstdint>

#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::bitcoin {

/// 21 million coins of 10^8 satoshi: no amount, and no sum of outputs, is larger.
inline constexpr std::int64_t max_money_sat = 21'000'000LL * 100'000'000LL;
[[nodiscard]] constexpr bool is_money(std::int64_t value_sat) {
  return value_sat >= 0 && value_sat <= max_money_sat;
}

/// Bitcoin's limit before segregated witness, and today's for what is not witness.
inline constexpr std::size_t max_bitcoin_transaction_size = 1'000'000;

/// Inputs and outputs are there, at most `max_size` bytes without witness, amounts and their sum
/// within range, no output spent twice, a coinbase's script has 2 to 100 bytes, and what is no
/// coinbase spends no null outpoint. ExitCode::refuted with "transaction: REASON", REASON being
/// Bitcoin's reject reason ("bad-txns-vin-empty", "bad-cb-length", ...).
Status check_transaction(const Transaction& transaction,
                         std::size_t max_size = max_bitcoin_transaction_size);

}  // namespace twinchain::bitcoin
