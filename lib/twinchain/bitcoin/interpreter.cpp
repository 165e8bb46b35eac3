#include "twinchain/bitcoin/interpreter.hpp"

#include <algorithm>

#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/script_machine.hpp"
#include "twinchain/crypto/secp256k1.hpp"

namespace twinchain::bitcoin {
namespace {

/// Lock times below are heights, others seconds since 1970.
constexpr std::int64_t lock_time_threshold = 500'000'000;
constexpr std::uint32_t final_sequence = 0xffffffff;
// BIP 68: of an input's sequence.
constexpr std::uint32_t sequence_disabled = 1U << 31;
constexpr std::uint32_t sequence_in_time = 1U << 22;
constexpr std::uint32_t sequence_mask = sequence_in_time | 0xffff;

/// The script that a pay-to-script-hash output asks for: the last push of the input's.
ScriptError verify_redeem_script(std::vector<Bytes>& stack, ScriptFlags flags,
                                 const SignatureChecker& checker) {
  // The output's script found something to hash.
  if (stack.empty()) return ScriptError::EVAL_FALSE;
  const Bytes redeem_script = std::move(stack.back());
  stack.pop_back();
  const ScriptError error = evaluate_script(stack, redeem_script, flags, checker);
  if (error != ScriptError::OK) return error;
  return !stack.empty() && is_true(stack.back()) ? ScriptError::OK : ScriptError::EVAL_FALSE;
}

}  // namespace

std::string_view name_of(ScriptError error) {
  static constexpr std::array<std::string_view, 34> names{
      "OK",
      "EVAL_FALSE",
      "OP_RETURN",
      "SCRIPT_SIZE",
      "PUSH_SIZE",
      "OP_COUNT",
      "STACK_SIZE",
      "SIG_COUNT",
      "PUBKEY_COUNT",
      "VERIFY",
      "EQUALVERIFY",
      "CHECKMULTISIGVERIFY",
      "CHECKSIGVERIFY",
      "NUMEQUALVERIFY",
      "BAD_OPCODE",
      "DISABLED_OPCODE",
      "INVALID_STACK_OPERATION",
      "INVALID_ALTSTACK_OPERATION",
      "UNBALANCED_CONDITIONAL",
      "NEGATIVE_LOCKTIME",
      "UNSATISFIED_LOCKTIME",
      "SIG_HASHTYPE",
      "SIG_DER",
      "MINIMALDATA",
      "SIG_PUSHONLY",
      "SIG_HIGH_S",
      "SIG_NULLDUMMY",
      "PUBKEYTYPE",
      "CLEANSTACK",
      "NULLFAIL",
      "DISCOURAGE_UPGRADABLE_NOPS",
      "OP_CODESEPARATOR",
      "SIG_FINDANDDELETE",
      "SCRIPTNUM",
  };
  static_assert(names.size() == static_cast<std::size_t>(ScriptError::SCRIPTNUM) + 1);
  return names.at(static_cast<std::size_t>(error));
}

bool TransactionSignatureChecker::check_signature(ByteView signature, ByteView public_key,
                                                  ByteView script_code) const {
  if (signature.empty() || public_key.empty()) return false;
  const Hash256 hash = hasher_.hash(input_, script_code, signature.back());
  return verify(public_key, hash, signature.first(signature.size() - 1));
}

bool TransactionSignatureChecker::verify(ByteView public_key, const Hash256& hash,
                                         ByteView signature) const {
  return verify_ecdsa(public_key, hash, signature);
}

bool TransactionSignatureChecker::check_lock_time(std::int64_t lock_time) const {
  const Transaction& transaction = hasher_.transaction();
  const std::int64_t own = transaction.lock_time;
  if ((own < lock_time_threshold) != (lock_time < lock_time_threshold)) return false;
  // An input that is final makes the transaction's lock time void.
  return lock_time <= own && transaction.inputs[input_].sequence != final_sequence;
}

bool TransactionSignatureChecker::check_sequence(std::int64_t sequence) const {
  const Transaction& transaction = hasher_.transaction();
  const std::uint32_t own = transaction.inputs[input_].sequence;
  if (static_cast<std::uint32_t>(transaction.version) < 2) return false;
  if ((own & sequence_disabled) != 0) return false;
  const std::uint32_t has = own & sequence_mask;
  const std::uint32_t wants = static_cast<std::uint32_t>(sequence) & sequence_mask;
  if ((has < sequence_in_time) != (wants < sequence_in_time)) return false;
  return wants <= has;
}

ScriptError verify_script(ByteView script_sig, ByteView script_pubkey, ScriptFlags flags,
                          const SignatureChecker& checker) {
  const bool push_only = is_push_only(script_sig);
  if ((flags & verify_sigpushonly) != 0 && !push_only) return ScriptError::SIG_PUSHONLY;
  const bool pays_to_script = (flags & verify_p2sh) != 0 && is_pay_to_script_hash(script_pubkey);

  std::vector<Bytes> stack;
  ScriptError error = evaluate_script(stack, script_sig, flags, checker);
  if (error != ScriptError::OK) return error;
  std::vector<Bytes> after_input;
  if (pays_to_script) after_input = stack;
  error = evaluate_script(stack, script_pubkey, flags, checker);
  if (error != ScriptError::OK) return error;
  if (stack.empty() || !is_true(stack.back())) return ScriptError::EVAL_FALSE;

  if (pays_to_script) {
    if (!push_only) return ScriptError::SIG_PUSHONLY;
    stack = std::move(after_input);
    error = verify_redeem_script(stack, flags, checker);
    if (error != ScriptError::OK) return error;
  }
  if ((flags & verify_cleanstack) != 0 && stack.size() != 1) return ScriptError::CLEANSTACK;
  return ScriptError::OK;
}

ScriptError evaluate_script(std::vector<Bytes>& stack, ByteView script, ScriptFlags flags,
                            const SignatureChecker& checker) {
  return ScriptMachine(stack, script, flags, checker).run();
}

bool is_true(ByteView item) {
  if (item.empty()) return false;
  // The sign bit alone is minus zero.
  if (std::any_of(item.begin(), item.end() - 1, [](std::uint8_t byte) { return byte != 0; })) {
    return true;
  }
  return item.back() != 0 && item.back() != 0x80;
}

}  // namespace twinchain::bitcoin
