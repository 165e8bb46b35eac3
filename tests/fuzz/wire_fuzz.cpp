// Any bytes as a message of the network, the first two being its type: refused with one line that
// names it, or a message of which there is no other encoding.

#include <algorithm>

#include "require.hpp"
#include "twinchain/net/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  if (size < 2) return 0;
  constexpr std::uint32_t magic = 0xd1a9f00d;
  const auto type = load_le<std::uint16_t>(data);
  // An exact copy on the heap, so that a sanitizer sees a read past the end.
  const Bytes body(data + 2, data + size);
  const auto message = net::parse_message(type, body);
  if (!message) {
    const Error& error = message.error();
    require(error.code == ExitCode::malformed);
    require(error.message.starts_with(net::message_name(type) + ": byte "));
    require(error.message.find_first_of("\n\r\x1b") == std::string::npos);
    return 0;
  }
  require(net::message_type(*message) == type);
  const Bytes again = net::encode_message(magic, *message);
  const auto header = net::parse_wire_header(magic, ByteView(again).first(net::wire_header_size));
  require(header && header->type == type && header->body_size == body.size());
  require(std::equal(body.begin(), body.end(), again.begin() + net::wire_header_size, again.end()));
  return 0;
}
