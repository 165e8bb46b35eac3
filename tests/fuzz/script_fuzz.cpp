// Any pair of scripts with any flags: the interpreter ends with an answer, the same each time; more
// rules never mend a failure; text and data outputs give back what they were made of.
//
// Input: 0 flags (u32)  4 lock time (u32)  8 sequence (u32)  12 size of the first script (u16), the
// first script, the second.

#include <algorithm>
#include <cstdlib>

#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/script_text.hpp"
#include "twinchain/bitcoin/signature_encoding.hpp"
#include "twinchain/crypto/secp256k1.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::bitcoin;

void check_spend(ByteView script_sig, ByteView script_pubkey, ScriptFlags flags,
                 std::uint32_t lock_time, std::uint32_t sequence) {
  Transaction spend;
  spend.version = 2;
  spend.lock_time = lock_time;
  spend.inputs.resize(1);
  spend.inputs[0].sequence = sequence;
  spend.outputs.push_back({1, {}});
  const SignatureHasher hasher(spend);
  const TransactionSignatureChecker checker(hasher, 0);
  // CLEANSTACK is a rule for those who have P2SH.
  if ((flags & verify_cleanstack) != 0) flags |= verify_p2sh;
  const ScriptError error = verify_script(script_sig, script_pubkey, flags, checker);
  if (name_of(error).empty()) std::abort();
  if (verify_script(script_sig, script_pubkey, flags, checker) != error) std::abort();
  if (error == ScriptError::OK) {
    if (verify_script(script_sig, script_pubkey, verify_none, checker) != ScriptError::OK) {
      std::abort();
    }
    if (is_unspendable(script_pubkey)) std::abort();
  } else if (verify_script(script_sig, script_pubkey, verify_all | flags, checker) ==
             ScriptError::OK) {
    std::abort();
  }
}

void check_script(ByteView script) {
  const auto again = parse_script_text(format_script(script));
  if (!again || *again != Bytes(script.begin(), script.end())) std::abort();
  if (const auto parts = read_data_output(script)) {
    if (data_output_script(parts->tag, parts->data) != *again) std::abort();
    if (!is_unspendable(script)) std::abort();
  }
  if (const auto shorter = find_and_delete(script, script.first(script.size() / 2))) {
    if (shorter->size() >= script.size()) std::abort();
  }
  if (const auto text = parse_script_text(as_text(script))) (void)format_script(*text);
}

/// What BIP 66 calls strict, everybody reads alike.
void check_signature(ByteView bytes) {
  const auto lax = parse_signature_lax(bytes);
  const bool low = has_low_s(bytes);
  if (lax && is_strict_der(bytes) && (*lax)[32] < 0x7f && !low) std::abort();
  if (verify_ecdsa(bytes, Hash256{}, bytes)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteCursor cursor(ByteView(data, size));
  const auto flags = cursor.read_le<std::uint32_t>() & verify_all;
  const auto lock_time = cursor.read_le<std::uint32_t>();
  const auto sequence = cursor.read_le<std::uint32_t>();
  const std::size_t first = cursor.read_le<std::uint16_t>();
  if (!cursor.ok()) return 0;
  const ByteView script_sig = cursor.read_view(std::min(first, cursor.remaining()));
  const ByteView script_pubkey = cursor.read_view(cursor.remaining());
  check_spend(script_sig, script_pubkey, flags, lock_time, sequence);
  check_script(script_sig);
  check_script(script_pubkey);
  check_signature(script_sig);
  check_signature(script_pubkey);
  return 0;
}
