// OP_CHECKSIG and OP_CHECKMULTISIG.

#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script_machine.hpp"
#include "twinchain/bitcoin/signature_encoding.hpp"

namespace twinchain::bitcoin {

// A signature cannot sign itself: where the executed script pushes it, it is left out of what is
// hashed. `shorter`: the script code, once anything has been left out of it.
ScriptError ScriptMachine::without_signature(std::optional<Bytes>& shorter,
                                             ByteView signature) const {
  Bytes push;
  append_push(push, signature);
  auto found = find_and_delete(shorter ? ByteView(*shorter) : script_.subspan(code_begins_), push);
  if (!found) return ScriptError::OK;
  if (is_on(verify_const_scriptcode)) return ScriptError::SIG_FINDANDDELETE;
  shorter = std::move(found);
  return ScriptError::OK;
}

ScriptError ScriptMachine::check_signature(bool and_verify) {
  if (!has(2)) return ScriptError::INVALID_STACK_OPERATION;
  const Bytes& signature = top(2);
  const Bytes& public_key = top(1);
  std::optional<Bytes> shorter;
  ScriptError error = without_signature(shorter, signature);
  if (error == ScriptError::OK) error = check_signature_encoding(signature, flags_);
  if (error == ScriptError::OK) error = check_public_key_encoding(public_key, flags_);
  if (error != ScriptError::OK) return error;
  const ByteView script_code = shorter ? ByteView(*shorter) : script_.subspan(code_begins_);
  const bool valid = checker_.check_signature(signature, public_key, script_code);
  if (!valid && is_on(verify_nullfail) && !signature.empty()) return ScriptError::NULLFAIL;
  pop(2);
  push_bool(valid);
  if (!and_verify) return ScriptError::OK;
  if (!valid) return ScriptError::CHECKSIGVERIFY;
  pop();
  return ScriptError::OK;
}

// From the top: the number of keys, the keys, the number of signatures, the signatures, and one
// item more that nobody meant to be there.
ScriptError ScriptMachine::check_multisig(bool and_verify) {
  if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
  const Number key_count = number(1);
  if (!key_count) return ScriptError::SCRIPTNUM;
  if (*key_count < 0 || *key_count > max_multisig_keys) return ScriptError::PUBKEY_COUNT;
  operations_ += static_cast<int>(*key_count);
  if (operations_ > max_script_operations) return ScriptError::OP_COUNT;
  const auto keys = static_cast<std::size_t>(*key_count);
  if (!has(keys + 2)) return ScriptError::INVALID_STACK_OPERATION;
  const Number signature_count = number(keys + 2);
  if (!signature_count) return ScriptError::SCRIPTNUM;
  if (*signature_count < 0 || *signature_count > *key_count) return ScriptError::SIG_COUNT;
  const auto signatures = static_cast<std::size_t>(*signature_count);
  if (!has(keys + 2 + signatures)) return ScriptError::INVALID_STACK_OPERATION;

  std::optional<Bytes> shorter;
  for (std::size_t i = 0; i < signatures; ++i) {
    const ScriptError error = without_signature(shorter, top(keys + 3 + i));
    if (error != ScriptError::OK) return error;
  }
  bool valid = false;
  const ScriptError error = match_signatures(
      keys, signatures, shorter ? ByteView(*shorter) : script_.subspan(code_begins_), valid);
  if (error != ScriptError::OK) return error;
  if (!valid && is_on(verify_nullfail)) {
    for (std::size_t i = 0; i < signatures; ++i) {
      if (!top(keys + 3 + i).empty()) return ScriptError::NULLFAIL;
    }
  }
  pop(keys + 2 + signatures);
  if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
  if (is_on(verify_nulldummy) && !top().empty()) return ScriptError::SIG_NULLDUMMY;
  pop();
  push_bool(valid);
  if (!and_verify) return ScriptError::OK;
  if (!valid) return ScriptError::CHECKMULTISIGVERIFY;
  pop();
  return ScriptError::OK;
}

// Signatures are in the order of their keys: each is tried with the keys that are left until one
// fits. Encodings are checked only of what is tried.
ScriptError ScriptMachine::match_signatures(std::size_t keys, std::size_t signatures,
                                            ByteView script_code, bool& all_matched) const {
  std::size_t key = 2;
  std::size_t signature = keys + 3;
  while (signatures > 0) {
    if (signatures > keys) {
      all_matched = false;
      return ScriptError::OK;
    }
    ScriptError error = check_signature_encoding(top(signature), flags_);
    if (error == ScriptError::OK) error = check_public_key_encoding(top(key), flags_);
    if (error != ScriptError::OK) return error;
    if (checker_.check_signature(top(signature), top(key), script_code)) {
      ++signature;
      --signatures;
    }
    ++key;
    --keys;
  }
  all_matched = true;
  return ScriptError::OK;
}

}  // namespace twinchain::bitcoin
