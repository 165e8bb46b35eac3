#include "twinchain/bitcoin/interpreter.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script_text.hpp"
#include "twinchain/crypto/digests.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

/// Answers as it is told.
struct TellingChecker final : SignatureChecker {
  bool answer = true;
  [[nodiscard]] bool check_signature(ByteView signature, ByteView, ByteView) const override {
    return answer && !signature.empty();
  }
  [[nodiscard]] bool check_lock_time(std::int64_t) const override { return answer; }
  [[nodiscard]] bool check_sequence(std::int64_t) const override { return answer; }
};

Bytes script_of(std::string_view text) {
  auto script = parse_script_text(text);
  REQUIRE(script);
  return *script;
}

ScriptError run(ByteView script, ScriptFlags flags = verify_none) {
  std::vector<Bytes> stack;
  return evaluate_script(stack, script, flags, TellingChecker());
}
ScriptError run(std::string_view text, ScriptFlags flags = verify_none) {
  return run(script_of(text), flags);
}

std::string repeated(std::string_view word, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += std::string(word) + " ";
  return text;
}

Transaction spend_of(std::uint32_t sequence = 0xffffffff, std::uint32_t lock_time = 0,
                     std::int32_t version = 2) {
  Transaction spend;
  spend.version = version;
  spend.lock_time = lock_time;
  spend.inputs.resize(1);
  spend.inputs[0].previous_output.txid[0] = 1;
  spend.inputs[0].sequence = sequence;
  spend.outputs.push_back({5, {OP_1}});
  return spend;
}

Bytes pay_to_key_hash(ByteView key) {
  Bytes script{OP_DUP, OP_HASH160};
  append_push(script, ripemd160(sha256(key)));
  script.push_back(OP_EQUALVERIFY);
  script.push_back(OP_CHECKSIG);
  return script;
}

/// Counts what it lets through to the signature check.
struct CountingChecker final : TransactionSignatureChecker {
  using TransactionSignatureChecker::TransactionSignatureChecker;
  mutable int verified = 0;

 protected:
  [[nodiscard]] bool verify(ByteView public_key, const Hash256& hash,
                            ByteView signature) const override {
    ++verified;
    return TransactionSignatureChecker::verify(public_key, hash, signature);
  }
};

}  // namespace

TEST_CASE("a signed spend of a key's hash passes all rules, a changed one none") {
  const EcdsaSecretKey key = EcdsaSecretKey::generate();
  const Bytes script = pay_to_key_hash(key.public_key());
  Transaction spend = spend_of();
  Bytes signature = key.sign(signature_hash(spend, 0, script, sighash_all));
  signature.push_back(sighash_all);
  Bytes script_sig;
  append_push(script_sig, signature);
  append_push(script_sig, key.public_key());

  const SignatureHasher hasher(spend);
  const CountingChecker checker(hasher, 0);
  CHECK(verify_script(script_sig, script, verify_all, checker) == ScriptError::OK);
  CHECK(checker.verified == 1);
  CHECK(verify_script(script_sig, script, verify_none, checker) == ScriptError::OK);

  spend.outputs[0].value_sat += 1;
  const SignatureHasher changed(spend);
  const TransactionSignatureChecker changed_checker(changed, 0);
  CHECK(verify_script(script_sig, script, verify_none, changed_checker) == ScriptError::EVAL_FALSE);
  CHECK(verify_script(script_sig, script, verify_all, changed_checker) == ScriptError::NULLFAIL);
}

TEST_CASE("limits hold to the last byte, push, operation and item") {
  // Alternating pushes and drops would be too many operations: few large pushes instead.
  Bytes long_script;
  while (long_script.size() + 524 <= max_script_size) {
    append_push(long_script, Bytes(520, 1));
    long_script.push_back(OP_DROP);
  }
  long_script.resize(max_script_size, OP_1);
  CHECK(run(long_script) == ScriptError::OK);
  long_script.push_back(OP_1);
  CHECK(run(long_script) == ScriptError::SCRIPT_SIZE);

  Bytes push;
  append_push(push, Bytes(520, 7));
  CHECK(run(push) == ScriptError::OK);
  push.clear();
  append_push(push, Bytes(521, 7));
  CHECK(run(push) == ScriptError::PUSH_SIZE);

  CHECK(run(repeated("NOP", 201)) == ScriptError::OK);
  CHECK(run(repeated("NOP", 202)) == ScriptError::OP_COUNT);
  CHECK(run("0 IF " + repeated("NOP", 199) + "ENDIF") == ScriptError::OK);
  CHECK(run("0 IF " + repeated("NOP", 200) + "ENDIF") == ScriptError::OP_COUNT);

  CHECK(run(repeated("1", 1000)) == ScriptError::OK);
  CHECK(run(repeated("1", 1001)) == ScriptError::STACK_SIZE);
  CHECK(run(repeated("1", 999) + "TOALTSTACK DUP") == ScriptError::OK);
  CHECK(run(repeated("1", 999) + "TOALTSTACK DUP DUP") == ScriptError::STACK_SIZE);
}

TEST_CASE("CHECKMULTISIG counts its keys") {
  CHECK(run("0 0 " + repeated("1", 20) + "20 CHECKMULTISIG") == ScriptError::OK);
  CHECK(run("0 0 " + repeated("1", 21) + "21 CHECKMULTISIG") == ScriptError::PUBKEY_COUNT);
  CHECK(run("0 0 -1 CHECKMULTISIG") == ScriptError::PUBKEY_COUNT);
  CHECK(run("0 -1 0 CHECKMULTISIG") == ScriptError::SIG_COUNT);
  CHECK(run("0 1 0 CHECKMULTISIG") == ScriptError::SIG_COUNT);
  // Each key is an operation: 181 + 1 + 20 are one too many.
  const std::string twenty = "0 0 " + repeated("1", 20) + "20 CHECKMULTISIG ";
  CHECK(run(repeated("NOP", 180) + twenty) == ScriptError::OK);
  CHECK(run(repeated("NOP", 181) + twenty) == ScriptError::OP_COUNT);
  // Signatures are taken in the order of their keys.
  CHECK(run("0 1 1 2 1 1 2 CHECKMULTISIGVERIFY") == ScriptError::OK);
  CHECK(run("0 1 0 2 1 1 2 CHECKMULTISIGVERIFY") == ScriptError::CHECKMULTISIGVERIFY);
  CHECK(run("0 0 1 CHECKMULTISIG") == ScriptError::INVALID_STACK_OPERATION);
  CHECK(run("CHECKMULTISIG") == ScriptError::INVALID_STACK_OPERATION);
}

TEST_CASE("every operation refuses a stack that is too short, whatever the flags") {
  for (int opcode = OP_NOP; opcode <= 0xff; ++opcode) {
    for (int items = 0; items < 7; ++items) {
      for (const ScriptFlags flags : {verify_none, verify_all}) {
        Bytes script(static_cast<std::size_t>(items), OP_1);
        script.push_back(static_cast<std::uint8_t>(opcode));
        std::vector<Bytes> stack;
        const ScriptError error = evaluate_script(stack, script, flags, TellingChecker());
        CHECK(!name_of(error).empty());
        CHECK(stack.size() <= 10);
        if (opcode > OP_NOP10) CHECK(error == ScriptError::BAD_OPCODE);
      }
    }
  }
}

TEST_CASE("stack operations leave what they should, the last item on top") {
  const auto left = [](std::string_view text) {
    std::vector<Bytes> stack;
    CHECK(evaluate_script(stack, script_of(text), verify_all, TellingChecker()) == ScriptError::OK);
    std::string items;
    for (const Bytes& item : stack) items += (item.empty() ? "0" : to_hex(item)) + " ";
    return items;
  };
  CHECK(left("1 2 3 4 5 6 2ROT") == "03 04 05 06 01 02 ");
  CHECK(left("1 2 3 4 2SWAP") == "03 04 01 02 ");
  CHECK(left("1 2 3 4 2OVER") == "01 02 03 04 01 02 ");
  CHECK(left("1 2 3 ROT") == "02 03 01 ");
  CHECK(left("1 2 SWAP") == "02 01 ");
  CHECK(left("1 2 TUCK") == "02 01 02 ");
  CHECK(left("1 2 NIP") == "02 ");
  CHECK(left("1 2 OVER") == "01 02 01 ");
  CHECK(left("1 2 3 3DUP") == "01 02 03 01 02 03 ");
  CHECK(left("1 2 2DUP 2DROP") == "01 02 ");
  CHECK(left("1 2 3 2 PICK") == "01 02 03 01 ");
  CHECK(left("1 2 3 2 ROLL") == "02 03 01 ");
  CHECK(left("0 IFDUP 1 IFDUP") == "0 01 01 ");
  CHECK(left("1 2 TOALTSTACK DEPTH FROMALTSTACK") == "01 01 02 ");
  CHECK(left("'abc' SIZE") == "616263 03 ");
  CHECK(left("5 -7 ADD 5 -7 SUB -5 ABS -5 NEGATE 0 NOT 9 0NOTEQUAL") == "82 0c 05 05 01 01 ");
  CHECK(left("1 2 MIN 1 2 MAX 2 1 3 WITHIN 3 1 3 WITHIN") == "01 02 01 0 ");
  CHECK(left("0 IF 1 ELSE 2 ELSE 3 ELSE 4 ENDIF") == "02 04 ");
  CHECK(left("0 IF 1 IF 5 ELSE 6 ENDIF ELSE 7 ENDIF") == "07 ");
}

TEST_CASE("lock times: kind, size and finality") {
  const auto check = [](std::uint32_t own, std::int64_t wanted, std::uint32_t sequence) {
    const Transaction spend = spend_of(sequence, own);
    const SignatureHasher hasher(spend);
    return TransactionSignatureChecker(hasher, 0).check_lock_time(wanted);
  };
  CHECK(check(100, 100, 0));
  CHECK(check(100, 99, 0));
  CHECK_FALSE(check(100, 101, 0));
  CHECK_FALSE(check(100, 100, 0xffffffff));
  CHECK(check(499'999'999, 499'999'999, 0));
  CHECK_FALSE(check(500'000'000, 499'999'999, 0));
  CHECK_FALSE(check(499'999'999, 500'000'000, 0));
  CHECK(check(0xffffffff, 0xffffffff, 0));
  CHECK_FALSE(check(0xffffffff, 0x100000000, 0));
}

TEST_CASE("relative lock times: version, kind, size and switch") {
  const auto check = [](std::uint32_t own, std::int64_t wanted, std::int32_t version = 2) {
    const Transaction spend = spend_of(own, 0, version);
    const SignatureHasher hasher(spend);
    return TransactionSignatureChecker(hasher, 0).check_sequence(wanted);
  };
  CHECK(check(10, 10));
  CHECK(check(10, 9));
  CHECK_FALSE(check(10, 11));
  CHECK_FALSE(check(10, 10, 1));
  CHECK(check(10, 10, -1));  // the version is unsigned
  CHECK_FALSE(check(0x80000000 | 10, 10));
  CHECK(check(0x400000 | 10, 0x400000 | 10));
  CHECK_FALSE(check(0x400000 | 10, 10));
  CHECK_FALSE(check(10, 0x400000 | 10));
  CHECK(check(0xbf0000 | 10, 0x30000 | 10));  // other bits do not count
}

TEST_CASE("what counts as true") {
  CHECK_FALSE(is_true({}));
  CHECK_FALSE(is_true(Bytes{0}));
  CHECK_FALSE(is_true(Bytes{0x80}));
  CHECK_FALSE(is_true(Bytes{0, 0, 0x80}));
  CHECK(is_true(Bytes{0x80, 0}));
  CHECK(is_true(Bytes{0, 1}));
  CHECK(is_true(Bytes{0x81}));
}

TEST_CASE("errors have the names of Bitcoin Core's test files") {
  CHECK(name_of(ScriptError::OK) == "OK");
  CHECK(name_of(ScriptError::RETURN) == "OP_RETURN");
  CHECK(name_of(ScriptError::CODESEPARATOR) == "OP_CODESEPARATOR");
  CHECK(name_of(ScriptError::SIG_FINDANDDELETE) == "SIG_FINDANDDELETE");
  CHECK(name_of(ScriptError::NULLFAIL) == "NULLFAIL");
  CHECK(name_of(ScriptError::SCRIPTNUM) == "SCRIPTNUM");
}
