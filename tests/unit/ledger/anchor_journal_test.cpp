#include "twinchain/ledger/anchor_journal.hpp"

#include <doctest/doctest.h>

#include "anchor_testing.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using namespace twinchain::ledger::testing;

namespace {

AnchorRecord make_record(std::uint64_t number, std::uint64_t order) {
  AnchorRecord record;
  record.link = make_link("engine-1", number);
  record.network = "litecoin-regtest";
  record.order = order;
  record.transactions.push_back({Bytes{1, 2, 3}, sha256(as_bytes("a")), 202});
  record.transactions.push_back({Bytes{4, 5}, sha256(as_bytes("b")), 303});
  return record;
}

Bytes make_receipt() {
  Receipt receipt;
  receipt.network_magic = 1;
  receipt.transaction = Bytes(60, 1);
  receipt.coinbase = Bytes(60, 2);
  receipt.transaction_branch.resize(1);
  receipt.coinbase_branch.resize(1);
  return encode_receipt(receipt);
}

void check_same(const AnchorRecord& a, const AnchorRecord& b) {
  CHECK(encode_anchor_record(a) == encode_anchor_record(b));
  CHECK(a.link.header == b.link.header);
  CHECK(a.link.hash == b.link.hash);
  CHECK(a.link.record == b.link.record);
  CHECK(a.receipt == b.receipt);
}

}  // namespace

TEST_CASE("an anchor file is read as it was written") {
  AnchorRecord record = make_record(41, 7);
  check_same(*parse_anchor_record(encode_anchor_record(record)), record);
  record.receipt = make_receipt();
  record.emitted = true;
  record.link.header.window_start_ns = INT64_MIN;
  record.link.header.window_end_ns = INT64_MAX;
  record.link.header.sequence = UINT64_MAX;
  check_same(*parse_anchor_record(encode_anchor_record(record)), record);
}

TEST_CASE("an anchor file that was changed anywhere is refused") {
  AnchorRecord record = make_record(41, 7);
  record.receipt = make_receipt();
  const std::string text = encode_anchor_record(record);
  for (std::size_t i = 0; i < text.size(); ++i) {
    CAPTURE(i);
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(parse_anchor_record(changed));
    CHECK_FALSE(parse_anchor_record(text.substr(0, i)));
  }
  CHECK_FALSE(parse_anchor_record(text + "x"));
}

TEST_CASE("an anchor file with a right checksum and wrong content is refused") {
  AnchorRecord record = make_record(41, 7);
  record.network = "moon";
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
  record = make_record(41, 7);
  record.transactions.clear();
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
  record = make_record(41, 7);
  record.transactions.resize(max_transactions_per_anchor + 1, record.transactions[0]);
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
  record = make_record(41, 7);
  record.emitted = true;
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
  record = make_record(41, 7);
  record.receipt = Bytes(10, 1);
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
}

TEST_CASE("the journal holds over a restart what was put in and not removed") {
  MemoryFs fs;
  {
    auto journal = AnchorJournal::open(fs, "a/state");
    REQUIRE(journal);
    for (std::uint64_t n = 0; n < 5; ++n) {
      REQUIRE(journal->put(make_record(n, journal->next_order())));
    }
    REQUIRE(journal->remove(make_link("engine-1", 2).hash));
    REQUIRE(journal->remove(make_link("engine-1", 99).hash));
    CHECK_FALSE(AnchorJournal::open(fs, "a/state"));  // one writer
  }
  fs.power_cut(Survival::nothing);
  auto journal = AnchorJournal::open(fs, "a/state");
  REQUIRE(journal);
  CHECK(journal->records().size() == 4);
  CHECK(journal->find(make_link("engine-1", 2).hash) == nullptr);
  CHECK(journal->find(make_link("engine-1", 3).hash)->order == 4);
  CHECK(journal->next_order() == 6);
}

TEST_CASE("a damaged or misplaced anchor file stops the start, what a crash cut off does not") {
  MemoryFs fs;
  {
    auto journal = AnchorJournal::open(fs, "state");
    REQUIRE(journal->put(make_record(1, 1)));
  }
  const std::string path = "state/" + to_hex(make_link("engine-1", 1).hash) + ".anchor";
  REQUIRE(write_file_atomically(fs, "state/notes.txt", as_bytes("mine")));
  REQUIRE(write_file_atomically(fs, path + ".tmp-99", as_bytes("half")));
  CHECK(AnchorJournal::open(fs, "state"));
  CHECK_FALSE(*fs.exists(path + ".tmp-99"));
  CHECK(*fs.exists("state/notes.txt"));
  const auto content = *read_whole_file(fs, path, 100'000);
  const std::string misplaced = "state/" + std::string(64, '0') + ".anchor";
  REQUIRE(write_file_atomically(fs, misplaced, content));
  {
    const auto opened = AnchorJournal::open(fs, "state");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find("is not named after its link") != std::string::npos);
  }
  REQUIRE(fs.remove(misplaced));
  (*fs.content(path))[30] ^= 1;
  const auto opened = AnchorJournal::open(fs, "state");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ExitCode::malformed);
  CHECK(opened.error().message.find(path) != std::string::npos);
}

TEST_CASE("old anchors that were emitted are forgotten, others never") {
  AnchorJournal journal;
  for (std::uint64_t n = 0; n < 40; ++n) {
    AnchorRecord record = make_record(n, journal.next_order());
    record.receipt = make_receipt();
    record.emitted = n % 2 == 0;
    REQUIRE(journal.put(record));
  }
  REQUIRE(journal.prune(source_id("another")));
  CHECK(journal.records().size() == 40);
  REQUIRE(journal.prune(source_id("engine-1")));
  CHECK(journal.records().size() == 36);
  CHECK(journal.find(make_link("engine-1", 0).hash) == nullptr);
  CHECK(journal.find(make_link("engine-1", 38).hash) != nullptr);
}
