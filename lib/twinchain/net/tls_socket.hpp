// A TLS channel over a socket that does not block. Floor 6.
#pragma once

#include "twinchain/crypto/tls_channel.hpp"

namespace twinchain::net {

/// Does not own the descriptor. Belongs to one thread at a time. Errors are ExitCode::peer.
class TlsSocket {
 public:
  TlsSocket(int fd, std::unique_ptr<TlsChannel> channel);

  /// Goes on until it is done or the network has nothing more: then wait for the socket to be
  /// readable, and writable if wants_write().
  Status handshake();
  [[nodiscard]] bool established() const { return channel_->established(); }
  /// 0: wait for the socket to be readable, or ended().
  Result<std::size_t> read(std::span<std::uint8_t> into);
  [[nodiscard]] bool ended() const { return channel_->ended(); }
  /// Encrypts and sends what the network takes; gives how many bytes were taken over. Fewer than
  /// all: wait for the socket to be writable.
  Result<std::size_t> write(ByteView bytes);
  /// Sends what is encrypted.
  Status flush();
  [[nodiscard]] bool wants_write() const { return !channel_->outgoing().empty(); }
  /// Says farewell, as far as the network takes it.
  void close();

  /// Gives memory back that an idle link does not need.
  void release_idle() { channel_->release_idle(); }

  [[nodiscard]] TlsChannel& channel() { return *channel_; }
  /// Encrypted bytes that the network took and gave.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  [[nodiscard]] std::uint64_t received_bytes() const { return received_bytes_; }

 private:
  Result<bool> fill();

  int fd_;
  std::unique_ptr<TlsChannel> channel_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
};

}  // namespace twinchain::net
