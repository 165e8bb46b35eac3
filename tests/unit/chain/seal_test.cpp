#include "twinchain/chain/seal.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "seal_fixture.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

/// A sealer over keys and a state in memory.
struct Machine {
  explicit Machine(SealerOptions sealer_options = {}) : options(std::move(sealer_options)) {
    REQUIRE(create_key_files(fs, "node", "node"));
    state = ChainState::in_memory();
    restart();
  }
  /// As the next process does, with the key and the state as they are now.
  void restart() {
    auto opened = KeyFollower::open(fs, "node.key",
                                    [this](std::string_view text) { warnings.emplace_back(text); });
    REQUIRE(opened);
    keys = std::move(*opened);
    sealer = std::make_unique<Sealer>(*state, *keys, clock, options);
  }
  void rotate() { REQUIRE(rotate_key_files(fs, "node")); }

  static SealRequest request(const std::string& source, std::uint64_t number,
                             std::uint8_t content = 0) {
    SealRequest request;
    request.data = test::data_header(source, number);
    request.root = sha256({as_bytes(source), ByteView(&content, 1)});
    request.root[0] = static_cast<std::uint8_t>(number);
    request.offset = 1000 + number;
    return request;
  }
  Result<SignedLink> seal(const SealRequest& of) {
    return sealer->seal(of, [this](const SignedLink& link) -> Status {
      lost.push_back(link);
      return state->commit();
    });
  }
  SignedLink must_seal(const SealRequest& of) {
    auto link = seal(of);
    if (!link) FAIL(link.error().message);
    return *link;
  }
  Error refused(const SealRequest& of) {
    auto link = seal(of);
    REQUIRE_FALSE(link);
    CHECK(link.error().code == ExitCode::refuted);
    return link.error();
  }

  MemoryFs fs;
  SealerOptions options;
  test::StepClock clock;
  std::unique_ptr<ChainState> state;
  std::unique_ptr<KeyFollower> keys;
  std::unique_ptr<Sealer> sealer;
  std::vector<SignedLink> lost;
  std::vector<std::string> warnings;
};

bool same(const SignedLink& a, const SignedLink& b) {
  return a.link == b.link && a.signature == b.signature;
}

}  // namespace

TEST_CASE("sealer: the first links of a source") {
  Machine machine({.beacon = [] { return Beacon{7, 8, {9}}; }});
  std::vector<SignedLink> links;
  for (std::uint64_t n = 0; n < 20; ++n) {
    links.push_back(machine.must_seal(Machine::request("a", n)));
  }
  test::check_chain(links);
  const SealRequest request = Machine::request("a", 3);
  const Link& link = links[3].link;
  CHECK(link.flags == 0);
  CHECK(link.epoch == 0);
  CHECK(link.source == source_id("a"));
  CHECK(link.record != Id128{});
  CHECK(link.frame_root == request.root);
  CHECK(link.window_start_ns == request.data.window_start_ns);
  CHECK(link.window_end_ns == request.data.window_end_ns);
  CHECK(link.samples == request.data.samples);
  CHECK(link.declared_rate_mhz == request.data.declared_rate_mhz);
  CHECK(link.wall_ns > links[2].link.wall_ns);
  CHECK(link.monotonic_ns > links[2].link.monotonic_ns);
  CHECK(link.boot_id == machine.clock.boot_id());
  CHECK(link.beacon == Beacon{7, 8, {9}});
  CHECK(link.key == machine.keys->public_key());
  CHECK(link.next_key_hash == machine.keys->key().next_key_hash());
  CHECK(machine.sealer->counts().sealed == 20);
}

TEST_CASE("sealer: each source has a chain and a record of its own") {
  Machine machine;
  std::vector<SignedLink> a;
  std::vector<SignedLink> b;
  for (std::uint64_t n = 0; n < 4; ++n) {
    a.push_back(machine.must_seal(Machine::request("a", n)));
    if (n % 2 == 0) b.push_back(machine.must_seal(Machine::request("b", n / 2)));
  }
  test::check_chain(a);
  test::check_chain(b);
  CHECK(a[0].link.record != b[0].link.record);
}

TEST_CASE("sealer: a frame that comes again gets the same link, other data is refused") {
  Machine machine;
  std::vector<SignedLink> links;
  for (std::uint64_t n = 0; n < 5; ++n) {
    links.push_back(machine.must_seal(Machine::request("engine", n)));
  }
  machine.sealer->learn_name(source_id("engine"), "engine");
  for (const std::uint64_t n : {4U, 1U, 1U, 0U}) {
    CHECK(same(machine.must_seal(Machine::request("engine", n)), links[n]));
  }
  CHECK(machine.sealer->counts().resent == 4);
  const Error error = machine.refused(Machine::request("engine", 2, 1));
  CHECK(error.message ==
        "frame 2 of source engine at byte 1002: link 2 has sealed other data, refusing to fork the "
        "chain");
  CHECK_FALSE(error.hint.empty());
  // And the chain goes on as if nothing had happened.
  links.push_back(machine.must_seal(Machine::request("engine", 5)));
  test::check_chain(links);
}

TEST_CASE("sealer: a frame whose link is too old to be known is refused") {
  Machine machine;
  for (std::uint64_t n = 0; n <= ChainState::memory_links_kept; ++n) {
    machine.must_seal(Machine::request("a", n));
    REQUIRE(machine.state->commit());
  }
  const Error error = machine.refused(Machine::request("a", 0));
  CHECK(error.message.ends_with("is sealed already, and its link is too old to be known here"));
  CHECK(error.hint == "links from number 1 on are kept");
  machine.must_seal(Machine::request("a", 1));
}

TEST_CASE("sealer: missing frames are refused, and the message says which") {
  Machine machine;
  const std::string id = to_hex(source_id("a"));
  Error error = machine.refused(Machine::request("a", 3));
  CHECK(error.message == "source " + id +
                             " has no link yet, but the input begins with frame 3 at byte 1003: "
                             "frames 0 to 2 are missing");
  CHECK(error.hint.find("--accept-loss") != std::string::npos);
  CHECK(machine.state->head(source_id("a")) == nullptr);
  machine.must_seal(Machine::request("a", 0));
  error = machine.refused(Machine::request("a", 2));
  CHECK(error.message == "source " + id +
                             ": link 0 is the newest, but the input goes on with frame 2 at byte "
                             "1002: frame 1 is missing");
  machine.restart();
  error = machine.refused(Machine::request("a", 2));
  CHECK(error.message == "source " + id +
                             ": link 0 is the newest, but the input begins with frame 2 at byte "
                             "1002: frame 1 is missing");
  machine.must_seal(Machine::request("a", 1));
}

TEST_CASE("sealer: accepted loss is on record, window after window") {
  Machine machine({.accept_loss = true});
  std::vector<SignedLink> links;
  links.push_back(machine.must_seal(Machine::request("a", 0)));
  const SignedLink after = machine.must_seal(Machine::request("a", 8));
  REQUIRE(machine.lost.size() == 7);
  CHECK(machine.sealer->counts().lost == 7);
  links.insert(links.end(), machine.lost.begin(), machine.lost.end());
  links.push_back(after);
  test::check_chain(links);
  for (std::size_t n = 1; n < links.size(); ++n) {
    CHECK(links[n].link.window_start_ns == links[n - 1].link.window_end_ns);
    const bool is_lost = n < 8;
    CHECK((links[n].link.flags == link_lost_window) == is_lost);
    CHECK((links[n].link.frame_root == Hash256{}) == is_lost);
    CHECK((links[n].link.samples == 0) == is_lost);
  }
  const Error error = machine.refused(Machine::request("a", 3));
  CHECK(
      error.message.ends_with("link 3 has sealed this window as lost, refusing to fork the chain"));
}

TEST_CASE("sealer: loss at the very beginning, and a clock set back") {
  Machine machine({.accept_loss = true});
  machine.must_seal(Machine::request("a", 2));
  REQUIRE(machine.lost.size() == 2);
  for (const SignedLink& link : machine.lost) {
    CHECK(link.link.window_start_ns == 2'000'000'000);
    CHECK(link.link.window_end_ns == 2'000'000'000);
  }
  machine.lost.clear();
  SealRequest back = Machine::request("a", 5);
  back.data.window_start_ns = -7;
  machine.must_seal(back);
  REQUIRE(machine.lost.size() == 2);
  for (const SignedLink& link : machine.lost) {
    CHECK(link.link.window_start_ns == -7);
    CHECK(link.link.window_end_ns == -7);
  }
  machine.lost.clear();
  SealRequest far = Machine::request("a", 8);
  far.data.window_start_ns = std::numeric_limits<std::int64_t>::max();
  machine.must_seal(far);
  REQUIRE(machine.lost.size() == 2);
  CHECK(machine.lost[0].link.window_end_ns == machine.lost[1].link.window_start_ns);
  CHECK(machine.lost[1].link.window_end_ns == far.data.window_start_ns);
}

TEST_CASE("sealer: a loss of more windows than plausible is refused") {
  Machine machine({.accept_loss = true});
  machine.must_seal(Machine::request("a", 0));
  for (const std::uint64_t n : {max_lost_windows + 2, ~std::uint64_t{0}}) {
    const Error error = machine.refused(Machine::request("a", n));
    CHECK(error.hint == "at most 1000000 lost windows can be sealed");
  }
  CHECK(machine.lost.empty());
}

TEST_CASE("sealer: links of lost windows come out again with the frame after them") {
  Machine machine({.accept_loss = true});
  machine.must_seal(Machine::request("a", 0));
  const SignedLink after = machine.must_seal(Machine::request("a", 3));
  const std::vector<SignedLink> first_time = machine.lost;
  REQUIRE(first_time.size() == 2);
  REQUIRE(machine.state->commit());
  for (int i = 0; i < 2; ++i) {
    machine.restart();
    machine.lost.clear();
    CHECK(same(machine.must_seal(Machine::request("a", 3)), after));
    REQUIRE(machine.lost.size() == 2);
    CHECK(same(machine.lost[0], first_time[0]));
    CHECK(same(machine.lost[1], first_time[1]));
  }
}

TEST_CASE("sealer: a process that ended within a gap is continued by the next") {
  Machine machine({.accept_loss = true});
  machine.must_seal(Machine::request("a", 0));
  std::vector<SignedLink> links = {machine.state->head(source_id("a"))->link};
  const auto stopped =
      machine.sealer->seal(Machine::request("a", 5), [&](const SignedLink& link) -> Status {
        if (link.link.number == 2) return fail(ExitCode::system, "killed");
        return {};
      });
  REQUIRE_FALSE(stopped);
  REQUIRE(machine.state->commit());
  machine.restart();
  links.push_back(machine.must_seal(Machine::request("a", 5)));
  links.insert(links.begin() + 1, machine.lost.begin(), machine.lost.end());
  CHECK(links.size() == 6);
  test::check_chain(links);
}

TEST_CASE("sealer: the committed successor goes on with the chain") {
  Machine machine;
  std::vector<SignedLink> links;
  for (std::uint64_t n = 0; n < 6; ++n) {
    if (n == 2 || n == 3) {
      machine.rotate();
      machine.restart();
    }
    links.push_back(machine.must_seal(Machine::request("a", n)));
  }
  test::check_chain(links);
  CHECK(links[1].link.epoch == 0);
  CHECK(links[2].link.epoch == 1);
  CHECK(links[5].link.epoch == 2);
  CHECK(key_id(links[2].link.key) == links[1].link.next_key_hash);
  CHECK(key_id(links[3].link.key) == links[2].link.next_key_hash);
}

TEST_CASE("sealer: other keys are refused") {
  Machine machine;
  REQUIRE(create_key_files(machine.fs, "other", "other"));
  const Bytes old_key = *machine.fs.content("node.key");
  machine.must_seal(Machine::request("a", 0));
  const std::string newest =
      "source " + to_hex(source_id("a")) + ": link 0 is signed by the key of epoch 0";

  machine.rotate();
  machine.rotate();
  machine.restart();
  Error error = machine.refused(Machine::request("a", 1));
  CHECK(error.message ==
        newest + "; the key of epoch 2 is neither that key nor the successor it names");
  CHECK(error.hint.find("more than once") != std::string::npos);

  const Bytes rotated_key = *machine.fs.content("node.key");
  *machine.fs.content("node.key") = *machine.fs.content("other.key");
  machine.restart();
  error = machine.refused(Machine::request("a", 1));
  CHECK(error.message.starts_with(newest + "; the key of epoch 0 is neither"));

  // The same key with another successor, as from an edited file.
  std::string edited(as_text(old_key));
  const std::size_t at = edited.find("next-secret: ") + 13;
  edited[at] = edited[at] == '0' ? '1' : '0';
  machine.fs.content("node.key")->assign(edited.begin(), edited.end());
  machine.restart();
  error = machine.refused(Machine::request("a", 1));
  CHECK(error.message == newest + ", and the key file has the same key with another successor");

  *machine.fs.content("node.key") = old_key;
  machine.restart();
  machine.must_seal(Machine::request("a", 1));
  // A source without links may begin with any key.
  *machine.fs.content("node.key") = rotated_key;
  machine.restart();
  CHECK(machine.must_seal(Machine::request("b", 0)).link.epoch == 2);
}

TEST_CASE("sealer: a key that cannot continue is no obstacle to giving old links again") {
  Machine machine;
  const SignedLink link = machine.must_seal(Machine::request("a", 0));
  machine.rotate();
  machine.rotate();
  machine.restart();
  CHECK(same(machine.must_seal(Machine::request("a", 0)), link));
}

TEST_CASE("sealer: links in the input") {
  Machine machine;
  const SignedLink link = machine.must_seal(Machine::request("a", 0));
  CHECK(*machine.sealer->pass_link_on(link, 5) == false);

  SignedLink changed = link;
  changed.signature[0] ^= 1;
  auto refused = machine.sealer->pass_link_on(changed, 5);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::refuted);
  CHECK(refused.error().message ==
        "LINK frame 0 of source " + to_hex(source_id("a")) +
            " at byte 5: the input is sealed already, by another chain than the one begun here");
  changed = link;
  changed.link.number = 1;
  CHECK_FALSE(machine.sealer->pass_link_on(changed, 5));

  // A source of which there are only links is none of ours; its data would be.
  changed.link.source = source_id("b");
  CHECK(*machine.sealer->pass_link_on(changed, 5) == true);
  CHECK(*machine.sealer->pass_link_on(changed, 5) == true);
  const Error error = machine.refused(Machine::request("b", 0));
  CHECK(error.message.ends_with("this source's links are in the input already"));
}

TEST_CASE("sealer: rotation is refused while a chain has no link by the present key") {
  Machine machine;
  const auto now = [&] { return public_epoch(*read_secret_key(machine.fs, "node.key")); };
  CHECK(check_rotation(*machine.state, now()));  // no chain, nothing to cut off
  machine.must_seal(Machine::request("a", 0));
  machine.must_seal(Machine::request("b", 0));
  CHECK(check_rotation(*machine.state, now()));
  machine.rotate();
  machine.restart();
  CHECK_FALSE(check_rotation(*machine.state, now()));
  machine.must_seal(Machine::request("a", 1));
  auto status = check_rotation(*machine.state, now());
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ExitCode::refuted);
  CHECK(status.error().message == "source " + to_hex(source_id("b")) +
                                      ": link 0 is not signed by the key of epoch 1; rotating now "
                                      "would cut its chain off");
  machine.must_seal(Machine::request("b", 1));
  CHECK(check_rotation(*machine.state, now()));
}

TEST_CASE("key follower: picks up a rotation, and keeps the key when the file is unreadable") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "node.key";
  REQUIRE(create_key_files(real_fs(), path, "node"));
  std::vector<std::string> warnings;
  auto keys = KeyFollower::open(real_fs(), path,
                                [&](std::string_view text) { warnings.emplace_back(text); });
  REQUIRE(keys);
  const PublicKey first = (*keys)->public_key();
  (*keys)->refresh();
  CHECK((*keys)->public_key() == first);
  auto rotation = rotate_key_files(real_fs(), path);
  REQUIRE(rotation);
  (*keys)->refresh();
  CHECK((*keys)->key().epoch == 1);
  CHECK((*keys)->public_key() == rotation->public_key.epochs.back().key);
  CHECK((*keys)->next_key_hash() == rotation->public_key.epochs.back().next_key_hash);
  CHECK(warnings.empty());
  REQUIRE(real_fs().rename(path, path + ".away"));
  (*keys)->refresh();
  (*keys)->refresh();
  CHECK((*keys)->key().epoch == 1);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].ends_with("; sealing goes on with the key of epoch 1"));
  REQUIRE(real_fs().rename(path + ".away", path));
  (*keys)->refresh();
  CHECK((*keys)->key().epoch == 1);
  CHECK(warnings.size() == 1);
}
