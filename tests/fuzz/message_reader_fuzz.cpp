// Any bytes as what comes over a link, in pieces as the first byte says: whatever the pieces, the
// same messages up to the same error, and never more memory than has come.

#include <algorithm>
#include <vector>

#include "require.hpp"
#include "twinchain/net/message_reader.hpp"

namespace {

using namespace twinchain;

struct Read {
  std::vector<std::pair<std::uint16_t, Bytes>> messages;
  std::string error;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(ByteView bytes, std::size_t piece_bytes) {
  constexpr std::uint32_t magic = 0xd1a9f00d;
  // Twice what has come of a body, and as much as is taken at first.
  constexpr std::size_t first_bytes = std::size_t{64} << 10;
  net::MessageReader reader(magic);
  Read read;
  while (!bytes.empty()) {
    const std::size_t growth_bytes = reader.growth_bytes();
    const std::size_t before_bytes = reader.memory_bytes();
    const auto space = reader.space();
    require(!space.empty());
    require(reader.memory_bytes() <= before_bytes + growth_bytes);
    require(reader.memory_bytes() <= std::max(first_bytes, 2 * reader.body().size()) ||
            reader.memory_bytes() == before_bytes);
    const std::size_t count = std::min({space.size(), piece_bytes, bytes.size()});
    std::copy_n(bytes.begin(), count, space.begin());
    bytes = bytes.subspan(count);
    if (const Status status = reader.advance(count); !status) {
      require(status.error().code == ExitCode::malformed);
      require(status.error().message.starts_with("message: "));
      require(!reader.met_other_network() || read.messages.empty());
      read.error = status.error().message;
      return read;
    }
    require(reader.in_message());
    if (!reader.complete()) continue;
    const ByteView body = reader.body();
    require(body.size() <=
            (read.messages.empty() ? net::max_hello_body_bytes : net::max_wire_body_bytes));
    read.messages.emplace_back(reader.type(), Bytes(body.begin(), body.end()));
    reader.next();
    if (read.messages.size() % 3 == 0) reader.release_idle();
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const Read whole = read_in_pieces(bytes, bytes.size() + 1);
  require(read_in_pieces(bytes, std::size_t{data[0]} + 1) == whole);
  return 0;
}
