#include "twinchain/net/mnode_ledger.hpp"

#include <deque>

#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/header_rules.hpp"
#include "twinchain/net/payer_key.hpp"
#include "twinchain/sys/fs.hpp"
#include "unit/net/clocks_for_tests.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;
using ledger::TransactionPlace;

namespace {

/// An M-node as a ledger sees it, which can be made to lie.
struct AnchorNode {
  explicit AnchorNode(std::size_t fundings, const PoolLimits& limits = {})
      : node(fundings, limits) {}

  std::optional<Message> answer(const Message& message) {
    if (const auto* question = std::get_if<GetHeaders>(&message)) return headers(*question);
    if (const auto* question = std::get_if<FindTransaction>(&message)) return find(*question);
    auto answer = node.answer(message);
    if (refusal && answer && std::holds_alternative<Verdicts>(*answer)) {
      auto& verdict = std::get<Verdicts>(*answer).verdicts[0];
      verdict.outcome = refusal->outcome;
      verdict.reason = refusal->reason;
    }
    return answer;
  }
  Headers headers(const GetHeaders& question) const {
    std::size_t from = 0;
    for (const Hash256& hash : question.locator) {
      const auto at = std::ranges::find_if(node.blocks, [&](const NetBlock& block) {
        return bitcoin::block_hash(block.header) == hash;
      });
      if (at != node.blocks.end()) {
        from = static_cast<std::size_t>(at - node.blocks.begin()) + 1;
        break;
      }
    }
    Headers answer;
    for (; from < node.blocks.size() && answer.headers.size() < max_wire_headers; ++from) {
      answer.headers.push_back(node.blocks[from].header);
    }
    if (forge_headers && !answer.headers.empty()) answer.headers.back().bits = 0x2100ffff;
    return answer;
  }
  FoundTransaction find(const FindTransaction& question) {
    asked_heights.push_back(question.first_height);
    FoundTransaction found;
    found.txid = question.txid;
    found.tip_height = static_cast<std::uint32_t>(node.blocks.size());
    if (node.pool->find(question.txid) != nullptr) {
      found.place = FoundTransaction::Place::pool;
      return found;
    }
    const std::uint64_t end = std::uint64_t{question.first_height} + 100;
    for (std::uint64_t at = std::max(question.first_height, 1U); at < end; ++at) {
      if (at > node.blocks.size()) break;
      const NetBlock& block = node.blocks[at - 1];
      std::vector<Hash256> ids;
      for (const auto& one : block.transactions) ids.push_back(one->txid);
      const auto place = std::ranges::find(ids, question.txid);
      if (place == ids.end()) continue;
      found.place = FoundTransaction::Place::block;
      found.height = static_cast<std::uint32_t>(at);
      found.header = block.header;
      found.position = static_cast<std::uint32_t>(place - ids.begin());
      found.transaction_count = static_cast<std::uint32_t>(ids.size());
      found.branch = bitcoin::merkle_branch(ids, found.position);
      found.coinbase = raw_of(block.transactions[0]);
      found.coinbase_branch = bitcoin::merkle_branch(ids, 0);
    }
    if (forge_branch && !found.branch.empty()) found.branch[0][3] ^= 1;
    return found;
  }

  NodeForTests node;
  std::optional<Verdict> refusal;
  bool forge_headers = false;
  bool forge_branch = false;
  bool away = false;
  bool silent = false;
  std::uint64_t link_number = 0;  ///< links before this one are closed
  std::size_t links = 0;
  std::vector<std::uint32_t> asked_heights;
};

class AnchorLink final : public NodeLink {
 public:
  explicit AnchorLink(AnchorNode& node) : node_(node), number_(node.link_number) {}
  Status send(const Message& message) override {
    if (node_.away || number_ != node_.link_number) {
      return fail(ExitCode::peer, "the node has gone");
    }
    // Something that was not asked for comes first.
    answers_.emplace_back(Announce{});
    if (node_.silent) return {};
    if (auto answer = node_.answer(message)) answers_.push_back(std::move(*answer));
    return {};
  }
  Result<std::optional<Message>> receive(int) override {
    if (answers_.empty()) return std::optional<Message>();
    std::optional<Message> first = std::move(answers_.front());
    answers_.pop_front();
    return first;
  }

 private:
  AnchorNode& node_;
  std::uint64_t number_;
  std::deque<Message> answers_;
};

struct AnchorsForTests {
  explicit AnchorsForTests(std::size_t fundings = 3, const PoolLimits& limits = {})
      : node(fundings, limits) {
    // The key that NodeForTests gives coins to.
    const std::string path = folder / "payer.key";
    auto file = real_fs().open(path, OpenMode::create_secret);
    REQUIRE(file);
    const std::string text = "twinchain payer key 1\n" + std::string(63, '0') + "1\n";
    const ByteView pieces[] = {as_bytes(text)};
    REQUIRE((*file)->append(pieces));
    options.payer_key_file = path;
    open();
  }
  void open() {
    ledger = make_mnode_ledger(
        "mnode:test",
        [this](const ChainParameters* expected) -> Result<LinkedNode> {
          if (node.away) return fail(ExitCode::peer, "nobody there");
          if (expected != nullptr && *expected != node.node.chain.parameters) {
            return fail(ExitCode::usage, "another network");
          }
          ++node.links;
          return LinkedNode{std::make_unique<AnchorLink>(node), node.node.chain.parameters};
        },
        clock, ledger_options, options);
  }
  static Bytes payload(std::uint8_t number) {
    Hash256 hash{};
    hash.fill(number);
    return ledger::anchor_payload(hash);
  }
  ledger::Prepared publish(std::uint8_t number) {
    auto prepared = ledger->prepare(payload(number));
    REQUIRE(prepared);
    bool fee_too_low = true;
    REQUIRE(ledger->broadcast(*prepared, &fee_too_low));
    CHECK_FALSE(fee_too_low);
    return *prepared;
  }
  TransactionPlace place(const Hash256& txid) {
    auto status = ledger->status(txid);
    REQUIRE(status);
    return status->place;
  }

  TemporaryFolder folder;
  /// Each look is two seconds after the last: nothing is fresh.
  ClockForTests clock{std::int64_t{genesis_time_for_tests_s} + 100'000, 2'000};
  AnchorNode node;
  ledger::LedgerOptions ledger_options;
  MnodeLedgerOptions options;
  std::unique_ptr<ledger::Ledger> ledger;
};

}  // namespace

TEST_CASE("an anchor goes from the pool into a block, and its receipt proves it") {
  AnchorsForTests anchors;
  REQUIRE(anchors.ledger->ready_to_publish());
  const auto prepared = anchors.publish(7);
  CHECK(anchors.node.node.pool->find(prepared.txid) != nullptr);
  CHECK(anchors.place(prepared.txid) == TransactionPlace::mempool);
  // Again is fine.
  CHECK(anchors.ledger->broadcast(prepared, nullptr));
  CHECK(anchors.ledger->receipt(prepared.txid, AnchorsForTests::payload(7)).error().code ==
        ExitCode::peer);
  anchors.node.node.mine();
  anchors.node.node.mine();
  auto status = anchors.ledger->status(prepared.txid);
  REQUIRE(status);
  CHECK(status->place == TransactionPlace::block);
  CHECK(status->height == 1);
  CHECK(status->depth == 2);
  auto receipt = anchors.ledger->receipt(prepared.txid, AnchorsForTests::payload(7));
  REQUIRE(receipt);
  const auto parsed = ledger::parse_receipt(ledger::encode_receipt(*receipt));
  REQUIRE(parsed);
  const auto facts = ledger::check_receipt(*parsed);
  REQUIRE(facts);
  const auto network = ledger_network(anchors.node.node.chain.parameters);
  CHECK(facts->network.magic == network.magic);
  CHECK(facts->network.name == network.name);
  CHECK(facts->height == 1);
  CHECK(parsed->genesis == genesis_hash(anchors.node.node.chain.parameters));
  auto position = anchors.ledger->position(facts->block_hash);
  REQUIRE(position);
  CHECK(position->on_best_chain);
  CHECK(position->height == 1);
  CHECK(position->depth == 2);
  CHECK(position->time_s == facts->time_s);
  CHECK_FALSE(anchors.ledger->position(Hash256{})->on_best_chain);
  auto tip = anchors.ledger->tip();
  REQUIRE(tip);
  CHECK(tip->height == 2);
  CHECK(tip->network.name == network.name);
  const std::string trust = anchors.ledger->trust_statement();
  CHECK(trust.find("hashes of all headers") != std::string::npos);
  CHECK(trust.find("so are the rules") != std::string::npos);
}

TEST_CASE("several anchors at a time spend different coins; an abandoned one frees its coin") {
  AnchorsForTests anchors(2);
  const auto first = anchors.ledger->prepare(AnchorsForTests::payload(1));
  const auto second = anchors.ledger->prepare(AnchorsForTests::payload(2));
  REQUIRE(first);
  REQUIRE(second);
  auto third = anchors.ledger->prepare(AnchorsForTests::payload(3));
  REQUIRE_FALSE(third);
  CHECK(third.error().code == ExitCode::refuted);
  CHECK(third.error().message.find("0 satoshi at hand") != std::string::npos);
  CHECK(anchors.ledger->broadcast(*first, nullptr));
  CHECK(anchors.ledger->broadcast(*second, nullptr));
  // The change of what is in the pool can be spent already.
  third = anchors.ledger->prepare(AnchorsForTests::payload(3));
  REQUIRE(third);
  CHECK(anchors.ledger->broadcast(*third, nullptr));
  const auto fourth = anchors.ledger->prepare(AnchorsForTests::payload(4));
  REQUIRE(fourth);
  anchors.ledger->abandon(*fourth);
  const auto fifth = anchors.ledger->prepare(AnchorsForTests::payload(5));
  REQUIRE(fifth);
  const auto inputs = [](const ledger::Prepared& prepared) {
    return bitcoin::parse_transaction(prepared.raw_transaction)->inputs[0].previous_output;
  };
  CHECK(inputs(*fifth) == inputs(*fourth));
}

TEST_CASE("after a restart few blocks are searched, and the receipt can still be made") {
  AnchorsForTests anchors;
  for (int i = 0; i < 130; ++i) anchors.node.node.mine(true);
  const auto prepared = anchors.publish(9);
  for (int i = 0; i < 140; ++i) anchors.node.node.mine();
  anchors.open();
  anchors.ledger->remember(prepared);
  CHECK(anchors.place(prepared.txid) == TransactionPlace::block);
  CHECK(anchors.node.asked_heights == std::vector<std::uint32_t>{130});
  CHECK(anchors.ledger->status(prepared.txid)->depth == 140);
  CHECK(anchors.ledger->receipt(prepared.txid, AnchorsForTests::payload(9)));
  // What is found is not asked for again.
  CHECK(anchors.node.asked_heights.size() == 1);
  // What is nowhere is looked for once over, and then in what is new.
  Hash256 nowhere{};
  nowhere[0] = 1;
  CHECK(anchors.place(nowhere) == TransactionPlace::unknown);
  const std::size_t asked = anchors.node.asked_heights.size();
  CHECK(asked == 3);
  CHECK(anchors.place(nowhere) == TransactionPlace::unknown);
  CHECK(anchors.node.asked_heights.size() == asked + 1);
  CHECK(anchors.node.asked_heights.back() == 270);
}

TEST_CASE("what a node says of a transaction becomes what the anchors' engine understands") {
  AnchorsForTests anchors;
  auto prepared = anchors.ledger->prepare(AnchorsForTests::payload(1));
  REQUIRE(prepared);
  bool fee_too_low = false;
  const auto code = [&](Verdict verdict) {
    anchors.node.refusal = std::move(verdict);
    auto sent = anchors.ledger->broadcast(*prepared, &fee_too_low);
    return sent ? ExitCode::success : sent.error().code;
  };
  CHECK(code(Verdict::refused("min relay fee not met")) == ExitCode::refuted);
  CHECK(fee_too_low);
  CHECK(code(Verdict::refused("txn-mempool-conflict")) == ExitCode::refuted);
  CHECK_FALSE(fee_too_low);
  CHECK(code(Verdict::refused("mempool full")) == ExitCode::peer);
  CHECK(code(Verdict::incomplete("missing-inputs")) == ExitCode::refuted);
  CHECK(code(Verdict::invalid("bad")) == ExitCode::refuted);
  CHECK(code({Outcome::known, "", false}) == ExitCode::success);
}

TEST_CASE("a higher fee spends the same coin") {
  AnchorsForTests anchors;
  anchors.ledger_options.fee_rate_sat_per_vbyte = 2;
  anchors.open();
  auto old = anchors.ledger->prepare(AnchorsForTests::payload(1));
  REQUIRE(old);
  CHECK(old->fee_sat >= 2 * old->raw_transaction.size());
  CHECK(old->fee_sat <= 2 * (old->raw_transaction.size() + 10));
  auto higher = anchors.ledger->bump_fee(*old);
  REQUIRE(higher);
  CHECK(higher->fee_sat >= old->fee_sat + old->fee_sat / 2);
  CHECK(higher->txid != old->txid);
  const auto before = bitcoin::parse_transaction(old->raw_transaction);
  const auto after = bitcoin::parse_transaction(higher->raw_transaction);
  CHECK(before->inputs[0].previous_output == after->inputs[0].previous_output);
  CHECK(before->outputs[0].value_sat - after->outputs[0].value_sat ==
        static_cast<std::int64_t>(higher->fee_sat - old->fee_sat));
  REQUIRE(anchors.ledger->broadcast(*higher, nullptr));
  anchors.node.node.mine();
  CHECK(anchors.place(higher->txid) == TransactionPlace::block);
  CHECK(anchors.ledger->receipt(higher->txid, AnchorsForTests::payload(1)));
}

TEST_CASE("a node that lies is found out") {
  AnchorsForTests anchors;
  const auto prepared = anchors.publish(1);
  anchors.node.node.mine();
  SUBCASE("about headers") {
    anchors.node.forge_headers = true;
    auto tip = anchors.ledger->tip();
    REQUIRE_FALSE(tip);
    CHECK(tip.error().code == ExitCode::refuted);
    CHECK(tip.error().message.find("does not meet its proof of work") != std::string::npos);
  }
  SUBCASE("about the block of a transaction") {
    anchors.node.forge_branch = true;
    auto status = anchors.ledger->status(prepared.txid);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == ExitCode::malformed);
  }
  // An honest answer is believed after that.
  anchors.node.forge_headers = anchors.node.forge_branch = false;
  CHECK(anchors.place(prepared.txid) == TransactionPlace::block);
}

TEST_CASE("links that were closed are made again; a node that is away is a peer's error") {
  AnchorsForTests anchors;
  REQUIRE(anchors.ledger->tip());
  CHECK(anchors.node.links == 1);
  ++anchors.node.link_number;
  CHECK(anchors.ledger->tip());
  CHECK(anchors.node.links == 2);
  anchors.node.away = true;
  CHECK(anchors.ledger->tip().error().code == ExitCode::peer);
  anchors.node.away = false;
  CHECK(anchors.ledger->tip());
  anchors.node.silent = true;
  anchors.ledger_options.timeout_ms = 20;
  anchors.open();
  CHECK(anchors.ledger->tip().error().message == "the node does not answer");
  anchors.node.silent = false;
  // The rules, once known, stay.
  anchors.options.parameters = funded_parameters(9);
  anchors.open();
  CHECK(anchors.ledger->tip().error().code == ExitCode::usage);
}

TEST_CASE("headers by height, and none beyond the tip") {
  AnchorsForTests anchors;
  for (int i = 0; i < 5; ++i) anchors.node.node.mine();
  auto all = anchors.ledger->headers(0, 1000);
  REQUIRE(all);
  REQUIRE(all->size() == 6);
  CHECK(bitcoin::block_hash((*all)[0]) == genesis_hash(anchors.node.node.chain.parameters));
  CHECK(bitcoin::block_hash((*all)[5]) == anchors.ledger->tip()->block_hash);
  auto some = anchors.ledger->headers(2, 3);
  REQUIRE(some);
  REQUIRE(some->size() == 3);
  CHECK((*some)[0] == (*all)[2]);
  CHECK((*some)[2] == (*all)[4]);
  CHECK(anchors.ledger->headers(6, 10)->empty());
}

TEST_CASE("who has no key can ask, and not publish") {
  AnchorsForTests anchors;
  anchors.options.payer_key_file.clear();
  anchors.open();
  CHECK(anchors.ledger->tip());
  CHECK(anchors.ledger->ready_to_publish().error().code == ExitCode::usage);
  CHECK(anchors.ledger->prepare(AnchorsForTests::payload(1)).error().code == ExitCode::usage);
  for (const char* url : {"mnode:", "mnode:host", "mnode:host:0", "mnode:host:70000", "mnode::1"}) {
    auto opened = open_ledger(url, {}, {}, false);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ExitCode::usage);
  }
  CHECK(open_ledger("mnode:[::1]:7001", {}, {}, false));
}
