// The parts that links are made of, without sockets.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "../temporary_folder.hpp"
#include "network_for_tests.hpp"
#include "twinchain/net/address_guard.hpp"
#include "twinchain/net/message_reader.hpp"
#include "twinchain/net/node_key.hpp"
#include "twinchain/net/peer_link.hpp"
#include "twinchain/net/token_bucket.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

TEST_CASE("message reader: messages however their bytes are cut") {
  const std::uint32_t magic = parameters_for_tests().magic;
  Bytes stream = encode_message(magic, Hello{});
  const Bytes block(300'000, 3);
  append(stream, encode_message(magic, GetPeers{}));
  append(stream, encode_message(magic, BlockPart{{}, block.size(), 0, block}));
  append(stream, encode_message(magic, Ping{7}));
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, stream.size()}) {
    CAPTURE(step);
    MessageReader reader(magic);
    std::size_t at = 0;
    std::vector<std::uint16_t> types;
    while (at < stream.size()) {
      const std::size_t growth = reader.growth_bytes();
      const std::size_t before = reader.memory_bytes();
      const auto space = reader.space();
      CHECK(reader.memory_bytes() == before + growth);
      REQUIRE_FALSE(space.empty());
      const std::size_t size = std::min({space.size(), step, stream.size() - at});
      std::copy_n(stream.data() + at, size, space.begin());
      at += size;
      REQUIRE(reader.advance(size));
      CHECK(reader.memory_bytes() <= 2 * at + (std::size_t{64} << 10));
      if (!reader.complete()) continue;
      types.push_back(reader.type());
      REQUIRE(parse_message(reader.type(), reader.body()));
      const std::size_t kept = reader.memory_bytes();
      reader.next();
      CHECK(reader.memory_bytes() == kept);
      reader.release_idle();
      CHECK(reader.memory_bytes() == 0);
    }
    CHECK(types == std::vector<std::uint16_t>{1, 4, 15, 2});
  }
}

TEST_CASE("message reader: the first message is small") {
  const std::uint32_t magic = parameters_for_tests().magic;
  const auto refused = [&](const Bytes& bytes) {
    MessageReader reader(magic);
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto space = reader.space();
      const std::size_t size = std::min(space.size(), bytes.size() - at);
      std::copy_n(bytes.data() + at, size, space.begin());
      at += size;
      if (!reader.advance(size)) return true;
      if (reader.complete()) reader.next();
    }
    return false;
  };
  const Bytes announce = encode_message(magic, Announce{std::vector<Hash256>(100)});
  CHECK(refused(announce));
  Bytes later = encode_message(magic, Hello{});
  append(later, announce);
  CHECK_FALSE(refused(later));
  CHECK(refused(encode_message(magic + 1, Hello{})));
}

TEST_CASE("token bucket: a rate, a burst, and debts") {
  constexpr std::uint64_t second = 1'000'000'000;
  TokenBucket bucket(10, 20);
  std::uint64_t now = 5 * second;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(bucket.ready(now));
    bucket.take(1);
  }
  CHECK_FALSE(bucket.ready(now));
  now += bucket.wait_ns();
  CHECK(bucket.ready(now));
  bucket.take(31);
  CHECK_FALSE(bucket.ready(now + 2 * second));
  CHECK(bucket.ready(now + 4 * second));
  // No more than the burst, however long it was quiet; the clock may stand still.
  CHECK(bucket.ready(now + 1000 * second));
  bucket.take(20);
  CHECK_FALSE(bucket.ready(now + 1000 * second));
  CHECK_FALSE(bucket.ready(now));

  TokenBucket free(0, 0);
  free.take(1'000'000);
  CHECK(free.ready(1));
  CHECK(free.wait_ns() == 0);
}

TEST_CASE("slow readers: much queued and little taken, for long") {
  SlowReaderWatch watch(1000, 100, 50);
  CHECK_FALSE(watch.too_slow(0, 1000, 0));
  CHECK_FALSE(watch.too_slow(1000, 1000, 0));
  CHECK_FALSE(watch.too_slow(2000, 1001, 0));
  CHECK_FALSE(watch.too_slow(2049, 1001, 99));
  CHECK(watch.too_slow(2050, 1001, 99));
  CHECK_FALSE(watch.too_slow(2050, 1001, 100));
  CHECK_FALSE(watch.too_slow(2099, 5000, 110));
  CHECK_FALSE(watch.too_slow(2200, 900, 110));
  CHECK_FALSE(watch.too_slow(2201, 5000, 110));
}

TEST_CASE("addresses: numbers, ranges, ports") {
  const auto range = [](const char* text) { return parse_ip_address(text)->range(); };
  CHECK(range("10.1.2.3") == range("10.1.255.9"));
  CHECK(range("10.1.2.3") != range("10.2.2.3"));
  CHECK(range("::ffff:10.1.2.3") == range("10.1.0.0"));
  CHECK(range("2001:db8:1::1") == range("2001:db8:ffff::"));
  CHECK(range("2001:db9::1") != range("2001:db8::1"));
  CHECK(parse_ip_address("127.9.9.9")->is_loopback());
  CHECK(parse_ip_address("::1")->is_loopback());
  CHECK(parse_ip_address("::ffff:127.0.0.1")->is_loopback());
  CHECK_FALSE(parse_ip_address("::2")->is_loopback());
  CHECK_FALSE(parse_ip_address("128.0.0.1")->is_loopback());
  for (const char* const wrong : {"", "localhost", "1.2.3", "1.2.3.4:5", "[::1]", "::g"}) {
    CHECK_FALSE(parse_ip_address(wrong));
  }
  CHECK(split_host_port("[::1]:70")->host == "::1");
  CHECK(split_host_port("node-1:65535")->port == "65535");
  for (const char* const wrong : {"", ":", "a", "a:", ":1", "::1:70", "a:65536", "a:-1", "[]:1"}) {
    CHECK_FALSE(split_host_port(wrong));
  }
  CHECK(join_host_port("::1", 70) == "[::1]:70");
  CHECK(join_host_port("1.2.3.4", 70) == "1.2.3.4:70");
}

TEST_CASE("address guard: places in a range, and bans") {
  const IpAddress near = *parse_ip_address("10.1.0.1");
  const IpAddress nearby = *parse_ip_address("10.1.200.1");
  const IpAddress far = *parse_ip_address("10.2.0.1");
  const IpAddress here = *parse_ip_address("127.0.0.1");
  AddressGuard guard(2, true, 100);
  CHECK(guard.enter(near));
  CHECK(guard.enter(nearby));
  CHECK_FALSE(guard.enter(near));
  CHECK(guard.enter(far));
  guard.leave(nearby);
  CHECK(guard.enter(near));
  for (int i = 0; i < 10; ++i) CHECK(guard.enter(here));
  AddressGuard none(0, true, 100);
  CHECK_FALSE(none.enter(near));

  guard.ban(near, 1000);
  CHECK(guard.banned(near, 1099));
  CHECK_FALSE(guard.banned(nearby, 1050));
  CHECK_FALSE(guard.banned(near, 1100));
  guard.ban(here, 1000);
  CHECK_FALSE(guard.banned(here, 1001));
  guard.ban(Hash256{1}, 1000);
  CHECK(guard.banned(Hash256{1}, 1001));
  CHECK_FALSE(guard.banned(Hash256{2}, 1001));
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    Hash256 key{};
    store_le(key.data(), i);
    guard.ban(key, 1000 + i / 1000);
  }
  CHECK(guard.ban_count() <= 10'000);
}

TEST_CASE("node key: made once, for the owner only") {
  const TemporaryFolder folder;
  const std::string path = folder / "node.key";
  const auto made = load_or_make_node_key(real_fs(), path);
  REQUIRE(made);
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto again = load_or_make_node_key(real_fs(), path);
  REQUIRE(again);
  CHECK(again->public_key() == made->public_key());
  CHECK(load_node_key(real_fs(), path)->public_key() == made->public_key());
  CHECK_FALSE(load_node_key(real_fs(), folder / "other.key"));

  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  CHECK(load_or_make_node_key(real_fs(), path).error().code == ExitCode::usage);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  for (const std::string& wrong : {std::string(), std::string("twinchain node key 1\n"),
                                   "twinchain node key 1\n" + std::string(64, '0'),
                                   "twinchain node key 1\n" + std::string(63, '0') + "g\n",
                                   "twinchain node key 2\n" + std::string(64, '0') + "\n",
                                   "twinchain node key 1\n" + std::string(64, '0') + "\n\n"}) {
    REQUIRE(write_file_atomically(real_fs(), path, as_bytes(wrong), true));
    CHECK(load_node_key(real_fs(), path).error().code == ExitCode::malformed);
  }
}
