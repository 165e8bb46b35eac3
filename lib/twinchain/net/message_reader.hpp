// Cuts the bytes of a link into messages. Floor 6.
//
// The memory for a body grows as its bytes come: who announces 34 MiB and sends nothing costs
// 64 KiB.
#pragma once

#include <array>
#include <span>

#include "twinchain/net/wire.hpp"

namespace twinchain::net {

/// Ask for space(), fill its beginning, say how much with advance(); when complete(), take what is
/// there and go on with next(). Belongs to one thread at a time.
class MessageReader {
 public:
  explicit MessageReader(std::uint32_t magic) : magic_(magic) {}

  /// Where the next bytes go; not empty unless complete(). Takes memory.
  std::span<std::uint8_t> space();
  /// By how much the next space() takes more memory.
  [[nodiscard]] std::size_t growth_bytes() const;
  /// Errors are those of parse_wire_header() and final: where the next message begins is unknown.
  /// The first message of a link may have max_hello_body_bytes only.
  Status advance(std::size_t size_bytes);

  [[nodiscard]] bool complete() const { return has_header_ && body_bytes_ == header_.body_size; }
  /// Some of a message has come, and perhaps all.
  [[nodiscard]] bool in_message() const { return header_bytes_ > 0; }
  /// Of a failed advance(): the first message was of another network, which is no misdeed.
  [[nodiscard]] bool met_other_network() const { return met_other_network_; }
  [[nodiscard]] std::uint16_t type() const { return header_.type; }
  [[nodiscard]] ByteView body() const { return ByteView(body_).first(body_bytes_); }
  /// The memory is kept for the next message, up to 8 MiB of it.
  void next();
  /// Between two messages: gives the memory back.
  void release_idle();

  [[nodiscard]] std::size_t memory_bytes() const { return body_.capacity(); }

 private:
  [[nodiscard]] std::size_t grown_bytes() const;

  std::uint32_t magic_;
  std::array<std::uint8_t, wire_header_size> header_text_{};
  std::size_t header_bytes_ = 0;
  bool has_header_ = false;
  bool first_ = true;
  bool met_other_network_ = false;
  WireHeader header_;
  Bytes body_;
  std::size_t body_bytes_ = 0;
};

}  // namespace twinchain::net
