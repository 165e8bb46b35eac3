// Judges published test cases of Bitcoin Core's formats by our own rules. Floor 2.
//
// What the cases mean, not how they are written down: the tool conformance(1) reads the JSON.
// Rules of segregated witness and later are not ours, so that a case whose outcome depends on one
// is skipped; but only when it does: a script that fails before a witness is looked at, and a
// WITNESS flag over outputs without a witness program, are judged. Source: Bitcoin Core
// src/test/script_tests.cpp, transaction_tests.cpp, sighash_tests.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::bitcoin {

enum class CaseVerdict { passed, failed, skipped };
struct CaseOutcome {
  CaseVerdict verdict = CaseVerdict::failed;
  std::string reason;  ///< one line; empty when passed
};

/// Flags of a case: our own (interpreter.hpp) and those of segregated witness and Taproot, all with
/// Bitcoin Core's numbers.
struct CaseFlags {
  ScriptFlags flags = verify_none;
  std::string unknown;  ///< the first name that nobody here knows; empty: none
  bool bad_tx = false;  ///< "BADTX": the transaction is bad by itself
};
/// "P2SH,STRICTENC", "NONE", "".
CaseFlags parse_case_flags(std::string_view text);

struct ScriptCase {
  bool has_witness = false;  ///< a witness that is not empty
  std::int64_t amount_sat = 0;
  Bytes script_sig;
  Bytes script_pubkey;
  CaseFlags flags;
  std::string expected;  ///< a name_of(ScriptError), or one of a later rule
};
/// The spend of an output by a transaction made for it. The flags must give the expected outcome;
/// then more flags must not mend a failure, and fewer not break a success.
CaseOutcome check_script_case(const ScriptCase& test);

struct TransactionCase {
  /// What the inputs spend: txid (internal byte order) and index, and the output's script.
  std::map<std::pair<Hash256, std::uint32_t>, Bytes> spent;
  Transaction transaction;
  CaseFlags flags;
};
/// `excluded`: the flags are those that it must not be verified with (files since 2021), and each
/// of them must make it invalid; otherwise those that it is to be verified with.
CaseOutcome check_valid_transaction(const TransactionCase& test, bool excluded);
/// `minimal`: each flag is needed for it to be invalid, and BADTX is said where the transaction is
/// bad by itself (files since 2021).
CaseOutcome check_invalid_transaction(const TransactionCase& test, bool minimal);

struct SighashCase {
  Transaction transaction;
  Bytes script_code;
  std::uint32_t input = 0;
  std::int32_t hash_type = 0;
  Hash256 expected{};  ///< internal byte order
};
CaseOutcome check_sighash_case(const SighashCase& test);

}  // namespace twinchain::bitcoin
