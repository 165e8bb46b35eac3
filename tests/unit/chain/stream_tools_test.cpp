#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "twinchain/chain/stream_tools.hpp"
#include "twinchain/record/window_builder.hpp"
#include "twinchain/sys/fd.hpp"

using namespace twinchain;

namespace {

/// Three windows of source "s" with one channel, and one LINK-like frame of an unknown type.
Bytes small_stream() {
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  const auto put = [&](const FrameHeader& header, ByteView body) -> Status {
    const Bytes frame = encode_frame(header, body);
    append(stream, frame);
    ++frames;
    bytes += frame.size();
    return {};
  };
  record::Schema schema;
  schema.source_name = "s";
  schema.channels = {{"a", record::ValueType::f64, "", ""}};
  record::WindowBuilder builder(schema);
  for (std::uint64_t n = 0; n < 3; ++n) {
    builder.begin_row(static_cast<std::int64_t>(n) * 1000 + 5);
    builder.put_f64(0, 0.5 + static_cast<double>(n));
    builder.end_row();
    record::WindowEnd end;
    end.sequence = n;
    end.start_ns = static_cast<std::int64_t>(n) * 1000;
    end.end_ns = end.start_ns + 1000;
    REQUIRE(builder.close(end, put));
  }
  FrameHeader unknown;
  unknown.type = static_cast<FrameType>(0x4321);
  unknown.source = source_id("s");
  unknown.sequence = 1;
  REQUIRE(put(unknown, as_bytes("kept")));
  append(stream, encode_end_frame(frames, bytes));
  return stream;
}

struct Run {
  std::string text;
  Bytes stream;
  std::vector<std::string> complaints;
  Result<ExitCode> code = ExitCode::bug;
};

template <class Function>
Run run(ByteView input, const Function& function) {
  Run result;
  StreamReader in(
      [input](std::span<std::uint8_t> into) mutable -> Result<std::size_t> {
        const std::size_t count = std::min(into.size(), input.size());
        std::copy_n(input.begin(), count, into.begin());
        input = input.subspan(count);
        return count;
      },
      StreamReader::Options{});
  const chain::Complain complain = [&](const std::string& line) {
    result.complaints.push_back(line);
  };
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  StreamWriter out(write_end.get());
  const chain::TextSink text = [&](std::string_view piece) -> Status {
    result.text += piece;
    return {};
  };
  result.code = function(in, out, text, complain);
  write_end.reset();
  result.stream.resize(1 << 16);
  auto size = read_full(read_end.get(), result.stream);
  REQUIRE(size);
  result.stream.resize(*size);
  return result;
}

}  // namespace

TEST_CASE("cut keeps what belongs to the chosen frames, unknown types included") {
  record::Selection selection;
  REQUIRE(record::parse_sequence_range("1", selection));
  const Run cut = run(small_stream(), [&](auto& in, auto& out, auto&, auto& complain) {
    return chain::cut_stream(in, selection, {}, out, complain);
  });
  REQUIRE(cut.code);
  CHECK(*cut.code == ExitCode::success);
  const Run list = run(cut.stream, [&](auto& in, auto&, auto& text, auto& complain) {
    return chain::list_frames(in, false, text, complain);
  });
  CHECK(list.text.find("SCHEMA s 0") != std::string::npos);
  CHECK(list.text.find("DATA s 1") != std::string::npos);
  CHECK(list.text.find("DATA s 0") == std::string::npos);
  CHECK(list.text.find("type 0x4321 s 1") != std::string::npos);
  CHECK(list.complaints.empty());
}

TEST_CASE("times select whole frames by window or by event time") {
  record::Selection selection;
  selection.from_ns = 1005;
  selection.to_ns = 1006;
  const Run cat = run(small_stream(), [&](auto& in, auto&, auto& text, auto& complain) {
    chain::CatOptions options;
    options.selection = selection;
    options.text.time = record::TimeFormat::nanoseconds;
    return chain::cat_samples(in, options, nullptr, text, complain);
  });
  CHECK(cat.text == "time,a\n1005,1.5\n");
}

TEST_CASE("recover closes what a damaged stream still has") {
  Bytes stream = small_stream();
  stream.resize(stream.size() - 10);
  const Run saved = run(stream, [&](auto& in, auto& out, auto&, auto& complain) {
    return chain::recover_stream(in, out, complain);
  });
  REQUIRE(saved.code);
  CHECK(*saved.code == ExitCode::loss);
  CHECK(saved.complaints.size() == 1);
  const Run again = run(saved.stream, [&](auto& in, auto& out, auto&, auto& complain) {
    return chain::recover_stream(in, out, complain);
  });
  CHECK(*again.code == ExitCode::success);
  CHECK(again.stream == saved.stream);
}

TEST_CASE("a damaged input leaves no END behind a cut") {
  Bytes stream = small_stream();
  stream[200] ^= 1;
  const Run cut = run(stream, [&](auto& in, auto& out, auto&, auto& complain) {
    return chain::cut_stream(in, {}, {}, out, complain);
  });
  CHECK(*cut.code == ExitCode::malformed);
  const Run list = run(cut.stream, [&](auto& in, auto&, auto& text, auto& complain) {
    return chain::list_frames(in, false, text, complain);
  });
  CHECK(*list.code == ExitCode::malformed);
}

TEST_CASE("sequence ranges") {
  record::Selection selection;
  CHECK(record::parse_sequence_range("3..5", selection));
  CHECK(selection.first_sequence == 3);
  CHECK(selection.last_sequence == 5);
  for (const char* bad : {"", "..", "5..3", "a", "1..b", "-1"}) {
    record::Selection ignored;
    CHECK_FALSE(record::parse_sequence_range(bad, ignored));
  }
}
