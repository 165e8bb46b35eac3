#include "twinchain/ledger/header_file.hpp"

#include <doctest/doctest.h>

#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/header_chain.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

Network dir_network() {
  return *network_by_name("dir");
}

// A ledger that has headers and nothing else.
class HeaderLedger final : public Ledger {
 public:
  std::vector<bitcoin::BlockHeaderBytes> chain{bitcoin::serialize(dir_genesis().header)};
  bool away = false;
  std::function<void(std::uint32_t first_height)> before_answer;

  void mine(std::size_t count, std::uint8_t branch = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      bitcoin::BlockHeader header;
      header.previous = bitcoin::block_hash(chain.back());
      header.merkle_root[0] = branch;
      header.time_s = bitcoin::parse_header(chain.back()).time_s + 1;
      header.bits = dir_bits;
      while (!dir_network().check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
      chain.push_back(bitcoin::serialize(header));
    }
  }
  void drop(std::size_t count) { chain.resize(chain.size() - count); }

  Result<Tip> tip() override {
    if (away) return fail(ExitCode::peer, "away");
    return Tip{dir_network(), static_cast<std::uint32_t>(chain.size() - 1),
               bitcoin::block_hash(chain.back()), 0};
  }
  Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t first_height,
                                                         std::uint32_t count) override {
    if (away) return fail(ExitCode::peer, "away");
    if (before_answer) before_answer(first_height);
    std::vector<bitcoin::BlockHeaderBytes> out;
    for (std::size_t i = first_height; i < chain.size() && out.size() < count; ++i) {
      out.push_back(chain[i]);
    }
    return out;
  }
  Result<Prepared> prepare(ByteView) override { return fail(ExitCode::bug, ""); }
  Status broadcast(const Prepared&, bool*) override { return fail(ExitCode::bug, ""); }
  Result<TransactionStatus> status(const Hash256&) override { return fail(ExitCode::bug, ""); }
  Result<Prepared> bump_fee(const Prepared&) override { return fail(ExitCode::bug, ""); }
  Result<Receipt> receipt(const Hash256&, ByteView) override { return fail(ExitCode::bug, ""); }
  Result<BlockPosition> position(const Hash256&) override { return fail(ExitCode::bug, ""); }
  [[nodiscard]] std::string trust_statement() const override { return ""; }
};

Bytes bytes_of(const HeaderLedger& ledger, std::size_t first = 0) {
  Bytes out;
  for (std::size_t i = first; i < ledger.chain.size(); ++i) append(out, ledger.chain[i]);
  return out;
}

Result<HeaderFileOutcome> update(Fs& fs, Ledger& ledger, HeaderFileOptions options = {}) {
  return update_header_file(fs, "headers", ledger, options);
}

}  // namespace

TEST_CASE("a header file is made in batches, continued, and read by HeaderChain") {
  MemoryFs fs;
  HeaderLedger ledger;
  ledger.mine(2500);
  std::vector<std::uint64_t> progress;
  HeaderFileOptions options;
  options.progress = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.push_back(done);
    CHECK(total == 2501);
  };
  auto outcome = update(fs, ledger, options);
  REQUIRE(outcome);
  CHECK(outcome->added == 2501);
  CHECK(outcome->tip.height == 2500);
  CHECK(outcome->tip.block_hash == bitcoin::block_hash(ledger.chain.back()));
  CHECK(outcome->first_hash == dir_network().genesis());
  CHECK(progress == std::vector<std::uint64_t>{1000, 2000, 2501});
  CHECK(*fs.content("headers") == bytes_of(ledger));
  CHECK(HeaderChain::open(fs, "headers", {dir_network(), 0, {}, 0}));
  ledger.mine(3);
  outcome = update(fs, ledger);
  REQUIRE(outcome);
  CHECK(outcome->added == 3);
  CHECK(*fs.content("headers") == bytes_of(ledger));
}

TEST_CASE("a header file from a height on, and of another chain or height") {
  MemoryFs fs;
  HeaderLedger ledger;
  ledger.mine(30);
  HeaderFileOptions options;
  options.first_height = 20;
  REQUIRE(update(fs, ledger, options));
  CHECK(*fs.content("headers") == bytes_of(ledger, 20));
  const Bytes before = *fs.content("headers");
  options.first_height = 19;
  CHECK(update(fs, ledger, options).error().code == ExitCode::usage);
  CHECK(update(fs, ledger).error().code == ExitCode::usage);
  options.first_height = 31;
  CHECK(update(fs, ledger, options).error().code == ExitCode::usage);
  CHECK(*fs.content("headers") == before);
}

TEST_CASE("reorganisations: before a run, longer than a batch, and while the file is written") {
  MemoryFs fs;
  HeaderLedger ledger;
  ledger.mine(2300);
  REQUIRE(update(fs, ledger));
  ledger.drop(1500);
  ledger.mine(100, 1);  // shorter than before
  auto outcome = update(fs, ledger);
  REQUIRE(outcome);
  CHECK(outcome->removed == 1500);
  CHECK(outcome->added == 100);
  CHECK(*fs.content("headers") == bytes_of(ledger));

  ledger.mine(2000, 1);
  bool once = true;
  ledger.before_answer = [&](std::uint32_t first_height) {
    if (first_height < 1900 || !once) return;
    once = false;
    ledger.drop(1100);
    ledger.mine(1200, 2);
  };
  outcome = update(fs, ledger);
  REQUIRE(outcome);
  CHECK_FALSE(once);
  CHECK(*fs.content("headers") == bytes_of(ledger));

  // At every answer: given up, or the file is of one of the branches.
  std::uint8_t branch = 3;
  ledger.before_answer = [&](std::uint32_t) {
    ledger.drop(5);
    ledger.mine(6, ++branch);
  };
  outcome = update(fs, ledger);
  CHECK((outcome || outcome.error().code == ExitCode::peer));
  CHECK(HeaderChain::open(fs, "headers", {dir_network(), 0, {}, 0}));
}

TEST_CASE("wrong headers of a ledger do not get into the file") {
  MemoryFs fs;
  HeaderLedger ledger;
  ledger.mine(10);
  REQUIRE(update(fs, ledger));
  const Bytes before = *fs.content("headers");
  ledger.mine(2);
  SUBCASE("without work") {
    auto header = bitcoin::parse_header(ledger.chain.back());
    while (dir_network().check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
    ledger.chain.back() = bitcoin::serialize(header);
  }
  SUBCASE("not following each other") {
    const auto other = ledger.chain[3];
    ledger.chain.back() = other;
  }
  CHECK(update(fs, ledger).error().code == ExitCode::refuted);
  CHECK(*fs.content("headers") == before);
  HeaderLedger empty;
  empty.chain = {ledger.chain[1]};
  MemoryFs other_fs;
  CHECK(update(other_fs, empty).error().code == ExitCode::refuted);
}

TEST_CASE("a torn tail, of any size, is mended; a run that is stopped goes on later") {
  HeaderLedger ledger;
  ledger.mine(1500);
  for (const std::size_t torn : {1U, 79U, 81U, 240U, 1000U}) {
    MemoryFs fs;
    REQUIRE(update(fs, ledger));
    Bytes& content = *fs.content("headers");
    std::fill(content.end() - static_cast<std::ptrdiff_t>(torn), content.end(), std::uint8_t{0});
    content.resize(content.size() - torn % 80);
    const auto outcome = update(fs, ledger);
    REQUIRE(outcome);
    CHECK(*fs.content("headers") == bytes_of(ledger));
  }
  MemoryFs fs;
  HeaderFileOptions options;
  int asked = 0;
  options.stop = [&asked] { return ++asked > 1; };
  CHECK(update(fs, ledger, options).error().code == ExitCode::loss);
  CHECK(fs.content("headers")->size() == std::size_t{1000} * 80);
  ledger.away = true;
  CHECK(update(fs, ledger).error().code == ExitCode::peer);
  ledger.away = false;
  REQUIRE(update(fs, ledger));
  CHECK(*fs.content("headers") == bytes_of(ledger));
}

TEST_CASE("a fault at any write leaves a file that the next run mends") {
  HeaderLedger ledger;
  ledger.mine(20);
  HeaderLedger later;
  later.chain = ledger.chain;
  later.drop(5);
  later.mine(12, 1);
  for (const FaultKind kind :
       {FaultKind::error, FaultKind::error_for_good, FaultKind::kill, FaultKind::power_cut}) {
    bool happened = true;
    for (std::uint64_t operation = 1; happened; ++operation) {
      CAPTURE(operation);
      MemoryFs memory;
      REQUIRE(update(memory, ledger));
      FaultyFs fs(memory);
      fs.set_fault({.kind = kind, .operation = operation, .seed = operation});
      const auto outcome = update(fs, later);
      happened = fs.happened();
      CHECK(outcome.has_value() == !happened);
      fs.reboot();
      REQUIRE(update(fs, later));
      CHECK(*memory.content("headers") == bytes_of(later));
    }
  }
}
