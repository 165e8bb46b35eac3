#include "twinchain/chain/slice.hpp"

#include <doctest/doctest.h>

#include "twinchain/record/window_builder.hpp"
#include "unit/chain/stream_maker.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

struct DataFrame {
  FrameHeader header;
  Bytes body;
};

/// A window as the recorder makes it, with four channels.
DataFrame recorded_frame() {
  record::Schema schema;
  schema.source_name = "s";
  record::WindowBuilder builder(schema);
  for (const char* name : {"a", "b", "c", "d"}) {
    REQUIRE(builder.channel(name, record::ValueType::f64));
  }
  for (std::uint32_t row = 0; row < 20; ++row) {
    builder.begin_row(1000 + row);
    for (std::uint32_t channel = 0; channel < 4; ++channel) {
      builder.put_f64(channel, 0.37 * row * (channel + 1));
    }
    builder.end_row();
  }
  record::WindowEnd end;
  end.start_ns = 1000;
  end.end_ns = 2000;
  DataFrame frame;
  REQUIRE(builder.close(end, [&](const FrameHeader& header, ByteView body) -> Status {
    if (header.type == FrameType::data) {
      frame.header = header;
      frame.body.assign(body.begin(), body.end());
    }
    return {};
  }));
  return frame;
}

std::vector<std::uint32_t> shown_channels(const SliceContent& content) {
  std::vector<std::uint32_t> channels;
  for (const ShownLeaf& shown : content.shown) {
    if (shown.leaf.type != record::LeafType::value_column) continue;
    channels.push_back(load_le<std::uint32_t>(shown.leaf.payload.data()));
  }
  return channels;
}

bool contains(ByteView bytes, ByteView part) {
  return std::search(bytes.begin(), bytes.end(), part.begin(), part.end()) != bytes.end();
}

}  // namespace

TEST_CASE("a slice has the root of its frame and shows no more than was asked for") {
  const DataFrame frame = recorded_frame();
  const Hash256 root = record::frame_root(frame.body).value();
  const std::vector<std::uint32_t> channels{2, 0};
  const auto slice = make_slice(frame.header, frame.body, channels);
  REQUIRE(slice);
  CHECK(slice->header.type == FrameType::slice);
  CHECK(slice->header.sequence == frame.header.sequence);
  CHECK(slice->header.body_size == slice->body.size());
  const auto content = check_slice(slice->header, slice->body);
  REQUIRE(content);
  CHECK(content->root == root);
  CHECK(content->leaf_count == 6);
  CHECK(content->shown.size() == 4);
  CHECK(shown_channels(*content) == std::vector<std::uint32_t>{0, 2});
  CHECK(content->header == record::check_data_frame(frame.header, frame.body).value());
  for (const ShownLeaf& shown : content->shown) CHECK(shown.leaf.crc_ok);
  // Neither the seed nor what it would give away: the hidden leaves' salts and bytes.
  const record::Seed seed = record::body_seed(frame.body);
  CHECK_FALSE(contains(slice->body, seed));
  const auto leaves = record::parse_leaves(frame.body).value();
  for (const std::uint32_t hidden : {3U, 5U}) {
    CHECK_FALSE(contains(slice->body, record::leaf_salt(seed, hidden)));
    CHECK_FALSE(contains(slice->body, leaves[hidden].payload));
  }
  CHECK(contains(slice->body, record::leaf_salt(seed, 4)));
}

TEST_CASE("a slice can be narrowed, never widened") {
  const DataFrame frame = recorded_frame();
  const Hash256 root = record::frame_root(frame.body).value();
  const auto wide = make_slice(frame.header, frame.body, std::vector<std::uint32_t>{1, 2});
  REQUIRE(wide);
  const auto narrow = make_slice(wide->header, wide->body, std::vector<std::uint32_t>{2, 3});
  REQUIRE(narrow);
  const auto content = check_slice(narrow->header, narrow->body);
  REQUIRE(content);
  CHECK(content->root == root);
  CHECK(shown_channels(*content) == std::vector<std::uint32_t>{2});
  const auto nothing = make_slice(frame.header, frame.body, {});
  REQUIRE(nothing);
  CHECK(check_slice(nothing->header, nothing->body)->root == root);
}

TEST_CASE("every byte of a slice counts") {
  const DataFrame frame = recorded_frame();
  const Hash256 root = record::frame_root(frame.body).value();
  const auto slice = make_slice(frame.header, frame.body, std::vector<std::uint32_t>{1});
  REQUIRE(slice);
  Bytes body = slice->body;
  for (std::size_t i = 0; i < body.size(); ++i) {
    for (const std::uint8_t bits : std::array<std::uint8_t, 3>{0x01, 0x80, 0xff}) {
      body[i] ^= bits;
      const auto content = check_slice(slice->header, body);
      const bool noticed = !content || content->root != root;
      CHECK_MESSAGE(noticed, "byte " << i << " of " << body.size());
      body[i] ^= bits;
    }
  }
  for (std::size_t size = 0; size < body.size(); ++size) {
    CHECK_FALSE(check_slice(slice->header, ByteView(body).first(size)));
  }
  body.push_back(0);
  CHECK_FALSE(check_slice(slice->header, body));
}

TEST_CASE("a slice with inner nodes in place of leaves is refused") {
  // Two hidden leaves joined into the hash of their node give the same root with one leaf less.
  const DataFrame frame = recorded_frame();
  const auto slice = make_slice(frame.header, frame.body, {});
  REQUIRE(slice);
  Bytes body = slice->body;
  REQUIRE(load_le<std::uint32_t>(body.data()) == 6);
  // Leaves 4 and 5 are the last two, hidden: 33 bytes each.
  Hash256 left{};
  Hash256 right{};
  std::copy_n(body.end() - 65, 32, left.begin());
  std::copy_n(body.end() - 32, 32, right.begin());
  const Hash256 node = merkle_node(left, right);
  body.resize(body.size() - 65);
  append(body, node);
  store_le(body.data(), std::uint32_t{5});
  const auto content = check_slice(slice->header, body);
  REQUIRE_FALSE(content);
  CHECK(content.error().message == "slice: fewer leaves than the window has columns");
}

TEST_CASE("records of slices are verified for what they show") {
  StreamMaker maker("engine-1");
  maker.add_windows(5);
  Frames frames;
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.type != FrameType::data) {
      if (frame.header.type != FrameType::reject) frames.push_back(frame);
      continue;
    }
    auto slice = make_slice(frame.header, frame.body, std::vector<std::uint32_t>{1});
    REQUIRE(slice);
    frames.push_back({slice->header, std::move(slice->body)});
  }
  AuditOptions options = trusting({maker.key});
  AuditReport report = audit(encode(frames), options);
  CAPTURE(summary(report));
  CHECK(report.code() == ExitCode::unproven);
  CHECK(report.findings.headline() == FindingKind::withheld_channels);
  options.partial = true;
  report = audit(encode(frames), options);
  CHECK(report.code() == ExitCode::success);
  CHECK(report.records.at(0).accounting.windows == 5);
  CHECK(report.records.at(0).accounting.hidden_leaves == 8);
  // By accident: the channel has a name.
  frames[1].body[frames[1].body.size() - 34] ^= 1;
  report = audit(encode(frames), options);
  CHECK(report.findings.headline() == FindingKind::damaged_frame);
  CHECK(report.findings.all().at(0).channels == std::vector<std::string>{"beta"});
  frames[1].body[frames[1].body.size() - 34] ^= 1;
  // A shown value that was changed, with all CRCs right.
  frames[1].body.back() ^= 1;
  for (MadeFrame& frame : frames) mend(frame);
  report = audit(encode(frames), options);
  CHECK(report.code() == ExitCode::refuted);
  CHECK(report.findings.headline() == FindingKind::altered_content);
}
