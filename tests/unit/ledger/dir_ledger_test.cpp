#include "twinchain/ledger/dir_ledger.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/dir_chain.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/ledger/link_testing.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using twinchain::ledger::testing::link;

namespace {

class FakeClock final : public Clock {
 public:
  std::int64_t wall_ns() override { return now_s * 1'000'000'000; }
  std::uint64_t monotonic_ns() override { return 0; }
  Id128 boot_id() override { return {}; }
  std::int64_t now_s = 1'800'000'000;
};

LedgerOptions blocks_per_anchor(std::uint32_t count) {
  LedgerOptions options;
  options.dir_blocks_per_anchor = count;
  return options;
}

std::unique_ptr<DirLedger> open(Fs& fs, Clock& clock, bool create = true,
                                const LedgerOptions& options = {}) {
  auto ledger = open_dir_ledger(fs, clock, "ledger", options, create);
  if (!ledger) FAIL(ledger.error().message);
  return std::move(*ledger);
}

Error refusal(Fs& fs, Clock& clock) {
  auto ledger = open_dir_ledger(fs, clock, "ledger", {}, false);
  REQUIRE_FALSE(ledger);
  return ledger.error();
}

Prepared publish(Ledger& ledger, std::uint32_t number) {
  auto prepared = ledger.prepare(anchor_payload(link(number)));
  REQUIRE(prepared);
  auto status = ledger.broadcast(*prepared, nullptr);
  REQUIRE(status);
  return *prepared;
}

}  // namespace

TEST_CASE("a payload is published, found, proven and placed") {
  MemoryFs fs;
  FakeClock clock;
  const auto ledger = open(fs, clock);
  CHECK(ledger->tip()->height == 0);
  const Prepared sent = publish(*ledger, 1);
  const auto status = ledger->status(sent.txid);
  REQUIRE(status);
  CHECK(status->place == TransactionPlace::block);
  CHECK(status->depth == 1);
  const auto receipt = ledger->receipt(sent.txid, anchor_payload(link(1)));
  REQUIRE(receipt);
  CHECK(encode_receipt(*receipt).size() < 2048);
  const auto facts = check_receipt(*receipt);
  REQUIRE(facts);
  CHECK(facts->network.name == "dir");
  CHECK(facts->height == status->height);
  CHECK(facts->time_s == clock.now_s + 1);  // the coin's block has now_s
  CHECK(facts->txid == sent.txid);
  CHECK(facts->block_hash == status->block_hash);
  REQUIRE(ledger->mine(5));
  const auto position = ledger->position(status->block_hash);
  REQUIRE(position);
  CHECK(position->on_best_chain);
  CHECK(position->height == status->height);
  CHECK(position->depth == 6);
  CHECK(position->time_s == facts->time_s);
  CHECK(ledger->tip()->height == status->height + 5);
  CHECK(ledger->tip()->network.name == "dir");

  CHECK_FALSE(ledger->position(link(9))->on_best_chain);
  CHECK(ledger->status(link(9))->place == TransactionPlace::unknown);
  CHECK_FALSE(ledger->receipt(link(9), anchor_payload(link(1))));
  CHECK_FALSE(ledger->receipt(sent.txid, anchor_payload(link(2))));
  CHECK_FALSE(ledger->receipt(sent.txid, Bytes{1, 2, 3}));
}

TEST_CASE("sending again changes nothing, also after a restart, also by another process") {
  MemoryFs fs;
  FakeClock clock;
  auto ledger = open(fs, clock);
  const auto prepared = ledger->prepare(anchor_payload(link(1)));
  REQUIRE(prepared);
  ledger = open(fs, clock);  // died before sending
  CHECK(ledger->status(prepared->txid)->place == TransactionPlace::unknown);
  bool fee_too_low = true;
  REQUIRE(ledger->broadcast(*prepared, &fee_too_low));
  CHECK_FALSE(fee_too_low);
  const std::uint32_t height = ledger->tip()->height;
  REQUIRE(ledger->broadcast(*prepared, nullptr));
  ledger = open(fs, clock);
  REQUIRE(ledger->broadcast(*prepared, nullptr));
  CHECK(ledger->tip()->height == height);
  CHECK(ledger->bump_fee(*prepared)->txid == prepared->txid);
}

TEST_CASE("depth comes from the option, in sending and in asking") {
  MemoryFs fs;
  FakeClock clock;
  const Prepared sent = publish(*open(fs, clock), 1);
  const auto ledger = open(fs, clock, true, blocks_per_anchor(6));
  CHECK(ledger->status(sent.txid)->depth == 6);
  CHECK(ledger->status(sent.txid)->depth == 6);
  CHECK(ledger->status(publish(*ledger, 2).txid)->depth == 6);
  CHECK(open(fs, clock)->status(sent.txid)->depth > 6);
}

TEST_CASE("anchors that share a ledger never take each other's coins") {
  MemoryFs fs;
  FakeClock clock;
  const auto one = open(fs, clock);
  const auto other = open(fs, clock);
  std::set<Hash256> ids;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto a = one->prepare(anchor_payload(link(i)));
    const auto b = other->prepare(anchor_payload(link(i)));
    const auto c = one->prepare(anchor_payload(link(i)));
    for (const auto* prepared : {&b, &c, &a}) {
      REQUIRE(*prepared);
      REQUIRE(one->broadcast(**prepared, nullptr));
      ids.insert((*prepared)->txid);
    }
  }
  CHECK(ids.size() == 60);
  for (const Hash256& id : ids) CHECK(other->status(id)->place == TransactionPlace::block);
}

TEST_CASE("the coin of an abandoned transaction is used again") {
  MemoryFs fs;
  FakeClock clock;
  const auto ledger = open(fs, clock);
  const auto first = ledger->prepare(anchor_payload(link(1)));
  REQUIRE(first);
  const std::uint32_t height = ledger->tip()->height;
  ledger->abandon(*first);
  const auto second = ledger->prepare(anchor_payload(link(2)));
  REQUIRE(second);
  CHECK(ledger->tip()->height == height);
  REQUIRE(ledger->broadcast(*second, nullptr));
  CHECK_FALSE(ledger->broadcast(*first, nullptr));
  ledger->abandon(*second);  // too late: it is in the chain
  for (std::uint32_t i = 3; i < 6; ++i) publish(*ledger, i);
}

TEST_CASE("what cannot be spent is refused") {
  MemoryFs fs;
  FakeClock clock;
  const auto ledger = open(fs, clock);
  const Prepared sent = publish(*ledger, 1);
  const auto first = bitcoin::parse_transaction(sent.raw_transaction);
  REQUIRE(first);
  const auto broadcast = [&](const bitcoin::Transaction& transaction) {
    const auto status = ledger->broadcast(
        {bitcoin::serialize(transaction), bitcoin::txid(transaction), 0}, nullptr);
    return status ? "" : status.error().message;
  };
  const std::string spent =
      "ledger: transaction spends an output that is not there or is spent "
      "already";
  const auto payload = anchor_payload(link(2));
  CHECK(broadcast(make_dir_transaction(first->inputs[0].previous_output, payload)) == spent);
  CHECK(broadcast(make_dir_transaction({link(7), 0}, payload)) == spent);
  CHECK(broadcast(make_dir_transaction({sent.txid, 0}, payload)) == spent);  // the OP_RETURN
  CHECK(broadcast(make_dir_transaction({sent.txid, 2}, payload)) == spent);
  auto twice = make_dir_transaction({sent.txid, 1}, payload);
  twice.inputs.push_back(twice.inputs[0]);
  CHECK(broadcast(twice) == spent);
  auto rich = make_dir_transaction({sent.txid, 1}, payload);
  rich.outputs[1].value_sat = 1;
  CHECK(broadcast(rich) == "transaction with a value that is not 0");
  CHECK(broadcast(make_dir_transaction({sent.txid, 1}, payload)).empty());
  CHECK_FALSE(ledger->broadcast({Bytes{1, 2}, {}, 0}, nullptr));
}

TEST_CASE("block times are the clock's, and later than the median of the last 11") {
  MemoryFs fs;
  FakeClock clock;
  const auto ledger = open(fs, clock);
  std::vector<std::int64_t> times;
  for (int i = 0; i < 30; ++i) {
    clock.now_s += i < 15 ? 10 : -100'000;
    REQUIRE(ledger->mine(1));
    times.push_back(ledger->tip()->time_s);
    if (i < 15) CHECK(times.back() == clock.now_s);
    if (i >= 11) {
      std::vector<std::int64_t> last(times.end() - 12, times.end() - 1);
      std::nth_element(last.begin(), last.begin() + 5, last.end());
      CHECK(times.back() > last[5]);
    }
  }
  CHECK(open(fs, clock, false)->tip()->height == 30);
}

TEST_CASE("a ledger that is not there") {
  MemoryFs fs;
  FakeClock clock;
  const Error missing = refusal(fs, clock);
  CHECK(missing.code == ExitCode::usage);
  CHECK(missing.message == "ledger: no ledger there");
  CHECK(fs.list("")->empty());
  open(fs, clock, true);
  CHECK(open(fs, clock, false)->tip()->height == 0);
  CHECK_FALSE(open_dir_ledger(fs, clock, "", {}, true));
  auto file = fs.open("file", OpenMode::create);
  REQUIRE(file);
  const auto in_the_way = open_dir_ledger(fs, clock, "file", {}, true);
  REQUIRE_FALSE(in_the_way);
  CHECK(in_the_way.error().code == ExitCode::system);
}

TEST_CASE("a writer that cannot have the lock says who has it") {
  MemoryFs fs;
  FakeClock clock;
  LedgerOptions options;
  options.timeout_ms = 30;
  const auto ledger = open(fs, clock, true, options);
  const auto lock = fs.lock("ledger/lock");
  REQUIRE(lock);
  const auto refused = ledger->mine(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::peer);
  CHECK(ledger->tip()->height == 0);  // reading needs no lock
}

TEST_CASE("every bit of every block counts: the damage is named, and never believed") {
  MemoryFs fs;
  FakeClock clock;
  {
    const auto ledger = open(fs, clock);
    publish(*ledger, 1);
    publish(*ledger, 2);
  }
  Bytes& blocks = *fs.content("ledger/blocks.dat");
  const Bytes good = blocks;
  // Reads every block, as long as no damage is found.
  const auto damage = [&] {
    auto ledger = open_dir_ledger(fs, clock, "ledger", {}, false);
    if (!ledger) return ledger.error();
    auto status = (*ledger)->status(link(99));
    REQUIRE_FALSE(status);
    return status.error();
  };
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    CAPTURE(bit);
    blocks[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const Error error = damage();
    CHECK(error.code == ExitCode::refuted);
    CHECK(error.message.starts_with("ledger/blocks.dat: block "));
    blocks = good;
  }
  blocks[good.size() - 1] ^= 1;
  CHECK(damage().message ==
        "ledger/blocks.dat: block 3 at byte 625: block: merkle root is not the header's");
  // Without the note of what was durable, the same is a torn end.
  REQUIRE(fs.remove("ledger/blocks.end"));
  CHECK(open(fs, clock, false)->tip()->height == 2);
}

TEST_CASE("a block that is proven to be there is read whole") {
  MemoryFs fs;
  FakeClock clock;
  const auto writer = open(fs, clock);
  const Hash256 first = writer->status(publish(*writer, 1).txid)->block_hash;
  const Hash256 second = writer->status(publish(*writer, 2).txid)->block_hash;
  DirChain chain(fs, "ledger");
  REQUIRE(chain.refresh());
  REQUIRE(chain.tip_height() == 3);
  (*fs.content("ledger/blocks.dat"))[chain.end_bytes() - 300] ^= 1;
  const auto ledger = open(fs, clock, false);
  const auto position = ledger->position(first);
  REQUIRE_FALSE(position);
  CHECK(position.error().message.find("block 2 at byte ") != std::string::npos);
  CHECK(ledger->position(second)->on_best_chain);
}

TEST_CASE("a cut ledger is noticed; a torn end is left out, and cut off by the next writer") {
  MemoryFs fs;
  FakeClock clock;
  publish(*open(fs, clock), 1);
  const Bytes before = *fs.content("ledger/blocks.dat");
  publish(*open(fs, clock), 2);
  const Bytes after = *fs.content("ledger/blocks.dat");
  for (std::size_t size = 0; size < after.size(); ++size) {
    CAPTURE(size);
    *fs.content("ledger/blocks.dat") =
        Bytes(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(refusal(fs, clock).message.find("ledger/blocks.dat: cut: ") == 0);
  }
  // Without the note of what was durable, these are the ends that a crash leaves.
  REQUIRE(fs.remove("ledger/blocks.end"));
  for (std::size_t size = before.size(); size < after.size(); ++size) {
    CAPTURE(size);
    *fs.content("ledger/blocks.dat") =
        Bytes(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(open(fs, clock, false)->tip()->height >= 2);
  }
  for (const std::uint8_t rubbish : {std::uint8_t{0x00}, std::uint8_t{0x41}}) {
    for (const std::size_t count :
         {std::size_t{1}, std::size_t{7}, std::size_t{300}, std::size_t{3'000'000}}) {
      if (rubbish != 0 && count > 1'000'000) continue;
      CAPTURE(count);
      Bytes& blocks = *fs.content("ledger/blocks.dat");
      blocks = before;
      blocks.resize(before.size() + count, rubbish);
      CHECK(open(fs, clock, false)->tip()->height == 2);
      CHECK(fs.content("ledger/blocks.dat")->size() == before.size() + count);
      const Prepared sent = publish(*open(fs, clock), 3);
      CHECK(open(fs, clock, false)->status(sent.txid)->place == TransactionPlace::block);
      REQUIRE(fs.remove("ledger/blocks.end"));
    }
  }
  // A damaged block with blocks behind it is no torn end.
  Bytes& blocks = *fs.content("ledger/blocks.dat");
  blocks = after;
  blocks[before.size() - 1] ^= 1;
  CHECK(refusal(fs, clock).message.starts_with("ledger/blocks.dat: block 2 at byte "));
  blocks = after;
  blocks[before.size() + 5] ^= 0x40;  // a size past the end of the file, with a block behind it
  CHECK(refusal(fs, clock).code == ExitCode::refuted);
}

TEST_CASE("a ledger that was exchanged under a running anchor is noticed") {
  MemoryFs fs;
  FakeClock clock;
  const auto ledger = open(fs, clock);
  const Prepared sent = publish(*ledger, 1);
  const std::size_t size = fs.content("ledger/blocks.dat")->size();
  REQUIRE(fs.remove("ledger/blocks.dat"));
  REQUIRE(fs.remove("ledger/blocks.end"));
  CHECK_FALSE(ledger->tip());
  CHECK_FALSE(ledger->mine(1));
  clock.now_s += 1;
  const auto newer = open(fs, clock);
  CHECK_FALSE(ledger->tip());
  while (fs.content("ledger/blocks.dat")->size() < size) publish(*newer, 5);
  const auto tip = ledger->tip();
  REQUIRE_FALSE(tip);
  CHECK(tip.error().message == "ledger/blocks.dat: not the ledger that was there before");
  CHECK_FALSE(newer->broadcast(sent, nullptr));
}

TEST_CASE("after a fault at any write what was acknowledged is there, and the ledger goes on") {
  std::uint64_t operations = 0;
  const auto work = [](Fs& fs, std::vector<Prepared>& acknowledged) {
    FakeClock clock;
    for (std::uint32_t run = 0; run < 2; ++run) {
      auto ledger = open_dir_ledger(fs, clock, "ledger", blocks_per_anchor(3), true);
      if (!ledger) return;
      for (std::uint32_t i = 0; i < 2; ++i) {
        auto prepared = (*ledger)->prepare(anchor_payload(link(10 * run + i)));
        if (prepared && (*ledger)->broadcast(*prepared, nullptr)) acknowledged.push_back(*prepared);
      }
    }
  };
  {
    MemoryFs memory;
    FaultyFs fs(memory);
    std::vector<Prepared> acknowledged;
    work(fs, acknowledged);
    CHECK(acknowledged.size() == 4);
    operations = fs.operations();
  }
  CHECK(operations > 20);
  for (const FaultKind kind :
       {FaultKind::error, FaultKind::error_for_good, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t operation = 1; operation <= operations; ++operation) {
      for (std::uint64_t seed = 0; seed < (kind == FaultKind::power_cut ? 12U : 1U); ++seed) {
        CAPTURE(kind);
        CAPTURE(operation);
        CAPTURE(seed);
        MemoryFs memory;
        FaultyFs fs(memory);
        fs.set_fault({.kind = kind, .operation = operation, .seed = seed});
        std::vector<Prepared> acknowledged;
        work(fs, acknowledged);
        fs.reboot();
        FakeClock clock;
        auto ledger = open_dir_ledger(fs, clock, "ledger", {}, true);
        if (!ledger) FAIL(ledger.error().message);
        for (const Prepared& prepared : acknowledged) {
          const auto status = (*ledger)->status(prepared.txid);
          REQUIRE(status);
          CHECK(status->place == TransactionPlace::block);
          CHECK(status->depth >= 3);
        }
        publish(**ledger, 99);
      }
    }
  }
}

TEST_CASE("processes that publish at the same time share one chain") {
  const twinchain::testing::TemporaryFolder folder;
  const std::string path = folder / "shared";
  constexpr int processes = 4;
  constexpr std::uint32_t each = 25;
  std::vector<pid_t> children;
  for (int child = 0; child < processes; ++child) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      auto ledger = open_dir_ledger(real_fs(), system_clock(), path, {}, true);
      if (!ledger) ::_exit(1);
      for (std::uint32_t i = 0; i < each; ++i) {
        const Bytes payload = anchor_payload(link(static_cast<std::uint32_t>(child) * 1000 + i));
        auto prepared = (*ledger)->prepare(payload);
        if (!prepared || !(*ledger)->broadcast(*prepared, nullptr)) ::_exit(2);
        if (!(*ledger)->receipt(prepared->txid, payload)) ::_exit(3);
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    CHECK(::waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  }
  auto ledger = open_dir_ledger(real_fs(), system_clock(), path, {}, false);
  REQUIRE(ledger);
  // Each payload's block, and a block for each process' first coin.
  CHECK((*ledger)->tip()->height == processes * each + processes);
}

TEST_CASE("open_ledger knows its schemes") {
  const twinchain::testing::TemporaryFolder folder;
  CHECK(open_ledger("dir:" + folder.path() + "/a", {}, true));
  CHECK(open_ledger("dir:" + folder.path() + "/a", {}, false));
  for (const std::string url : {"", "dir", "dir:", "ftp://host", "ledger", "Dir:x"}) {
    CAPTURE(url);
    const auto refused = open_ledger(url, {}, true);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ExitCode::usage);
  }
  const auto missing = open_ledger("dir:" + folder.path() + "/b", {}, false);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ExitCode::usage);
  CHECK(missing.error().message.find("/b: no ledger there") != std::string::npos);
}
