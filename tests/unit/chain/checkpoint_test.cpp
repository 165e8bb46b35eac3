#include "twinchain/chain/checkpoint.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "unit/chain/stream_maker.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

SignedLink signed_by(const Link& link, const SecretKey& key) {
  return {link, key.sign(link_signing_message(link_hash(link)))};
}

/// Links 0, 1, 2 of a maker.
std::vector<SignedLink> three_links(StreamMaker& maker) {
  std::vector<SignedLink> out;
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.type == FrameType::link) out.push_back(*parse_link_body(frame.body));
  }
  REQUIRE(out.size() == 3);
  return out;
}

ExitCode code_of(const Result<LinkFollower::Step>& step) {
  return step ? ExitCode::success : step.error().code;
}

}  // namespace

TEST_CASE("a checkpoint says what the head says, and nothing else is taken for one") {
  StreamMaker maker("engine-1");
  maker.add_windows(3);
  const LinkFollower::Head head{maker.last_link, link_hash(maker.last_link)};
  const Checkpoint made = make_checkpoint(head);
  CHECK(made.origin == "twinchain/" + to_hex(maker.record));
  CHECK(made.size == 3);
  CHECK(made.root == maker.history.root());
  const auto parsed = parse_checkpoint(encode_checkpoint(made));
  REQUIRE(parsed);
  const auto link = read_link_checkpoint(*parsed);
  REQUIRE(link);
  CHECK(link->record == maker.record);
  CHECK(link->number == 2);
  CHECK(link->history_root == maker.history.root());
  CHECK(link->link_hash == head.hash);

  Checkpoint other = made;
  other.extensions.insert(other.extensions.begin(), "somebody else's line");
  CHECK(read_link_checkpoint(other));
  other = made;
  other.extensions.push_back(made.extensions.front());
  CHECK(!read_link_checkpoint(other));
  other.extensions.clear();
  CHECK(!read_link_checkpoint(other));
  other.extensions = {"link 3 " + to_hex(head.hash)};
  CHECK(!read_link_checkpoint(other));
  other.extensions = {"link 2 " + to_hex(head.hash) + "0"};
  CHECK(!read_link_checkpoint(other));
  other = made;
  other.size = 0;
  CHECK(!read_link_checkpoint(other));
  other.size = 4;
  CHECK(!read_link_checkpoint(other));
  for (const char* origin : {"go.sum database tree", "twinchain/", "twinchain/1234",
                             "twinchain/0101010101010101010101010101010G"}) {
    other = made;
    other.origin = origin;
    CHECK(!read_link_checkpoint(other));
  }
  other = made;
  other.origin = "twinchain/ABABABABABABABABABABABABABABABAB";
  CHECK(!read_link_checkpoint(other));
}

TEST_CASE("only a sound chain is followed") {
  StreamMaker maker("engine-1");
  maker.add_windows(3);
  const auto links = three_links(maker);
  using Step = LinkFollower::Step;

  SUBCASE("in order, from anywhere, with repetitions of the newest") {
    LinkFollower follower;
    CHECK(follower.take(links[1], 0).value() == Step::next);
    CHECK(follower.take(links[1], 0).value() == Step::repeated);
    CHECK(follower.take(links[2], 0).value() == Step::next);
    REQUIRE(follower.heads().size() == 1);
    CHECK(follower.heads().begin()->second.hash == link_hash(links[2].link));
  }
  SUBCASE("a hole, an earlier link") {
    LinkFollower follower;
    CHECK(follower.take(links[0], 0));
    CHECK(code_of(follower.take(links[2], 0)) == ExitCode::refuted);
    CHECK(follower.take(links[1], 0));
    CHECK(code_of(follower.take(links[0], 0)) == ExitCode::refuted);
  }
  SUBCASE("a false signature, another previous hash, another key") {
    LinkFollower follower;
    CHECK(follower.take(links[0], 0));
    SignedLink other = links[1];
    other.signature[5] ^= 1;
    CHECK(code_of(follower.take(other, 0)) == ExitCode::refuted);
    other.link.previous[0] ^= 1;
    CHECK(code_of(follower.take(signed_by(other.link, maker.key), 0)) == ExitCode::refuted);
    Link taken_over = links[1].link;
    taken_over.key = test_key(77).public_key();
    CHECK(code_of(follower.take(signed_by(taken_over, test_key(77)), 0)) == ExitCode::refuted);
    taken_over.epoch = 1;
    CHECK(code_of(follower.take(signed_by(taken_over, test_key(77)), 0)) == ExitCode::refuted);
    // What link 0 has named as the next key may go on.
    Link rotated = links[1].link;
    rotated.epoch = 1;
    rotated.key = maker.next_key.public_key();
    CHECK(follower.take(signed_by(rotated, maker.next_key), 0).value() == Step::next);
  }
  SUBCASE("another record begins anew, and only so") {
    LinkFollower follower;
    CHECK(follower.take(links[0], 0));
    Link other = links[1].link;
    other.record.fill(9);
    CHECK(code_of(follower.take(signed_by(other, maker.key), 0)) == ExitCode::refuted);
    other.number = 0;
    CHECK(code_of(follower.take(signed_by(other, maker.key), 0)) == ExitCode::refuted);
    other.previous = {};
    CHECK(follower.take(signed_by(other, maker.key), 0).value() == Step::new_record);
  }
}

TEST_CASE("a stream that is cut short or damaged gives no head") {
  StreamMaker maker("engine-1");
  maker.add_windows(3);
  Bytes bytes = encode(maker.frames);
  const auto head_of = [](ByteView stream) {
    StreamReader reader(bytes_source(stream), StreamReader::Options{});
    return newest_head(reader, std::nullopt);
  };
  REQUIRE(head_of(bytes));
  CHECK(head_of(bytes)->hash == link_hash(maker.last_link));
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    const auto head = head_of(ByteView(bytes).first(size));
    REQUIRE(!head);
    CHECK(head.error().code == ExitCode::malformed);
  }
  bytes[bytes.size() / 2] ^= 1;
  CHECK(!head_of(bytes));
}
