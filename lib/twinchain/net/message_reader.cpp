#include "twinchain/net/message_reader.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

constexpr std::size_t first_body_bytes = std::size_t{64} << 10;
/// A larger buffer is not kept for the next message. Fresh memory costs as much as decrypting into
/// it, so that parts of blocks are to find some.
constexpr std::size_t kept_body_bytes = std::size_t{8} << 20;

}  // namespace

/// What body_ should have for the next bytes.
std::size_t MessageReader::grown_bytes() const {
  if (!has_header_ || body_bytes_ < body_.size()) return body_.size();
  return std::min<std::size_t>(header_.body_size, std::max(first_body_bytes, 2 * body_bytes_));
}

std::size_t MessageReader::growth_bytes() const {
  const std::size_t wanted = grown_bytes();
  return wanted > body_.capacity() ? wanted - body_.capacity() : 0;
}

std::span<std::uint8_t> MessageReader::space() {
  if (!has_header_) return std::span(header_text_).subspan(header_bytes_);
  const std::size_t wanted = grown_bytes();
  if (wanted > body_.capacity()) body_.reserve(wanted);
  if (wanted > body_.size()) body_.resize(wanted);
  const std::size_t end = std::min<std::size_t>(body_.size(), header_.body_size);
  return std::span(body_).subspan(body_bytes_, end - body_bytes_);
}

Status MessageReader::advance(std::size_t size_bytes) {
  if (has_header_) {
    body_bytes_ += size_bytes;
    return {};
  }
  header_bytes_ += size_bytes;
  if (header_bytes_ < wire_header_size) return {};
  auto header =
      parse_wire_header(magic_, header_text_, first_ ? max_hello_body_bytes : max_wire_body_bytes);
  if (!header) {
    met_other_network_ = first_ && wire_header_magic(header_text_) != magic_;
    return pass(header);
  }
  header_ = *header;
  has_header_ = true;
  first_ = false;
  return {};
}

void MessageReader::next() {
  has_header_ = false;
  header_bytes_ = 0;
  body_bytes_ = 0;
  if (body_.capacity() > kept_body_bytes) body_ = Bytes();
}

void MessageReader::release_idle() {
  if (!in_message()) body_ = Bytes();
}

}  // namespace twinchain::net
