#include "twinchain/bitcoin/conformance.hpp"

#include <array>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/tx_check.hpp"

namespace twinchain::bitcoin {
namespace {

constexpr ScriptFlags verify_witness = 1U << 11;

struct NamedFlag {
  std::string_view name;
  ScriptFlags flag;
};
constexpr std::array<NamedFlag, 21> named_flags{{
    {"P2SH", verify_p2sh},
    {"STRICTENC", verify_strictenc},
    {"DERSIG", verify_dersig},
    {"LOW_S", verify_low_s},
    {"NULLDUMMY", verify_nulldummy},
    {"SIGPUSHONLY", verify_sigpushonly},
    {"MINIMALDATA", verify_minimaldata},
    {"DISCOURAGE_UPGRADABLE_NOPS", verify_discourage_upgradable_nops},
    {"CLEANSTACK", verify_cleanstack},
    {"CHECKLOCKTIMEVERIFY", verify_checklocktimeverify},
    {"CHECKSEQUENCEVERIFY", verify_checksequenceverify},
    {"WITNESS", verify_witness},
    {"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", 1U << 12},
    {"MINIMALIF", 1U << 13},
    {"NULLFAIL", verify_nullfail},
    {"WITNESS_PUBKEYTYPE", 1U << 15},
    {"CONST_SCRIPTCODE", verify_const_scriptcode},
    {"TAPROOT", 1U << 17},
    {"DISCOURAGE_UPGRADABLE_TAPROOT_VERSION", 1U << 18},
    {"DISCOURAGE_OP_SUCCESS", 1U << 19},
    {"DISCOURAGE_UPGRADABLE_PUBKEYTYPE", 1U << 20},
}};
constexpr ScriptFlags all_named_flags = (1U << 21) - 1;
/// Combinations tried besides each flag alone; the same in every run.
constexpr int random_combinations = 16;

/// The combinations that are allowed: CLEANSTACK wants WITNESS, which wants P2SH.
ScriptFlags trim_flags(ScriptFlags flags) {
  if ((flags & verify_p2sh) == 0) flags &= ~verify_witness;
  if ((flags & verify_witness) == 0) flags &= ~verify_cleanstack;
  return flags;
}
ScriptFlags fill_flags(ScriptFlags flags) {
  if ((flags & verify_cleanstack) != 0) flags |= verify_witness;
  if ((flags & verify_witness) != 0) flags |= verify_p2sh;
  return flags;
}

std::string text_of_flags(ScriptFlags flags) {
  std::string text;
  for (const NamedFlag& named : named_flags) {
    if ((flags & named.flag) == 0) continue;
    if (!text.empty()) text += ',';
    text += named.name;
  }
  return text.empty() ? "NONE" : text;
}

/// A small generator (xorshift32) of combinations.
class FlagPicker {
 public:
  ScriptFlags next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ & all_named_flags;
  }

 private:
  ScriptFlags state_ = 2463534242U;
};

/// BIP 141: a small number and one push of 2 to 40 bytes.
bool is_witness_program(ByteView script) {
  if (script.size() < 4 || script.size() > 42) return false;
  if (script[0] != OP_0 && (script[0] < OP_1 || script[0] > OP_16)) return false;
  return std::size_t{script[1]} + 2 == script.size();
}

/// Whether BIP 141's rules look at this spend at all.
bool concerns_witness(ByteView script_sig, ByteView script_pubkey, bool has_witness,
                      ScriptFlags flags) {
  if (has_witness || is_witness_program(script_pubkey)) return true;
  if ((flags & verify_p2sh) == 0 || !is_pay_to_script_hash(script_pubkey)) return false;
  ByteView last;
  ScriptReader reader(script_sig);
  while (const auto operation = reader.next()) last = operation->data;
  return is_witness_program(last);
}

/// Nothing when the outcome depends on segregated witness.
std::optional<ScriptError> judge_spend(ByteView script_sig, ByteView script_pubkey,
                                       bool has_witness, ScriptFlags flags,
                                       const SignatureChecker& checker) {
  if ((flags & verify_witness) != 0 &&
      concerns_witness(script_sig, script_pubkey, has_witness, flags)) {
    // What fails without a witness fails before it is looked at, but for CLEANSTACK, which is last.
    const ScriptError error =
        verify_script(script_sig, script_pubkey, flags & verify_all & ~verify_cleanstack, checker);
    if (error == ScriptError::OK) return std::nullopt;
    return error;
  }
  return verify_script(script_sig, script_pubkey, flags & verify_all, checker);
}

CaseOutcome failed_case(std::string reason) {
  return {CaseVerdict::failed, std::move(reason)};
}
CaseOutcome skipped_case(std::string reason) {
  return {CaseVerdict::skipped, std::move(reason)};
}

/// The transaction of Bitcoin's script tests: a coinbase-like one pays, the other spends it.
Transaction spending_transaction(const ScriptCase& test) {
  Transaction credit;
  credit.inputs.resize(1);
  credit.inputs[0].previous_output.index = 0xffffffff;
  credit.inputs[0].script_sig = {OP_0, OP_0};
  credit.outputs.push_back({test.amount_sat, test.script_pubkey});
  Transaction spend;
  spend.inputs.resize(1);
  spend.inputs[0].previous_output = {txid(credit), 0};
  spend.inputs[0].script_sig = test.script_sig;
  spend.outputs.push_back({test.amount_sat, {}});
  return spend;
}

bool is_expected(ScriptError error, std::string_view expected) {
  // Until 2025 files did not tell numbers that cannot be read from other faults.
  if (error == ScriptError::SCRIPTNUM && expected == "UNKNOWN_ERROR") return true;
  return name_of(error) == expected;
}

/// Once OP_CHECKLOCKTIMEVERIFY and OP_CHECKSEQUENCEVERIFY were discouraged where they are not
/// enforced; today such spends are let through, as by the interpreter here.
bool expects_discouraged_lock_time(const ScriptCase& test) {
  if (test.expected != name_of(ScriptError::DISCOURAGE_UPGRADABLE_NOPS)) return false;
  for (const ByteView script : {ByteView(test.script_sig), ByteView(test.script_pubkey)}) {
    ScriptReader reader(script);
    while (const auto operation = reader.next()) {
      const bool absolute = operation->opcode == OP_CHECKLOCKTIMEVERIFY;
      if (!absolute && operation->opcode != OP_CHECKSEQUENCEVERIFY) continue;
      const ScriptFlags rule = absolute ? verify_checklocktimeverify : verify_checksequenceverify;
      if ((test.flags.flags & rule) == 0) return true;
    }
  }
  return false;
}

class TransactionJudge {
 public:
  explicit TransactionJudge(const TransactionCase& test) : test_(test), hasher_(test.transaction) {}

  /// An input whose output is not given.
  [[nodiscard]] bool misses_output() const {
    for (const TxIn& input : test_.transaction.inputs) {
      if (find_spent(input) == nullptr) return true;
    }
    return false;
  }

  /// Whether all inputs may spend; nothing when that depends on segregated witness. `why`: the
  /// first that may not.
  std::optional<bool> judge(ScriptFlags flags, std::string* why = nullptr) const {
    bool open = false;
    for (std::size_t i = 0; i < test_.transaction.inputs.size(); ++i) {
      const TxIn& input = test_.transaction.inputs[i];
      const Bytes* script = find_spent(input);
      if (script == nullptr) return false;
      const auto error = judge_spend(input.script_sig, *script, !input.witness.empty(), flags,
                                     TransactionSignatureChecker(hasher_, i));
      if (!error) {
        open = true;
      } else if (*error != ScriptError::OK) {
        if (why != nullptr) {
          *why = "input " + decimal(std::uint64_t{i}) + ": " + std::string(name_of(*error));
        }
        return false;
      }
    }
    if (open) return std::nullopt;
    return true;
  }

 private:
  [[nodiscard]] const Bytes* find_spent(const TxIn& input) const {
    const auto found = test_.spent.find({input.previous_output.txid, input.previous_output.index});
    return found == test_.spent.end() ? nullptr : &found->second;
  }

  const TransactionCase& test_;
  SignatureHasher hasher_;
};

/// Each flag of `flags` taken away must make the outcome `wanted`, as far as it can be told:
/// nothing when it does, else the flags where it does not. `judged`: what is verified with such a
/// set.
template <class Judged>
std::optional<ScriptFlags> without_each(ScriptFlags flags, const TransactionJudge& judge,
                                        bool wanted, Judged&& judged) {
  for (const NamedFlag& named : named_flags) {
    const ScriptFlags fewer = trim_flags(flags & ~named.flag);
    if (fewer == flags) continue;
    const auto valid = judge.judge(judged(fewer));
    if (valid && *valid != wanted) return fewer;
  }
  return std::nullopt;
}

}  // namespace

CaseFlags parse_case_flags(std::string_view text) {
  CaseFlags parsed;
  if (text.empty()) return parsed;
  for (const std::string_view word : split(text, ',')) {
    if (word.empty() || word == "NONE") continue;
    if (word == "BADTX") {
      parsed.bad_tx = true;
      continue;
    }
    bool known = false;
    for (const NamedFlag& named : named_flags) {
      if (named.name != word) continue;
      parsed.flags |= named.flag;
      known = true;
    }
    if (!known && parsed.unknown.empty()) parsed.unknown = escape(word);
  }
  return parsed;
}

CaseOutcome check_script_case(const ScriptCase& test) {
  if (!test.flags.unknown.empty()) return skipped_case("needs " + test.flags.unknown);
  const Transaction spend = spending_transaction(test);
  const SignatureHasher hasher(spend);
  const TransactionSignatureChecker checker(hasher, 0);
  const auto judge = [&](ScriptFlags flags) {
    return judge_spend(test.script_sig, test.script_pubkey, test.has_witness, flags, checker);
  };
  const ScriptFlags flags = fill_flags(test.flags.flags);
  const auto error = judge(flags);
  if (!error) return skipped_case("needs " + text_of_flags(flags & ~verify_all));
  if (*error == ScriptError::OK && expects_discouraged_lock_time(test)) {
    return skipped_case("needs lock times discouraged where they are not enforced");
  }
  if (!is_expected(*error, test.expected)) {
    return failed_case("gives " + std::string(name_of(*error)) + ", not " + escape(test.expected));
  }
  const bool valid = *error == ScriptError::OK;
  const auto agrees = [&](ScriptFlags change) {
    const ScriptFlags changed = valid ? trim_flags(flags & ~change) : fill_flags(flags | change);
    const auto other = judge(changed);
    return !other || (*other == ScriptError::OK) == valid;
  };
  FlagPicker picker;
  for (std::size_t i = 0; i < named_flags.size() + random_combinations; ++i) {
    const ScriptFlags change = i < named_flags.size() ? named_flags.at(i).flag : picker.next();
    if (!agrees(change)) {
      return failed_case(std::string(valid ? "fails without " : "passes with ") +
                         text_of_flags(change));
    }
  }
  return {CaseVerdict::passed, {}};
}

CaseOutcome check_valid_transaction(const TransactionCase& test, bool excluded) {
  if (!excluded && !test.flags.unknown.empty()) return skipped_case("needs " + test.flags.unknown);
  if (const auto status = check_transaction(test.transaction); !status) {
    return failed_case(status.error().message);
  }
  const TransactionJudge judge(test);
  if (judge.misses_output()) return failed_case("an output that it spends is not given");
  const ScriptFlags flags =
      excluded ? all_named_flags & ~test.flags.flags : fill_flags(test.flags.flags);
  std::string why;
  const auto valid = judge.judge(flags, &why);
  if (valid && !*valid) return failed_case("is invalid: " + why);
  FlagPicker picker;
  for (std::size_t i = 0; i < named_flags.size() + random_combinations; ++i) {
    const ScriptFlags change = i < named_flags.size() ? named_flags.at(i).flag : picker.next();
    const auto fewer = judge.judge(trim_flags(flags & ~change), &why);
    if (fewer && !*fewer) {
      return failed_case("is invalid without " + text_of_flags(change) + ": " + why);
    }
  }
  if (!valid) return skipped_case("needs WITNESS");
  if (!excluded) return {CaseVerdict::passed, {}};
  const auto too_many = without_each(test.flags.flags, judge, false,
                                     [](ScriptFlags left) { return all_named_flags & ~left; });
  if (too_many) {
    return failed_case("is valid when only " + text_of_flags(*too_many) + " are excluded");
  }
  return {CaseVerdict::passed, {}};
}

CaseOutcome check_invalid_transaction(const TransactionCase& test, bool minimal) {
  if (const auto status = check_transaction(test.transaction); !status) {
    if (minimal && !test.flags.bad_tx) {
      return failed_case(status.error().message + ", which the case does not say");
    }
    return {CaseVerdict::passed, {}};
  }
  if (test.flags.bad_tx) return failed_case("is not bad by itself");
  if (!test.flags.unknown.empty()) return skipped_case("needs " + test.flags.unknown);
  const TransactionJudge judge(test);
  if (judge.misses_output()) return failed_case("an output that it spends is not given");
  const ScriptFlags flags = minimal ? test.flags.flags : fill_flags(test.flags.flags);
  const auto valid = judge.judge(flags);
  if (!valid) return skipped_case("needs " + text_of_flags(flags & ~verify_all));
  if (*valid) return failed_case("is valid");
  FlagPicker picker;
  for (std::size_t i = 0; i < named_flags.size() + random_combinations; ++i) {
    const ScriptFlags change = i < named_flags.size() ? named_flags.at(i).flag : picker.next();
    const auto more = judge.judge(fill_flags(flags | change));
    if (more && *more) return failed_case("is valid with " + text_of_flags(change));
  }
  if (!minimal) return {CaseVerdict::passed, {}};
  const auto too_few = without_each(flags, judge, true, [](ScriptFlags left) { return left; });
  if (too_few) return failed_case("is invalid with " + text_of_flags(*too_few) + " already");
  return {CaseVerdict::passed, {}};
}

CaseOutcome check_sighash_case(const SighashCase& test) {
  if (const auto status = check_transaction(test.transaction); !status) {
    return failed_case(status.error().message);
  }
  const Hash256 hash =
      signature_hash(test.transaction, test.input, test.script_code, test.hash_type);
  if (hash == test.expected) return {CaseVerdict::passed, {}};
  return failed_case("gives " + to_hex_reversed(hash) + ", not " + to_hex_reversed(test.expected));
}

}  // namespace twinchain::bitcoin
