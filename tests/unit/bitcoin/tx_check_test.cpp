#include "twinchain/bitcoin/tx_check.hpp"

#include <doctest/doctest.h>

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

Transaction sound() {
  Transaction transaction;
  transaction.inputs.resize(2);
  transaction.inputs[0].previous_output.txid[0] = 1;
  transaction.inputs[1].previous_output.txid[0] = 2;
  transaction.outputs.push_back({max_money_sat - 1, {0x51}});
  transaction.outputs.push_back({1, {}});
  return transaction;
}
Transaction coinbase(std::size_t script_size) {
  Transaction transaction;
  transaction.inputs.resize(1);
  transaction.inputs[0].previous_output.index = 0xffffffff;
  transaction.inputs[0].script_sig = Bytes(script_size, 0);
  transaction.outputs.push_back({0, {}});
  return transaction;
}

std::string reason(const Transaction& transaction,
                   std::size_t max_size = max_bitcoin_transaction_size) {
  const Status status = check_transaction(transaction, max_size);
  if (status) return "";
  CHECK(status.error().code == ExitCode::refuted);
  return status.error().message;
}

}  // namespace

TEST_CASE("a sound transaction passes, and each fault has its reason") {
  CHECK(reason(sound()).empty());
  Transaction bad = sound();
  bad.inputs.clear();
  CHECK(reason(bad) == "transaction: bad-txns-vin-empty");
  bad = sound();
  bad.outputs.clear();
  CHECK(reason(bad) == "transaction: bad-txns-vout-empty");
  bad = sound();
  bad.outputs[1].value_sat = -1;
  CHECK(reason(bad) == "transaction: bad-txns-vout-negative");
  bad.outputs[1].value_sat = max_money_sat + 1;
  CHECK(reason(bad) == "transaction: bad-txns-vout-toolarge");
  bad.outputs[1].value_sat = 2;
  CHECK(reason(bad) == "transaction: bad-txns-txouttotal-toolarge");
  bad = sound();
  bad.inputs[1].previous_output = bad.inputs[0].previous_output;
  CHECK(reason(bad) == "transaction: bad-txns-inputs-duplicate");
  bad.inputs[1].previous_output.index = 1;
  CHECK(reason(bad).empty());
  bad.inputs[1].previous_output = {{}, 0xffffffff};
  CHECK(reason(bad) == "transaction: bad-txns-prevout-null");
}

TEST_CASE("the size counts without witness, to the byte") {
  Transaction transaction = sound();
  const std::size_t size = serialize(transaction, TxEncoding::no_witness).size();
  CHECK(reason(transaction, size).empty());
  CHECK(reason(transaction, size - 1) == "transaction: bad-txns-oversize");
  transaction.inputs[0].witness.push_back(Bytes(1000, 1));
  CHECK(reason(transaction, size).empty());
}

TEST_CASE("a coinbase's script has 2 to 100 bytes") {
  CHECK(reason(coinbase(1)) == "transaction: bad-cb-length");
  CHECK(reason(coinbase(2)).empty());
  CHECK(reason(coinbase(100)).empty());
  CHECK(reason(coinbase(101)) == "transaction: bad-cb-length");
}

TEST_CASE("many inputs are checked for repetition in little time") {
  Transaction transaction = sound();
  transaction.inputs.resize(20'000);
  for (std::uint32_t i = 0; i < transaction.inputs.size(); ++i) {
    transaction.inputs[i].previous_output.txid[1] = 1;
    transaction.inputs[i].previous_output.index = i;
  }
  CHECK(reason(transaction).empty());
  transaction.inputs.back() = transaction.inputs.front();
  CHECK(reason(transaction) == "transaction: bad-txns-inputs-duplicate");
}
