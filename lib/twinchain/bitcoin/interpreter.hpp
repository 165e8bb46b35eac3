// The script interpreter: Bitcoin's rules before segregated witness. Floor 2.
//
// Limits: scripts of 10,000 bytes, pushes of 520, 201 operations that are no pushes, 1,000 items on
// both stacks together, 20 keys a CHECKMULTISIG, numbers of 4 bytes (5 for lock times); so memory
// stays below four megabytes whatever the script. No function here throws or has state. Rules of
// segregated witness and later are not known: their outputs are what they are to nodes from before
// them, spendable by anyone. Source: Bitcoin Core script/interpreter.cpp, BIPs 16, 62, 65, 66, 68,
// 112, 146, 147.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "twinchain/bitcoin/sighash.hpp"
#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::bitcoin {

inline constexpr std::size_t max_script_size = 10'000;
inline constexpr std::size_t max_script_push_size = 520;
inline constexpr int max_script_operations = 201;
inline constexpr std::size_t max_script_stack_items = 1000;
inline constexpr int max_multisig_keys = 20;

/// Rules that can be switched on, a bit each, with Bitcoin Core's numbers. Adding one never makes a
/// spend valid that was not, but CLEANSTACK wants P2SH beside it.
using ScriptFlags = std::uint32_t;
inline constexpr ScriptFlags verify_none = 0;
inline constexpr ScriptFlags verify_p2sh = 1U << 0;
inline constexpr ScriptFlags verify_strictenc = 1U << 1;
inline constexpr ScriptFlags verify_dersig = 1U << 2;
inline constexpr ScriptFlags verify_low_s = 1U << 3;
inline constexpr ScriptFlags verify_nulldummy = 1U << 4;
inline constexpr ScriptFlags verify_sigpushonly = 1U << 5;
inline constexpr ScriptFlags verify_minimaldata = 1U << 6;
inline constexpr ScriptFlags verify_discourage_upgradable_nops = 1U << 7;
inline constexpr ScriptFlags verify_cleanstack = 1U << 8;
inline constexpr ScriptFlags verify_checklocktimeverify = 1U << 9;
inline constexpr ScriptFlags verify_checksequenceverify = 1U << 10;
inline constexpr ScriptFlags verify_nullfail = 1U << 14;
inline constexpr ScriptFlags verify_const_scriptcode = 1U << 16;
inline constexpr ScriptFlags verify_all =
    verify_p2sh | verify_strictenc | verify_dersig | verify_low_s | verify_nulldummy |
    verify_sigpushonly | verify_minimaldata | verify_discourage_upgradable_nops |
    verify_cleanstack | verify_checklocktimeverify | verify_checksequenceverify | verify_nullfail |
    verify_const_scriptcode;

/// Why a script failed. name_of() gives the names of Bitcoin Core's script_tests.json.
enum class ScriptError : std::uint8_t {
  OK,
  EVAL_FALSE,
  RETURN,  ///< "OP_RETURN"
  SCRIPT_SIZE,
  PUSH_SIZE,
  OP_COUNT,
  STACK_SIZE,
  SIG_COUNT,
  PUBKEY_COUNT,
  VERIFY,
  EQUALVERIFY,
  CHECKMULTISIGVERIFY,
  CHECKSIGVERIFY,
  NUMEQUALVERIFY,
  BAD_OPCODE,
  DISABLED_OPCODE,
  INVALID_STACK_OPERATION,
  INVALID_ALTSTACK_OPERATION,
  UNBALANCED_CONDITIONAL,
  NEGATIVE_LOCKTIME,
  UNSATISFIED_LOCKTIME,
  SIG_HASHTYPE,
  SIG_DER,
  MINIMALDATA,
  SIG_PUSHONLY,
  SIG_HIGH_S,
  SIG_NULLDUMMY,
  PUBKEYTYPE,
  CLEANSTACK,
  NULLFAIL,
  DISCOURAGE_UPGRADABLE_NOPS,
  CODESEPARATOR,  ///< "OP_CODESEPARATOR"
  SIG_FINDANDDELETE,
  SCRIPTNUM,  ///< a number that is too long or not minimal; files until 2025 say UNKNOWN_ERROR
};
/// "EVAL_FALSE".
std::string_view name_of(ScriptError error);

/// What a script may ask of the transaction that spends. Implementations are thread-safe.
class SignatureChecker {
 public:
  virtual ~SignatureChecker() = default;
  /// `signature`: with its hash type, the last byte; may be empty. `script_code`: as
  /// SignatureHasher::hash takes it.
  [[nodiscard]] virtual bool check_signature(ByteView signature, ByteView public_key,
                                             ByteView script_code) const = 0;
  /// OP_CHECKLOCKTIMEVERIFY (BIP 65) and OP_CHECKSEQUENCEVERIFY (BIP 112); not negative. The
  /// latter's disable flag has been looked at.
  [[nodiscard]] virtual bool check_lock_time(std::int64_t lock_time) const = 0;
  [[nodiscard]] virtual bool check_sequence(std::int64_t sequence) const = 0;
};

/// For an input of a transaction. The hasher must outlive it, and `input` be one of its inputs.
/// A cache of signatures overrides verify().
class TransactionSignatureChecker : public SignatureChecker {
 public:
  TransactionSignatureChecker(const SignatureHasher& hasher, std::size_t input)
      : hasher_(hasher), input_(input) {}

  [[nodiscard]] bool check_signature(ByteView signature, ByteView public_key,
                                     ByteView script_code) const override;
  [[nodiscard]] bool check_lock_time(std::int64_t lock_time) const override;
  [[nodiscard]] bool check_sequence(std::int64_t sequence) const override;

 protected:
  /// `signature`: DER in any form, without the hash type. By default verify_ecdsa().
  [[nodiscard]] virtual bool verify(ByteView public_key, const Hash256& hash,
                                    ByteView signature) const;

 private:
  const SignatureHasher& hasher_;
  std::size_t input_;
};

/// Whether an input may spend an output: runs its script, then the output's on the same stack, then
/// what P2SH asks for. OK or the first reason why not.
[[nodiscard]] ScriptError verify_script(ByteView script_sig, ByteView script_pubkey,
                                        ScriptFlags flags, const SignatureChecker& checker);

/// Runs one script on a stack (the last item is the top), which is left as the script left it, also
/// when it fails.
[[nodiscard]] ScriptError evaluate_script(std::vector<Bytes>& stack, ByteView script,
                                          ScriptFlags flags, const SignatureChecker& checker);

/// Whether a stack item counts as true: any byte that is not zero, but for a negative zero.
[[nodiscard]] bool is_true(ByteView item);

}  // namespace twinchain::bitcoin
