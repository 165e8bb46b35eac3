// What the interpreter costs beside libsecp256k1: verifications of ECDSA signatures a second, by
// the library alone and as inputs that spend a key's hash. One thread; prints a JSON object a line.

#include <secp256k1.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/crypto/digests.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::bitcoin;

constexpr int transactions = 1000;

struct Spend {
  Transaction transaction;
  Bytes script_pubkey;
  Bytes script_sig;
  // The same for the library alone, parsed before.
  Hash256 hash{};
  secp256k1_pubkey key{};
  secp256k1_ecdsa_signature signature{};
};

Spend make_spend(int number) {
  Spend spend;
  const EcdsaSecretKey key = EcdsaSecretKey::generate();
  const EcdsaPublicKey public_key = key.public_key();
  spend.script_pubkey = {OP_DUP, OP_HASH160};
  append_push(spend.script_pubkey, ripemd160(sha256(public_key)));
  append(spend.script_pubkey, Bytes{OP_EQUALVERIFY, OP_CHECKSIG});
  spend.transaction.inputs.resize(1);
  spend.transaction.inputs[0].previous_output.index = static_cast<std::uint32_t>(number);
  spend.transaction.outputs.push_back({1000, spend.script_pubkey});
  spend.transaction.outputs.push_back({2000, spend.script_pubkey});
  spend.hash = signature_hash(spend.transaction, 0, spend.script_pubkey, sighash_all);
  Bytes signature = key.sign(spend.hash);
  if (secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &spend.signature,
                                          signature.data(), signature.size()) != 1 ||
      secp256k1_ec_pubkey_parse(secp256k1_context_static, &spend.key, public_key.data(),
                                public_key.size()) != 1) {
    std::abort();
  }
  signature.push_back(sighash_all);
  append_push(spend.script_sig, signature);
  append_push(spend.script_sig, public_key);
  return spend;
}

double processor_s() {
  timespec now{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) std::abort();
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Verify>
double per_second(const std::vector<Spend>& spends, Verify&& verify) {
  const double began = processor_s();
  for (const Spend& spend : spends) {
    if (!verify(spend)) std::abort();
  }
  return static_cast<double>(spends.size()) / (processor_s() - began);
}

}  // namespace

int main() {
  std::vector<Spend> spends;
  spends.reserve(transactions);
  for (int i = 0; i < transactions; ++i) spends.push_back(make_spend(i));
  for (int round = 0; round < 9; ++round) {
    const double library = per_second(spends, [](const Spend& spend) {
      return secp256k1_ecdsa_verify(secp256k1_context_static, &spend.signature, spend.hash.data(),
                                    &spend.key) == 1;
    });
    const double inputs = per_second(spends, [](const Spend& spend) {
      const SignatureHasher hasher(spend.transaction);
      return verify_script(spend.script_sig, spend.script_pubkey, verify_all,
                           TransactionSignatureChecker(hasher, 0)) == ScriptError::OK;
    });
    std::printf("{\"library_per_s\": %.0f, \"inputs_per_s\": %.0f}\n", library, inputs);
  }
}
