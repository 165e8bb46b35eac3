#include "twinchain/chain/chain_state.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "seal_fixture.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

const std::string state_folder = "state";
const std::string first_file = "state/chain-0000000000000000.links";

const SecretKey& key() {
  static const SecretKey key = SecretKey::from_seed(sha256(as_bytes("chain_state_test")));
  return key;
}

/// Adds the next link of a source. Only some are signed: a signature costs more than all the rest.
SignedLink add_next(ChainState& state, const std::string& source, bool sign = true) {
  const ChainHead* before = state.head(source_id(source));
  ChainHead next;
  Link link;
  link.source = source_id(source);
  if (before != nullptr) {
    link.number = before->link.link.number + 1;
    link.previous = before->hash;
    next.history = before->history;
  }
  Bytes content;
  append(content, source);
  append_le(content, link.number);
  link.frame_root = sha256(content);
  next.history.append(merkle_leaf(link.frame_root));
  link.history_root = next.history.root();
  link.key = key().public_key();
  next.hash = link_hash(link);
  next.link.link = link;
  if (sign) next.link.signature = key().sign(link_signing_message(next.hash));
  const SignedLink signed_link = next.link;
  REQUIRE(state.add(std::move(next)));
  return signed_link;
}

bool same(const SignedLink& a, const SignedLink& b) {
  return a.link == b.link && a.signature == b.signature;
}

std::unique_ptr<ChainState> must_open(Fs& fs) {
  auto state = ChainState::open(fs, state_folder);
  if (!state) FAIL(state.error().message);
  return std::move(*state);
}

void check_known(ChainState& state, const std::vector<SignedLink>& links) {
  for (const SignedLink& link : links) {
    auto found = state.find(link.link.source, link.link.number);
    REQUIRE(found);
    REQUIRE(found->has_value());
    CHECK(same(**found, link));
  }
}

}  // namespace

TEST_CASE("chain state: in memory, finds its links whether committed or not") {
  auto state = ChainState::in_memory();
  CHECK_FALSE(state->durable());
  CHECK(state->head(source_id("a")) == nullptr);
  CHECK_FALSE(state->oldest_kept(source_id("a")));
  CHECK_FALSE(*state->find(source_id("a"), 0));
  std::vector<SignedLink> links;
  for (int i = 0; i < 5; ++i) {
    links.push_back(add_next(*state, "a"));
    links.push_back(add_next(*state, "b"));
    check_known(*state, links);
    if (i % 2 == 0) REQUIRE(state->commit());
    check_known(*state, links);
  }
  CHECK_FALSE(*state->find(source_id("a"), 5));
  CHECK(state->heads().size() == 2);
}

TEST_CASE("chain state: in memory, keeps the most recent links only") {
  auto state = ChainState::in_memory();
  const SignedLink first = add_next(*state, "quiet", false);
  for (std::uint64_t i = 0; i < ChainState::memory_links_kept; ++i) {
    add_next(*state, "busy", false);
    REQUIRE(state->commit());
  }
  CHECK_FALSE(*state->find(source_id("quiet"), 0));
  CHECK_FALSE(state->oldest_kept(source_id("quiet")));
  CHECK(same(state->head(source_id("quiet"))->link, first));
  CHECK(state->oldest_kept(source_id("busy")) == 0);
  add_next(*state, "busy", false);
  REQUIRE(state->commit());
  CHECK(state->oldest_kept(source_id("busy")) == 1);
  CHECK_FALSE(*state->find(source_id("busy"), 0));
  CHECK(*state->find(source_id("busy"), 1));
}

TEST_CASE("chain state: a link that does not follow is a bug, and is not taken") {
  auto state = ChainState::in_memory();
  add_next(*state, "a");
  ChainHead head = *state->head(source_id("a"));
  CHECK(state->add(head).error().code == ExitCode::bug);  // the same number once more
  head.link.link.number = 1;
  head.history.append(Hash256{});
  CHECK(state->add(head).error().code == ExitCode::bug);  // previous hash
  head.link.link.previous = state->head(source_id("a"))->hash;
  head.link.link.record[0] ^= 1;
  CHECK(state->add(head).error().code == ExitCode::bug);
  CHECK(state->head(source_id("a"))->link.link.number == 0);
}

TEST_CASE("chain state: opens with the heads and links that were committed") {
  MemoryFs fs;
  std::vector<SignedLink> links;
  for (int run = 0; run < 4; ++run) {
    auto state = must_open(fs);
    CHECK(state->durable());
    CHECK(state->torn_bytes() == 0);
    check_known(*state, links);
    for (int i = 0; i < 7; ++i) {
      links.push_back(add_next(*state, i % 3 == 0 ? "b" : "a"));
      if (i % 2 == 0) REQUIRE(state->commit());
    }
    REQUIRE(state->commit());
    check_known(*state, links);
    links.push_back(add_next(*state, "a"));
    links.pop_back();  // never committed
  }
  auto state = must_open(fs);
  check_known(*state, links);
  for (const char* source : {"a", "b"}) {
    const ChainHead* head = state->head(source_id(source));
    REQUIRE(head != nullptr);
    const auto last = std::find_if(links.rbegin(), links.rend(), [&](const SignedLink& link) {
      return link.link.source == source_id(source);
    });
    CHECK(same(head->link, *last));
    CHECK(head->hash == link_hash(last->link));
    CHECK(head->history.root() == last->link.history_root);
    CHECK(state->oldest_kept(source_id(source)) == 0);
  }
}

TEST_CASE("chain state: one writer at a time, and a look beside it") {
  MemoryFs fs;
  CHECK(ChainState::look(fs, state_folder).error().code == ExitCode::system);  // no such folder
  REQUIRE(fs.make_folders("empty"));
  CHECK(ChainState::look(fs, "empty").error().message == "empty holds no sealing state");
  auto writer = must_open(fs);
  auto second = ChainState::open(fs, state_folder);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ExitCode::system);
  CHECK(second.error().message == "state is in use by another process");
  add_next(*writer, "a");
  REQUIRE(writer->commit());
  auto look = ChainState::look(fs, state_folder);
  REQUIRE(look);
  CHECK((*look)->head(source_id("a"))->link.link.number == 0);
  writer.reset();
  CHECK(ChainState::open(fs, state_folder));
}

TEST_CASE("chain state: goes on in new files and keeps enough of the old ones") {
  MemoryFs fs;
  std::vector<SignedLink> kept;
  constexpr std::uint64_t count = 120'000;
  {
    auto state = must_open(fs);
    add_next(*state, "quiet");
    for (std::uint64_t n = 0; n < count; ++n) {
      const SignedLink link = add_next(*state, "busy", n + 1 == count);
      if (n + 1'000 >= count) kept.push_back(link);
      if (n % 1'000 == 999) REQUIRE(state->commit());
    }
    check_known(*state, kept);
  }
  CHECK(fs.list(state_folder)->size() <= 7);
  auto state = must_open(fs);
  check_known(*state, kept);
  CHECK(state->head(source_id("quiet"))->link.link.number == 0);
  CHECK_FALSE(*state->find(source_id("quiet"), 0));
  const auto oldest = state->oldest_kept(source_id("busy"));
  REQUIRE(oldest);
  CHECK(*oldest > 0);
  CHECK(count - *oldest >= ChainState::links_kept);
  CHECK(count - *oldest < 2 * ChainState::links_kept);
  REQUIRE(*state->find(source_id("busy"), *oldest));
  CHECK_FALSE(*state->find(source_id("busy"), *oldest - 1));
  const SignedLink next = add_next(*state, "quiet");
  CHECK(next.link.number == 1);
  REQUIRE(state->commit());
}

TEST_CASE("chain state: a file that is missing between others is damage") {
  MemoryFs fs;
  {
    auto state = must_open(fs);
    for (int n = 0; n < 50'000; ++n) {
      add_next(*state, "a", n == 49'999);
      if (n % 5'000 == 4'999) REQUIRE(state->commit());
    }
  }
  auto names = fs.list(state_folder);
  REQUIRE(names);
  REQUIRE(names->size() == 4);  // three files of links and the lock
  REQUIRE(fs.remove(state_folder + "/" + (*names)[1]));
  auto state = ChainState::open(fs, state_folder);
  REQUIRE_FALSE(state);
  CHECK(state.error().code == ExitCode::malformed);
  CHECK(state.error().message.ends_with("links are missing before the next file"));
}

TEST_CASE("chain state: a torn end is passed over, and writing goes on behind it") {
  for (const std::size_t rubbish : {1U, 391U, 392U, 1000U}) {
    for (const std::uint8_t fill : {std::uint8_t{0}, std::uint8_t{0x5a}}) {
      MemoryFs fs;
      std::vector<SignedLink> links;
      {
        auto state = must_open(fs);
        for (int i = 0; i < 3; ++i) links.push_back(add_next(*state, "a"));
        REQUIRE(state->commit());
      }
      Bytes* content = fs.content(first_file);
      REQUIRE(content != nullptr);
      content->resize(content->size() + rubbish, fill);
      CHECK(ChainState::look(fs, state_folder));
      {
        auto state = must_open(fs);
        CHECK(state->torn_bytes() == rubbish);
        check_known(*state, links);
        links.push_back(add_next(*state, "a"));
        REQUIRE(state->commit());
      }
      auto state = must_open(fs);
      CHECK(state->torn_bytes() == 0);
      check_known(*state, links);
    }
  }
}

TEST_CASE("chain state: every flipped byte is noticed, or is in the last batch and cut off") {
  MemoryFs base;
  {
    auto state = must_open(base);
    for (int batch = 0; batch < 3; ++batch) {
      add_next(*state, "a");
      add_next(*state, "b");
      REQUIRE(state->commit());
    }
  }
  const Bytes good = *base.content(first_file);
  const std::size_t records = good.size() - 6 * state_record_size;
  const std::size_t last_batch = good.size() - 2 * state_record_size;
  for (std::size_t at = 0; at < good.size(); ++at) {
    *base.content(first_file) = good;
    (*base.content(first_file))[at] ^= 0x20;
    auto state = ChainState::open(base, state_folder);
    CHECK_MESSAGE(state.has_value() == (at >= last_batch), "byte " << at << " of " << records);
    if (state) {
      CHECK((*state)->torn_bytes() > 0);
      CHECK((*state)->heads().front()->link.link.number >= 1);
    } else {
      CHECK(state.error().code == ExitCode::malformed);
      CHECK_FALSE(state.error().hint.empty());
    }
  }
}

TEST_CASE("chain state: every prefix of its file is refused or gives the first links") {
  MemoryFs base;
  std::vector<SignedLink> links;
  {
    auto state = must_open(base);
    for (int i = 0; i < 4; ++i) {
      links.push_back(add_next(*state, "a"));
      REQUIRE(state->commit());
    }
  }
  const Bytes good = *base.content(first_file);
  const std::size_t records = good.size() - 4 * state_record_size;
  for (std::size_t size = 0; size < good.size(); ++size) {
    *base.content(first_file) =
        Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    auto state = ChainState::open(base, state_folder);
    REQUIRE(state.has_value() == (size >= records));
    if (!state) continue;
    const std::size_t whole = (size - records) / state_record_size;
    const ChainHead* head = (*state)->head(source_id("a"));
    CHECK((head == nullptr ? 0 : head->link.link.number + 1) == whole);
    check_known(**state, {links.begin(), links.begin() + static_cast<std::ptrdiff_t>(whole)});
  }
}

TEST_CASE("chain state: a head with a wrong signature is refused although its crc is right") {
  MemoryFs fs;
  {
    auto state = must_open(fs);
    add_next(*state, "a", false);
    REQUIRE(state->commit());
  }
  auto state = ChainState::open(fs, state_folder);
  REQUIRE_FALSE(state);
  CHECK(state.error().code == ExitCode::malformed);
}

TEST_CASE("chain state: after a failed commit nothing more is done") {
  MemoryFs memory;
  FaultyFs fs(memory);
  auto state = must_open(fs);
  add_next(*state, "a");
  fs.set_fault({.kind = FaultKind::error, .operation = 2, .error_number = ENOSPC});  // the sync
  auto status = state->commit();
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ExitCode::system);
  CHECK_FALSE(state->commit());
}

// What was committed once is never lost and never changed, whatever fails in whichever operation,
// even if the process then starts again, goes on, and only then the power fails.
TEST_CASE("chain state: no fault loses a committed link") {
  struct Run {
    std::vector<SignedLink> committed;
    bool failed = false;
  };
  const auto work = [](Fs& fs, Run& run, int rounds) {
    auto state = ChainState::open(fs, state_folder);
    if (!state) {
      run.failed = true;
      return;
    }
    check_known(**state, run.committed);
    for (int i = 0; i < rounds; ++i) {
      std::vector<SignedLink> batch;
      for (int j = 0; j <= i % 3; ++j) batch.push_back(add_next(**state, j == 0 ? "a" : "b"));
      if (!(*state)->commit()) {
        run.failed = true;
        return;
      }
      run.committed.insert(run.committed.end(), batch.begin(), batch.end());
    }
  };
  for (const FaultKind kind :
       {FaultKind::error, FaultKind::error_for_good, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      bool happened = true;
      for (std::uint64_t operation = 1; happened; ++operation) {
        MemoryFs memory;
        FaultyFs fs(memory);
        Run run;
        work(fs, run, 3);
        REQUIRE_FALSE(run.failed);
        fs.set_fault({.kind = kind, .operation = operation, .seed = seed});
        work(fs, run, 5);
        happened = fs.happened();
        CHECK(run.failed == happened);
        fs.reboot();
        run.failed = false;
        work(fs, run, 4);
        REQUIRE_FALSE(run.failed);
        memory.power_cut(Survival::nothing);
        work(fs, run, 2);
        REQUIRE_FALSE(run.failed);
        check_known(*must_open(fs), run.committed);
      }
    }
  }
}
