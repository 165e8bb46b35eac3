#include "twinchain/net/frame_extractor.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "twinchain/base/hex.hpp"
#include "twinchain/net/extract_stream.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

EcdsaSecretKey numbered_key(std::uint8_t number) {
  std::array<std::uint8_t, 32> secret{};
  secret[31] = number;
  return *EcdsaSecretKey::from_bytes(secret);
}

/// A chain of payments as twin-tx makes it, without a node. Order of txids is chance.
struct ChainOfPayments {
  ChainOfPayments(const ChainParameters& of, EcdsaSecretKey with, PayerCoin from)
      : parameters(of), key(std::move(with)), coin(from) {}
  TransactionPtr next(const std::vector<StreamFrame>& frames, std::uint32_t chain_time_s = 1) {
    std::vector<Bytes> whole;
    for (const StreamFrame& frame : frames) {
      whole.push_back(encode_frame(frame.header, frame.body));
      append(sent, whole.back());
    }
    const std::vector<PayerCoin> coins{coin};
    auto made = make_data_transaction(parameters, key, coins, whole, 0, chain_time_s);
    REQUIRE(made);
    coin = {{(*made)->txid, 0}, (*made)->tx.outputs[0].value_sat};
    return *made;
  }
  const ChainParameters& parameters;
  EcdsaSecretKey key;
  PayerCoin coin;
  Bytes sent;
};

struct BlocksForTests {
  ChainParameters parameters = parameters_for_tests();
  WorkPool workers{0, [](std::function<void()>& work) { work(); }};

  /// So late that the difficulty stays as low as it can be.
  NetBlock block(const Hash256& previous, std::uint32_t height,
                 std::vector<TransactionPtr> transactions, std::uint8_t salt = 0) {
    return make_block(parameters, previous, height, parameters.genesis_time_s + 1'000 * height,
                      parameters.easiest_bits, std::move(transactions), 0, salt);
  }
  std::vector<NetBlock> chain(const Hash256& from, std::uint32_t first_height,
                              const std::vector<std::vector<TransactionPtr>>& contents,
                              std::uint8_t salt = 0) {
    std::vector<NetBlock> blocks;
    Hash256 previous = from;
    for (const auto& transactions : contents) {
      const auto height = first_height + static_cast<std::uint32_t>(blocks.size());
      blocks.push_back(block(previous, height, transactions, salt));
      previous = bitcoin::block_hash(blocks.back().header);
    }
    return blocks;
  }
  [[nodiscard]] Hash256 genesis() const { return genesis_hash(parameters); }
};

struct Extracted {
  Bytes bytes;
  ExtractCounts counts;
  std::vector<std::string> missing;
  std::vector<std::string> notes;
};

Extracted extract(BlocksForTests& test, const std::vector<NetBlock>& blocks,
                  const ExtractSelection& selection = {}) {
  MemoryFs fs;
  auto spill = fs.open("spill", OpenMode::create_new);
  REQUIRE(spill);
  FrameExtractor extractor(test.parameters, **spill, test.workers,
                           genesis_time_for_tests_s + 1'000'000);
  for (const NetBlock& block : blocks) {
    const Status added = extractor.add_block(serialize(block));
    REQUIRE_MESSAGE(added, (added ? "" : added.error().message));
  }
  Extracted out;
  out.missing = extractor.finish();
  auto counts = extractor.write(
      selection,
      [&](const FrameHeader& header, ByteView body) -> Status {
        append(out.bytes, encode_frame(header, body));
        return {};
      },
      [&](const std::string& note) { out.notes.push_back(note); });
  REQUIRE(counts);
  out.counts = *counts;
  return out;
}

Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes all;
  for (const ByteView part : parts) append(all, part);
  return all;
}

std::vector<std::vector<TransactionPtr>> in_blocks_of(std::size_t size,
                                                      std::vector<TransactionPtr> all) {
  std::vector<std::vector<TransactionPtr>> blocks;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % size == 0) blocks.emplace_back();
    blocks.back().push_back(all[i]);
  }
  return blocks;
}

class TwoFiles {
 public:
  TemporaryFolder folder;
  UniqueFd write(const Bytes& bytes) {
    auto fd = open_file(folder / "in", O_RDWR | O_CREAT | O_TRUNC);
    REQUIRE(fd);
    REQUIRE(write_all(fd->get(), bytes));
    REQUIRE(::lseek(fd->get(), 0, SEEK_SET) == 0);
    return std::move(*fd);
  }
};

}  // namespace

TEST_CASE("extract: order comes from the chain of changes, whatever the order of the blocks") {
  BlocksForTests test;
  ChainOfPayments one(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  ChainOfPayments two(test.parameters, numbered_key(2), {{{2}, 3}, 1'000'000});
  std::vector<TransactionPtr> first{one.next(stream_frames(0, 3))};
  std::vector<TransactionPtr> both;
  for (std::uint64_t i = 1; i < 30; ++i) {
    both.push_back(one.next(stream_frames(3 * i, 3)));
    both.push_back(two.next({stream_frame(i, 40, FrameType::data, "lorry")}));
  }
  auto contents = in_blocks_of(20, both);
  contents.insert(contents.begin(), first);
  auto blocks = test.chain(test.genesis(), 1, contents);
  const Extracted all = extract(test, blocks);
  CHECK(all.bytes == joined({one.sent, two.sent}));
  CHECK(all.counts.frames == 3 * 30 + 29);
  CHECK(all.counts.payers == 2);
  CHECK(all.counts.transactions == 59);
  CHECK(all.missing.empty());
  CHECK(all.notes.empty());
  CHECK(extract(test, blocks, {numbered_key(2).public_key(), {}}).bytes == two.sent);
  CHECK(extract(test, blocks, {{}, source_id("engine")}).bytes == one.sent);
  CHECK(extract(test, blocks, {numbered_key(3).public_key(), {}}).bytes.empty());
  // Blocks that come twice, and children before their parents.
  std::ranges::reverse(blocks);
  blocks.push_back(blocks[1]);
  CHECK(extract(test, blocks).bytes == joined({one.sent, two.sent}));
}

TEST_CASE("extract: the branch of most work counts, and an abandoned one does not") {
  BlocksForTests test;
  ChainOfPayments payer(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  std::vector<TransactionPtr> payments;
  for (std::uint64_t i = 0; i < 8; ++i) payments.push_back(payer.next(stream_frames(i, 1)));
  const auto common = test.chain(test.genesis(), 1, {{payments[0], payments[1]}});
  const Hash256 fork = bitcoin::block_hash(common.back().header);
  ChainOfPayments stranger(test.parameters, numbered_key(5), {{{7}, 0}, 1'000'000});
  const auto lost = test.chain(fork, 2, {{payments[2], payments[3]}, {stranger.next({})}}, 1);
  const auto best = test.chain(
      fork, 2, {{payments[3], payments[4], payments[2]}, {payments[5]}, {payments[6], payments[7]}},
      2);
  std::vector<NetBlock> all = common;
  all.insert(all.end(), lost.begin(), lost.end());
  all.insert(all.end(), best.begin(), best.end());
  const Extracted out = extract(test, all);
  CHECK(out.bytes == payer.sent);
  CHECK(out.counts.height == 4);
  CHECK(out.counts.abandoned_blocks == 2);
  CHECK(out.counts.payers == 1);
  CHECK(out.missing.empty());
  // Without the best branch's last blocks the first that came wins.
  std::vector<NetBlock> cut(all.begin(), all.end() - 2);
  CHECK(extract(test, cut).counts.height == 3);
}

TEST_CASE("extract: a missing block is named, and what stands on it is not written") {
  BlocksForTests test;
  ChainOfPayments payer(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  std::vector<TransactionPtr> payments;
  for (std::uint64_t i = 0; i < 6; ++i) payments.push_back(payer.next(stream_frames(i, 1)));
  auto blocks = test.chain(test.genesis(), 1, in_blocks_of(1, payments));
  const std::string hash = to_hex_reversed(bitcoin::block_hash(blocks[2].header));
  blocks.erase(blocks.begin() + 2);
  const Extracted out = extract(test, blocks);
  REQUIRE(out.missing.size() == 1);
  CHECK(out.missing[0] == "block " + hash + ", which 3 blocks stand on, is missing");
  CHECK(out.bytes == bytes_of(stream_frames(0, 2)));
}

TEST_CASE("extract: a chain that begins anew comes after the one before it") {
  BlocksForTests test;
  for (std::uint8_t salt = 0; salt < 8; ++salt) {
    ChainOfPayments before(test.parameters, numbered_key(1), {{{1, salt}, 0}, 1'000'000});
    ChainOfPayments after(test.parameters, numbered_key(1), {{{2, salt}, 0}, 1'000'000});
    std::vector<TransactionPtr> both;
    for (std::uint64_t i = 0; i < 3; ++i) both.push_back(after.next(stream_frames(3 + i, 1), 8));
    for (std::uint64_t i = 0; i < 3; ++i) both.push_back(before.next(stream_frames(i, 1), 7));
    CHECK(extract(test, test.chain(test.genesis(), 1, {both})).bytes ==
          bytes_of(stream_frames(0, 6)));
  }
}

TEST_CASE("extract: frames sent twice are written once; what is no frame is noted") {
  BlocksForTests test;
  ChainOfPayments payer(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  const auto first = payer.next(stream_frames(0, 3));
  const auto again = payer.next(stream_frames(1, 4));
  bitcoin::Transaction odd = spend({{{9}, 0}}, {5}, as_bytes("no frame"))->tx;
  const Extracted out = extract(
      test, test.chain(test.genesis(), 1, {{first, again, share_transaction(std::move(odd))}}));
  CHECK(out.bytes == bytes_of(stream_frames(0, 5)));
  CHECK(out.counts.duplicates == 2);
  REQUIRE(out.notes.size() == 1);
  CHECK(out.notes[0].find("shorter than the header of a frame") != std::string::npos);
}

TEST_CASE("extract: blocks that are damaged or cheap are refused, one by one") {
  BlocksForTests test;
  MemoryFs fs;
  auto spill = fs.open("spill", OpenMode::create_new);
  FrameExtractor extractor(test.parameters, **spill, test.workers,
                           genesis_time_for_tests_s + 1'000'000);
  ChainOfPayments payer(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  const auto blocks = test.chain(test.genesis(), 1, {{payer.next(stream_frames(0, 1))}});
  const Bytes good = serialize(blocks[0]);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 1;
    const Status status = extractor.add_block(bad);
    // Another nonce or version may have done its work by chance; never another body.
    if (i >= bitcoin::block_header_size) REQUIRE_FALSE(status);
    if (!status) CHECK(status.error().code == ExitCode::malformed);
  }
  CHECK_FALSE(extractor.add_block(ByteView(good).first(79)));
  CHECK(extractor.add_block(good));
  CHECK(extractor.add_block(serialize(NetBlock{genesis_block(test.parameters).header, {}})));
}

TEST_CASE("extract: a stream of BLOCK frames gives back the stream that went in") {
  BlocksForTests test;
  ChainOfPayments payer(test.parameters, numbered_key(1), {{{1}, 0}, 1'000'000});
  std::vector<TransactionPtr> payments;
  for (std::uint64_t i = 0; i < 6; ++i) payments.push_back(payer.next(stream_frames(2 * i, 2)));
  const auto blocks = test.chain(test.genesis(), 1, in_blocks_of(2, payments));
  const auto stream = [&](bool with_rules, std::size_t leave_out, bool damage, bool end) {
    Bytes bytes(stream_preamble.begin(), stream_preamble.end());
    std::uint64_t frames = 0;
    const auto put = [&](const FrameHeader& header, ByteView body) {
      append(bytes, encode_frame(header, body));
      ++frames;
    };
    const NetworkFrame rules = network_frame(test.parameters);
    if (with_rules) put(rules.header, rules.body);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (i == leave_out) continue;
      REQUIRE(block_frames(test.parameters, static_cast<std::uint32_t>(i + 1), blocks[i].header,
                           serialize(blocks[i]),
                           [&](const FrameHeader& header, std::span<const ByteView> pieces) {
                             Bytes body;
                             for (const ByteView piece : pieces) append(body, piece);
                             put(header, body);
                             return Status{};
                           }));
    }
    const std::uint64_t size = bytes.size() - stream_preamble.size();
    if (damage) bytes[bytes.size() - 100] ^= 1;
    if (end) append(bytes, encode_end_frame(frames, size));
    return bytes;
  };
  TwoFiles files;
  std::vector<std::string> errors;
  const auto run = [&](const Bytes& bytes, const std::optional<ChainParameters>& rules,
                       Bytes& into) {
    errors.clear();
    UniqueFd input = files.write(bytes);
    auto output = open_file(files.folder / "out", O_RDWR | O_CREAT | O_TRUNC);
    REQUIRE(output);
    ExtractOptions options;
    options.parameters = rules;
    options.output_fd = output->get();
    options.temporary_folder = files.folder.path();
    options.now_s = genesis_time_for_tests_s + 1'000'000;
    ExtractMessages messages;
    messages.error = [&](const Error& error) { errors.push_back(error.message); };
    messages.note = [](const std::string& text) { FAIL_CHECK(text); };
    messages.detail = [](const std::string&) {};
    auto done = extract_stream(real_fs(), input.get(), options, messages);
    auto written = read_file(files.folder / "out", 1 << 20);
    REQUIRE(written);
    into = std::move(*written);
    // The temporary file is gone.
    CHECK(std::distance(std::filesystem::directory_iterator(files.folder.path()),
                        std::filesystem::directory_iterator()) == 2);
    return done;
  };
  constexpr std::size_t none = 99;
  Bytes original(stream_preamble.begin(), stream_preamble.end());
  append(original, payer.sent);
  Bytes open_ended = original;
  append(original, encode_end_frame(12, payer.sent.size()));
  Bytes out;
  auto done = run(stream(true, none, false, true), {}, out);
  REQUIRE(done);
  CHECK(*done == ExitCode::success);
  CHECK(out == original);
  CHECK(errors.empty());
  done = run(stream(false, none, false, true), test.parameters, out);
  REQUIRE(done);
  CHECK(out == original);
  done = run(stream(false, none, false, true), {}, out);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ExitCode::usage);
  done = run(stream(true, none, false, true), funded_parameters(1), out);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ExitCode::usage);
  // What is damaged or missing leaves no END.
  done = run(stream(true, none, false, false), {}, out);
  REQUIRE(done);
  CHECK(*done == ExitCode::malformed);
  CHECK(out == open_ended);
  done = run(stream(true, none, true, true), {}, out);
  REQUIRE(done);
  CHECK(*done == ExitCode::malformed);
  CHECK(out.size() < open_ended.size());
  CHECK(std::equal(out.begin(), out.end(), open_ended.begin()));
  CHECK_FALSE(errors.empty());
  done = run(stream(true, 1, false, true), {}, out);
  REQUIRE(done);
  CHECK(*done == ExitCode::loss);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].find("is missing") != std::string::npos);
}
