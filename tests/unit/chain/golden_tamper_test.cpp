// What an accident and what a tamperer can do to a record that the tools made and a ledger
// anchored, all of it tried: tests/golden/engine-1.v1.twin, with its real receipt.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "twinchain/chain/keys.hpp"
#include "twinchain/ledger/receipt.hpp"
#include "twinchain/sys/fs.hpp"
#include "unit/chain/stream_maker.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

std::string golden_path(const char* name) {
  const char* source = std::getenv("TWINCHAIN_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TWINCHAIN_SOURCE names the source folder, as tests/run does");
  return std::string(source) + "/tests/golden/" + name;
}

/// As verify does it.
Result<AnchorFacts> check_real_receipt(ByteView body) {
  auto receipt = ledger::parse_receipt(body);
  if (!receipt) return pass(receipt);
  auto facts = ledger::check_receipt(*receipt);
  if (!facts) return pass(facts);
  AnchorFacts out;
  out.link_hash = receipt->link_hash;
  out.network = facts->network.magic;
  out.network_name = facts->network.name;
  out.trivial_network = facts->network.trivial;
  out.block_hash = facts->block_hash;
  out.height = facts->height;
  out.time_s = facts->time_s;
  return out;
}

class GoldenRecord {
 public:
  GoldenRecord() {
    std::ifstream file(golden_path("engine-1.v1.twin"), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
    REQUIRE(bytes.size() > 1000);
    StreamReader reader(bytes_source(bytes), StreamReader::Options{});
    while (true) {
      auto event = reader.next();
      REQUIRE(event);
      if (event->kind == StreamEventKind::finished) break;
      REQUIRE(event->kind != StreamEventKind::damage);
      if (event->kind != StreamEventKind::frame) continue;
      const ByteView body = event->frame.body.view();
      frames.push_back({event->frame.header, Bytes(body.begin(), body.end())});
      offsets.push_back(event->frame.offset);
    }
    REQUIRE(encode(frames) == bytes);
    auto key = read_public_key(real_fs(), golden_path("engine-1.v1.pub"));
    REQUIRE(key);
    for (const auto& epoch : key->epochs) {
      options.policy.signers.push_back({key->name, epoch.key, epoch.number, epoch.next_key_hash});
    }
    for (const MadeFrame& frame : frames) {
      types.insert(frame.header.type);
      if (frame.header.type != FrameType::anchor) continue;
      auto facts = check_real_receipt(frame.body);
      REQUIRE(facts);
      anchored = *facts;
    }
    options.threads = 0;
    options.check_receipt = check_real_receipt;
    options.ledger_given = true;
    // The ledger's best chain, as far as this record is concerned: one block.
    options.find_block = [this](std::uint32_t network,
                                const Hash256& block) -> Result<std::optional<BlockPlace>> {
      if (network != anchored.network) return std::optional<BlockPlace>();
      if (block != anchored.block_hash) return std::optional(BlockPlace{});
      return std::optional(BlockPlace{true, anchored.height, 1, anchored.time_s, "test"});
    };
  }
  GoldenRecord(const GoldenRecord&) = delete;
  GoldenRecord& operator=(const GoldenRecord&) = delete;

  /// The frame that a byte belongs to; frames.size() for END.
  std::size_t frame_at(std::size_t byte) const {
    const auto after = std::upper_bound(offsets.begin(), offsets.end(), byte);
    return static_cast<std::size_t>(after - offsets.begin()) - 1;
  }

  Bytes bytes;
  Frames frames;
  std::vector<std::size_t> offsets;
  std::set<FrameType> types;
  AnchorFacts anchored;
  AuditOptions options;
};

/// Noticed with an answer that is not a bug, and the frame is named.
void notices(const GoldenRecord& golden, ByteView bytes, std::size_t frame,
             const std::string& what) {
  const AuditReport report = audit(bytes, golden.options);
  CHECK_MESSAGE(report.code() != ExitCode::success, what << " passes: " << summary(report));
  CHECK_MESSAGE(report.code() != ExitCode::bug, what << summary(report));
  if (frame >= golden.frames.size()) return;
  CHECK_MESSAGE(names(report, golden.frames[frame].header.sequence),
                what << " is not named: " << summary(report));
}

/// One bit, another one for each byte, and all of them.
std::array<std::uint8_t, 2> flips_at(std::size_t byte) {
  return {static_cast<std::uint8_t>(1U << (byte % 8)), 0xff};
}

}  // namespace

TEST_CASE("the golden record has every kind of frame and is verified against its ledger") {
  const GoldenRecord golden;
  for (const FrameType type : {FrameType::schema, FrameType::reject, FrameType::data,
                               FrameType::link, FrameType::anchor}) {
    CAPTURE(frame_type_name(type));
    CHECK(golden.types.contains(type));
  }
  const AuditReport report = audit(golden.bytes, golden.options);
  CAPTURE(summary(report));
  CHECK(report.code() == ExitCode::success);
  REQUIRE(report.records.size() == 1);
  CHECK(report.records[0].anchors.covered_to == report.records[0].last_link);
}

TEST_CASE("golden record: every byte flipped") {
  const GoldenRecord golden;
  Bytes bytes = golden.bytes;
  std::size_t tried = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const std::uint8_t flip : flips_at(i)) {
      bytes[i] ^= flip;
      const std::size_t frame = i < preamble_size ? golden.frames.size() : golden.frame_at(i);
      notices(golden, bytes, frame, "byte " + std::to_string(i) + " ^ " + std::to_string(flip));
      bytes[i] ^= flip;
      ++tried;
    }
  }
  std::printf("golden record: %zu flips of bytes\n", tried);
}

TEST_CASE("golden record: every body byte flipped, all CRCs made right again") {
  const GoldenRecord golden;
  std::size_t tried = 0;
  for (std::size_t f = 0; f < golden.frames.size(); ++f) {
    for (std::size_t i = 0; i < golden.frames[f].body.size(); ++i) {
      for (const std::uint8_t flip : flips_at(i)) {
        Frames frames = golden.frames;
        frames[f].body[i] ^= flip;
        mend(frames[f]);
        if (frames == golden.frames) continue;  // the CRC of a leaf, which was made right
        notices(golden, encode(frames), f,
                frame_type_name(frames[f].header.type) + " body byte " + std::to_string(i) + " ^ " +
                    std::to_string(flip));
        ++tried;
      }
    }
  }
  std::printf("golden record: %zu flips of body bytes with CRCs made right\n", tried);
}

TEST_CASE("golden record: every header byte flipped, its CRC made right again") {
  const GoldenRecord golden;
  for (std::size_t f = 0; f < golden.frames.size(); ++f) {
    for (std::size_t i = 0; i < 60; ++i) {
      for (const std::uint8_t flip : flips_at(i)) {
        Bytes bytes = golden.bytes;
        std::uint8_t* header = bytes.data() + golden.offsets[f];
        header[i] ^= flip;
        store_le(header + 60, crc32c(ByteView(header, 60)));
        notices(
            golden, bytes, f,
            frame_type_name(golden.frames[f].header.type) + " header byte " + std::to_string(i));
      }
    }
  }
}

TEST_CASE("golden record: every prefix") {
  const GoldenRecord golden;
  for (std::size_t size = 0; size < golden.bytes.size(); ++size) {
    CAPTURE(size);
    const AuditReport report = audit(ByteView(golden.bytes).first(size), golden.options);
    CHECK_MESSAGE(report.code() == ExitCode::malformed, summary(report));
  }
}

TEST_CASE("golden record: every frame left out, with END counting again") {
  const GoldenRecord golden;
  for (std::size_t f = 0; f < golden.frames.size(); ++f) {
    Frames frames = golden.frames;
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(f));
    // Which link had the anchor nobody can tell; that none has one is told.
    const bool is_anchor = golden.frames[f].header.type == FrameType::anchor;
    notices(golden, encode(frames), is_anchor ? golden.frames.size() : f,
            "frame " + std::to_string(f) + " left out");
  }
}
