#include "twinchain/bitcoin/sighash.hpp"

#include <doctest/doctest.h>

#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

Transaction three_by_two() {
  Transaction transaction;
  transaction.version = -2;
  transaction.lock_time = 77;
  for (std::uint8_t i = 0; i < 3; ++i) {
    TxIn input;
    input.previous_output.txid[5] = i;
    input.previous_output.index = i;
    input.script_sig = Bytes(i * 200U, 0x51);
    input.sequence = 1000U + i;
    transaction.inputs.push_back(input);
  }
  transaction.outputs.push_back({1, {OP_1}});
  transaction.outputs.push_back({2, Bytes(3000, OP_NOP)});
  return transaction;
}

const Bytes code{OP_DUP, OP_CHECKSIG};

Hash256 hash_of(const Transaction& transaction, std::size_t input, std::int32_t type) {
  return signature_hash(transaction, input, code, type);
}

/// What the hash says it is: the transaction copied and changed, serialised, with the type behind.
Hash256 hash_by_copy(Transaction copy, std::size_t input, std::int32_t type) {
  for (TxIn& other : copy.inputs) other.script_sig.clear();
  copy.inputs[input].script_sig = code;
  const bool none = (type & 0x1f) == sighash_none;
  const bool single = (type & 0x1f) == sighash_single;
  if (none) copy.outputs.clear();
  if (single) {
    copy.outputs.resize(input + 1);
    for (std::size_t i = 0; i < input; ++i) copy.outputs[i] = {-1, {}};
  }
  for (std::size_t i = 0; i < copy.inputs.size(); ++i) {
    if (i != input && (none || single)) copy.inputs[i].sequence = 0;
  }
  if ((type & sighash_anyone_can_pay) != 0) copy.inputs = {copy.inputs[input]};
  Bytes bytes = serialize(copy, TxEncoding::no_witness);
  append_le(bytes, type);
  return sha256d(bytes);
}

}  // namespace

TEST_CASE("each type hashes what it says") {
  const Transaction transaction = three_by_two();
  for (std::size_t input = 0; input < 3; ++input) {
    for (const std::int32_t type :
         {0, 1, 2, 3, 4, 0x1f, 0x41, 0x81, 0x82, 0x83, 0xc1, -1, 0x12345601, 0x12345682}) {
      if ((type & 0x1f) == sighash_single && input >= 2) continue;
      CAPTURE(input);
      CAPTURE(type);
      CHECK(hash_of(transaction, input, type) == hash_by_copy(transaction, input, type));
    }
  }
}

TEST_CASE("the number one where there is nothing to sign") {
  Hash256 one{};
  one[0] = 1;
  const Transaction transaction = three_by_two();
  CHECK(hash_of(transaction, 2, sighash_single) == one);
  CHECK(hash_of(transaction, 2, sighash_single | sighash_anyone_can_pay) == one);
  CHECK(hash_of(transaction, 3, sighash_all) == one);
  CHECK(hash_of(transaction, 1, sighash_single) != one);
}

TEST_CASE("OP_CODESEPARATOR is left out, but not where it is data") {
  const Transaction transaction = three_by_two();
  const auto hash = [&](const Bytes& script) {
    return signature_hash(transaction, 0, script, sighash_all);
  };
  const Bytes plain{OP_1, 2, OP_CODESEPARATOR, OP_CODESEPARATOR, OP_CHECKSIG};
  CHECK(hash({OP_CODESEPARATOR, OP_1, OP_CODESEPARATOR, OP_CODESEPARATOR, 2, OP_CODESEPARATOR,
              OP_CODESEPARATOR, OP_CHECKSIG, OP_CODESEPARATOR}) == hash(plain));
  CHECK(hash({OP_1, 2, OP_CODESEPARATOR, OP_CHECKSIG}) != hash(plain));
  // A script with a push that reaches past its end.
  CHECK(hash({OP_CODESEPARATOR, OP_1, 5, OP_CODESEPARATOR}) == hash({OP_1, 5, OP_CODESEPARATOR}));
}

TEST_CASE("one hasher serves all inputs, also of a transaction with megabytes of data") {
  Transaction transaction = three_by_two();
  transaction.outputs[0].script_pubkey = Bytes(2'000'000, 0x00);
  const SignatureHasher hasher(transaction);
  for (std::size_t input = 0; input < 3; ++input) {
    CHECK(hasher.hash(input, code, sighash_all) == hash_by_copy(transaction, input, sighash_all));
    if (input < 2) {
      CHECK(hasher.hash(input, code, sighash_single) ==
            hash_by_copy(transaction, input, sighash_single));
    }
  }
}
