#include "twinchain/ledger/rpc_ledger.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>

#include "rpc_dialogue.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/ledger/rpc_node.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using namespace twinchain::ledger::testing;

namespace {

std::string fault(int code, const std::string& message) {
  return R"({"result":null,"error":{"code":)" + std::to_string(code) + R"(,"message":")" + message +
         R"("},"id":1})";
}
std::string result(const std::string& value) {
  return R"({"result":)" + value + R"(,"error":null,"id":1})";
}

/// Answers by the name of the call; those whose parameters matter have names of their own.
struct Script {
  std::map<std::string, std::string> answers{
      {"getblockhash", genesis_answer},
      {"createrawtransaction", create_answer},
      {"fundrawtransaction", fund_answer},
      {"signrawtransactionwithwallet", sign_answer},
      {"sendrawtransaction", send_answer},
      {"getmempoolentry", mempool_entry_answer},
      {"getmempoolinfo", mempool_info_answer},
      {"gettransaction", confirmed_answer},
      {"getbestblockhash", best_block_answer},
      {"getblockheader true", header_info_answer},
      {"getblockheader false", header_answer},
      {"getblock", block_answer},
      {"getrawtransaction", transaction_answer},
      {"getrawtransaction coinbase", coinbase_answer},
      {"getrawtransaction true", indexed_answer},
      {"getwalletinfo", wallet_info_answer},
      {"lockunspent", R"({"result":true,"error":null,"id":1})"},
  };
  std::vector<std::string> calls;
  std::optional<Error> broken;
};

class ScriptedConnection final : public RpcConnection {
 public:
  explicit ScriptedConnection(Script& script) : script_(script) {}
  Result<RpcReply> call(std::string_view method, std::string_view params, bool wallet) override {
    if (script_.broken) return std::unexpected(*script_.broken);
    std::string name(method);
    const auto has = [params](std::string_view part) {
      return params.find(part) != std::string_view::npos;
    };
    if (method == "getblockheader") name += has("true") ? " true" : " false";
    if (method == "getrawtransaction" && has("true")) name += " true";
    if (method == "getrawtransaction" && has(coinbase_id())) name += " coinbase";
    script_.calls.push_back((wallet ? "wallet " : "") + std::string(method) + " " +
                            std::string(params));
    const auto answer = script_.answers.find(name);
    if (answer == script_.answers.end()) return fail(ExitCode::bug, "no answer to " + name);
    return parse_rpc_reply(answer->second);
  }
  static std::string coinbase_id() {
    const auto reply = parse_rpc_reply(block_answer);
    return reply->result.find("tx")->items[0].text;
  }

 private:
  Script& script_;
};

struct Fixture {
  Script script;
  LedgerOptions options;
  std::unique_ptr<Ledger> open(const std::string& family = "litecoin") {
    return make_rpc_ledger(family, std::make_unique<ScriptedConnection>(script), options);
  }
  [[nodiscard]] bool called(std::string_view part) const {
    for (const auto& call : script.calls) {
      if (call.find(part) != std::string::npos) return true;
    }
    return false;
  }
};

Bytes payload() {
  Hash256 hash{};
  hash.fill(0x42);
  return anchor_payload(hash);
}
Hash256 anchored_txid() {
  return *hash_from_hex_reversed(parse_rpc_reply(send_answer)->result.text);
}

}  // namespace

TEST_CASE("the node's chain is known by its genesis block") {
  Fixture fixture;
  auto ledger = fixture.open();
  const auto tip = ledger->tip();
  REQUIRE(tip);
  CHECK(tip->network.name == "litecoin-regtest");
  CHECK(tip->height == 103);
  CHECK(to_hex_reversed(tip->block_hash) == parse_rpc_reply(best_block_answer)->result.text);
  CHECK(ledger->trust_statement().find("network for tests") != std::string::npos);

  auto other = fixture.open("bitcoin");
  CHECK(other->tip().error().code == ExitCode::usage);
  CHECK(other->tip().error().message.find("litecoin-regtest") != std::string::npos);
  fixture.script.answers["getblockhash"] = result("\"" + std::string(64, '1') + "\"");
  CHECK(fixture.open()->tip().error().code == ExitCode::usage);
}

TEST_CASE("a transaction is made, funded, signed, and looked at") {
  Fixture fixture;
  fixture.options.fee_rate_sat_per_vbyte = 12.5;
  auto ledger = fixture.open();
  const auto prepared = ledger->prepare(payload());
  REQUIRE(prepared);
  CHECK(prepared->txid == anchored_txid());
  CHECK(prepared->fee_sat == 3160);
  CHECK(fixture.called(R"(wallet fundrawtransaction)"));
  CHECK(fixture.called(R"("lockUnspents":true,"replaceable":true,"feeRate":"0.00012500"},false])"));
  CHECK(fixture.called("createrawtransaction [[],[{\"data\":\"" + to_hex(payload()) + "\"}]]"));
  CHECK_FALSE(fixture.called("sendrawtransaction"));
  // A node that puts something else into it is found out.
  CHECK(ledger->prepare(Bytes(37, 1)).error().code == ExitCode::malformed);
  // Without a fee rate the node's estimate counts.
  Fixture plain;
  REQUIRE(plain.open()->prepare(payload()));
  CHECK_FALSE(plain.called("feeRate"));
}

TEST_CASE("what keeps a wallet from paying") {
  const auto refused = [](const std::string& method, const std::string& answer) {
    Fixture fixture;
    fixture.script.answers[method] = answer;
    const auto prepared = fixture.open()->prepare(payload());
    REQUIRE_FALSE(prepared);
    return prepared.error();
  };
  const auto funding = [&](int code, const std::string& message) {
    return refused("fundrawtransaction", fault(code, message));
  };
  CHECK(funding(-4, "Insufficient funds").code == ExitCode::refuted);
  CHECK(funding(-6, "Insufficient funds").hint.find("getnewaddress") != std::string::npos);
  CHECK(funding(-4, "Fee estimation failed. Fallbackfee is disabled.").hint.find("--fee-rate") !=
        std::string::npos);
  CHECK(funding(-4, "Transaction has too long of a mempool chain").code == ExitCode::peer);
  CHECK(funding(-18, "Requested wallet does not exist or is not loaded").code == ExitCode::usage);
  CHECK(funding(-19, "Wallet file not specified").hint.find("--wallet") != std::string::npos);
  CHECK(funding(-28, "Rescanning...").code == ExitCode::peer);
  CHECK(funding(-32601, "Method not found").code == ExitCode::usage);
  CHECK(funding(-999, "odd\\u001b[31m").message.find('\x1b') == std::string::npos);
  CHECK(refused("signrawtransactionwithwallet", fault(-13, "Please enter")).hint.find("unlock") !=
        std::string::npos);
  CHECK(refused("signrawtransactionwithwallet", result(R"({"hex":"00","complete":false})")).code ==
        ExitCode::refuted);
  // Litecoin: all money in the extension block gives a transaction without inputs.
  const auto inside = refused("fundrawtransaction",
                              result("{\"hex\":\"" + parse_rpc_reply(create_answer)->result.text +
                                     "\",\"fee\":0.00003160,\"changepos\":-1}"));
  CHECK(inside.code == ExitCode::refuted);
  CHECK(inside.message.find("not in ordinary outputs") != std::string::npos);
}

TEST_CASE("coins of a transaction that cannot be signed or sent are free again") {
  Fixture fixture;
  fixture.script.answers["signrawtransactionwithwallet"] = fault(-13, "locked");
  CHECK_FALSE(fixture.open()->prepare(payload()));
  CHECK(fixture.called("lockunspent [true,[{\"txid\":"));
  Fixture sent;
  auto ledger = sent.open();
  const auto prepared = ledger->prepare(payload());
  ledger->abandon(*prepared);
  CHECK(sent.called("lockunspent [true,[{\"txid\":"));
}

TEST_CASE("what a node says to a transaction") {
  Fixture fixture;
  auto ledger = fixture.open();
  const auto prepared = ledger->prepare(payload());
  bool low = false;
  CHECK(ledger->broadcast(*prepared, &low));
  const auto said = [&](int code, const std::string& message) {
    fixture.script.answers["sendrawtransaction"] = fault(code, message);
    return ledger->broadcast(*prepared, &low);
  };
  CHECK(said(-27, "Transaction already in block chain"));
  CHECK(said(-27, "Transaction outputs already in utxo set"));
  CHECK(said(-26, "txn-already-in-mempool"));
  CHECK(said(-26, "txn-already-known"));
  CHECK_FALSE(low);
  for (const char* message :
       {"min relay fee not met, 79 < 158", "mempool min fee not met, 1 < 2", "mempool full",
        "insufficient fee, rejecting replacement 00; new feerate 1 <= old feerate 2"}) {
    CAPTURE(message);
    const auto status = said(-26, message);
    REQUIRE_FALSE(status);
    CHECK(low);
  }
  CHECK(said(-26, "too-long-mempool-chain").error().code == ExitCode::peer);
  CHECK_FALSE(low);
  CHECK(said(-25, "bad-txns-inputs-missingorspent").error().code == ExitCode::refuted);
  CHECK_FALSE(low);
  CHECK(said(-26, "txn-mempool-conflict").error().code == ExitCode::refuted);
  CHECK(said(-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
            .error()
            .code == ExitCode::usage);
  CHECK(said(-28, "Loading block index...").error().code == ExitCode::peer);
}

TEST_CASE("where a transaction is") {
  Fixture fixture;
  auto ledger = fixture.open();
  const auto place = [&] { return ledger->status(anchored_txid()); };
  auto status = place();
  REQUIRE(status);
  CHECK(status->place == TransactionPlace::block);
  CHECK(status->height == 103);
  CHECK(status->depth == 1);
  auto& answers = fixture.script.answers;

  // The wallet still names a block that the chain has left.
  std::string stale = header_info_answer;
  stale.replace(stale.find("\"confirmations\":1"), 17, "\"confirmations\":-1");
  answers["getblockheader true"] = stale;
  CHECK(place()->place == TransactionPlace::mempool);
  answers["getmempoolentry"] = fault(-5, "Transaction not in mempool");
  CHECK(place()->place == TransactionPlace::unknown);
  answers["getblockheader true"] = fault(-5, "Block not found");
  CHECK(place()->place == TransactionPlace::unknown);
  answers["getblockheader true"] = header_info_answer;

  answers["gettransaction"] = unconfirmed_answer;
  CHECK(place()->place == TransactionPlace::unknown);
  answers["getmempoolentry"] = mempool_entry_answer;
  CHECK(place()->place == TransactionPlace::mempool);
  answers["gettransaction"] = result(R"({"confirmations":-3,"walletconflicts":[]})");
  CHECK(place()->place == TransactionPlace::conflicted);

  // A node without the wallet's memory knows it by its index, or not at all.
  answers["gettransaction"] = fault(-5, "Invalid or non-wallet transaction id");
  CHECK(place()->place == TransactionPlace::block);
  answers["gettransaction"] = fault(-18, "Requested wallet does not exist or is not loaded");
  CHECK(place()->place == TransactionPlace::block);
  answers["getrawtransaction true"] = fault(-5, "No such mempool or blockchain transaction");
  answers["getmempoolentry"] = fault(-5, "Transaction not in mempool");
  CHECK(place()->place == TransactionPlace::unknown);
}

TEST_CASE("a receipt is what check_receipt proves") {
  Fixture fixture;
  auto ledger = fixture.open();
  const auto receipt = ledger->receipt(anchored_txid(), payload());
  REQUIRE(receipt);
  const auto facts = check_receipt(*receipt);
  REQUIRE(facts);
  CHECK(facts->network.name == "litecoin-regtest");
  CHECK(facts->height == 103);
  CHECK(facts->txid == anchored_txid());
  CHECK(receipt->transaction_index == 1);
  CHECK(receipt->transaction_branch.size() == 1);
  // Of another link, of another block: not with this node's answers.
  Bytes other = payload();
  other.back() ^= 1;
  CHECK_FALSE(ledger->receipt(anchored_txid(), other));
  CHECK_FALSE(ledger->receipt(Hash256{}, payload()));
  fixture.script.answers["gettransaction"] = unconfirmed_answer;
  CHECK(ledger->receipt(anchored_txid(), payload()).error().code == ExitCode::peer);
}

TEST_CASE("no changed answer makes a receipt that proves nothing, or a crash") {
  const Script good;
  for (const auto& [name, answer] : good.answers) {
    // Some fifty places of each answer.
    const std::size_t step = std::max<std::size_t>(answer.size() / 50, 1);
    for (std::size_t i = 0; i < answer.size(); i += step) {
      for (const int bit : {0, 4}) {
        Fixture fixture;
        std::string changed = answer;
        changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
        fixture.script.answers[name] = changed;
        auto ledger = fixture.open();
        (void)ledger->tip();
        (void)ledger->ready_to_publish();
        if (const auto prepared = ledger->prepare(payload())) {
          bool low = false;
          (void)ledger->broadcast(*prepared, &low);
          (void)ledger->bump_fee(*prepared);
        }
        (void)ledger->position(anchored_txid());
        if (const auto receipt = ledger->receipt(anchored_txid(), payload())) {
          CHECK(check_receipt(*receipt));
          CHECK(receipt->link_hash[0] == 0x42);
        }
      }
    }
  }
}

TEST_CASE("answers of other types are refused") {
  const Script good;
  for (const auto& [name, answer] : good.answers) {
    if (name == "lockunspent") continue;
    for (const char* value : {"null", "5", "-5", "1e300", "true", "\"\"", "\"zz\"", "[]", "{}",
                              "[[]]", R"({"hex":5,"fee":"x","complete":1,"confirmations":"1"})",
                              R"({"tx":[5]})", R"({"confirmations":99999999999999})"}) {
      CAPTURE(name);
      CAPTURE(value);
      Fixture fixture;
      fixture.script.answers[name] = result(value);
      auto ledger = fixture.open();
      const auto tip = ledger->tip();
      const auto prepared = ledger->prepare(payload());
      const auto receipt = ledger->receipt(anchored_txid(), payload());
      if (receipt) CHECK(check_receipt(*receipt));
      if (!tip) CHECK(tip.error().message.find('\n') == std::string::npos);
      if (name == "fundrawtransaction" || name == "signrawtransactionwithwallet") {
        CHECK_FALSE(prepared);
      }
      if (name == "getblock" || name == "getblockheader false" || name == "getrawtransaction" ||
          name == "getrawtransaction coinbase") {
        CHECK_FALSE(receipt);
      }
    }
  }
}

TEST_CASE("a higher fee comes out of the change") {
  Fixture fixture;
  auto ledger = fixture.open();
  const auto prepared = ledger->prepare(payload());
  REQUIRE(prepared);
  // The answer of the signer is the old transaction: what it was given is looked at here.
  fixture.script.calls.clear();
  fixture.script.answers["getmempoolentry"] = fault(-5, "Transaction not in mempool");
  REQUIRE(ledger->bump_fee(*prepared));
  CHECK_FALSE(fixture.called("fundrawtransaction"));
  const std::string& call = fixture.script.calls.back();
  const auto raw = from_hex(call.substr(call.find('"') + 1, call.rfind('"') - call.find('"') - 1));
  REQUIRE(raw);
  const auto before = *bitcoin::parse_transaction(prepared->raw_transaction);
  const auto after = bitcoin::parse_transaction(*raw);
  REQUIRE(after);
  REQUIRE(after->inputs.size() == 1);
  CHECK(after->inputs[0].previous_output == before.inputs[0].previous_output);
  CHECK(after->inputs[0].sequence <= 0xfffffffd);
  CHECK_FALSE(after->has_witness());
  REQUIRE(after->outputs.size() == 2);
  std::int64_t less = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(after->outputs[i].script_pubkey == before.outputs[i].script_pubkey);
    less += before.outputs[i].value_sat - after->outputs[i].value_sat;
  }
  CHECK(less == 3160 / 2);

  // Others build on it: it is left alone.
  std::string parent = mempool_entry_answer;
  parent.replace(parent.find("\"descendantcount\":1"), 19, "\"descendantcount\":2");
  fixture.script.answers["getmempoolentry"] = parent;
  CHECK(ledger->bump_fee(*prepared).error().code == ExitCode::refuted);

  // Too little change: the wallet adds inputs, but not the old transaction's own outputs.
  auto poor = before;
  for (auto& output : poor.outputs)
    output.value_sat = std::min<std::int64_t>(output.value_sat, 500);
  Prepared small{bitcoin::serialize(poor), bitcoin::txid(poor), 3160};
  fixture.script.answers["getmempoolentry"] = fault(-5, "Transaction not in mempool");
  fixture.script.calls.clear();
  CHECK(ledger->bump_fee(small));
  CHECK(fixture.called("lockunspent [false,[{\"txid\":\"" + to_hex_reversed(small.txid)));
  CHECK(fixture.called("\"add_inputs\":true"));
  CHECK(fixture.called("createrawtransaction [[{\"txid\":"));
}

TEST_CASE("a wallet is looked at before it is needed") {
  Fixture fixture;
  auto ledger = fixture.open();
  CHECK(ledger->ready_to_publish());
  auto& answer = fixture.script.answers["getwalletinfo"];
  answer = result(R"({"walletname":"w","private_keys_enabled":false})");
  CHECK(ledger->ready_to_publish().error().code == ExitCode::usage);
  answer = result(R"({"walletname":"w","unlocked_until":0})");
  CHECK(ledger->ready_to_publish().error().code == ExitCode::refuted);
  answer = result(R"({"walletname":"w","unlocked_until":1800000000})");
  CHECK(ledger->ready_to_publish());
  answer = fault(-18, "Requested wallet does not exist or is not loaded");
  CHECK(ledger->ready_to_publish().error().code == ExitCode::usage);
}

TEST_CASE("a connection's error is passed on") {
  Fixture fixture;
  fixture.script.broken = Error{ExitCode::peer, "connection refused", {}};
  auto ledger = fixture.open();
  CHECK(ledger->tip().error().message == "connection refused");
  CHECK(ledger->status(Hash256{}).error().code == ExitCode::peer);
  CHECK(ledger->position(Hash256{}).error().code == ExitCode::peer);
  CHECK(ledger->prepare(payload()).error().code == ExitCode::peer);
}

TEST_CASE("headers of the best chain") {
  Fixture fixture;
  auto ledger = fixture.open();
  REQUIRE(ledger->tip());
  const auto headers = ledger->headers(7, 3);
  REQUIRE(headers);
  CHECK(headers->size() == 3);
  CHECK(fixture.called("getblockhash [9]"));
  CHECK_FALSE(fixture.called("getblockhash [10]"));
  fixture.script.answers["getblockheader false"] = result("\"00\"");
  CHECK(ledger->headers(7, 3).error().code == ExitCode::malformed);
  fixture.script.answers["getblockhash"] =
      R"({"result":null,"error":{"code":-8,"message":"Block height out of range"},"id":1})";
  CHECK(ledger->headers(7, 3)->empty());
}
