// One link of a server, without its socket's event loop: messages in, messages out. Floor 6.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "twinchain/net/message_reader.hpp"
#include "twinchain/net/tls_socket.hpp"

namespace twinchain::net {

/// Messages that wait to be sent. Belongs to one thread at a time.
class SendQueue {
 public:
  void push(std::shared_ptr<const Bytes> message);
  /// Hands over to the link as much as it takes. Small messages go together in one record.
  Status pump(TlsSocket& link);
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  /// Without what the link has taken.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t sent_messages() const { return sent_messages_; }

 private:
  ByteView next_piece(Bytes& gathered) const;
  void drop_front(std::size_t size_bytes);

  std::deque<std::shared_ptr<const Bytes>> queue_;
  std::size_t front_begin_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t sent_messages_ = 0;
};

/// Finds the reader that is too slow: with much queued, it must take some of it in a time.
class SlowReaderWatch {
 public:
  SlowReaderWatch(std::uint64_t allowed_bytes, std::uint64_t progress_bytes, std::uint64_t time_ns)
      : allowed_bytes_(allowed_bytes), progress_bytes_(progress_bytes), time_ns_(time_ns) {}

  /// Whether it is; to be asked now and then. `sent_bytes` is a running total.
  bool too_slow(std::uint64_t now_ns, std::uint64_t queued_bytes, std::uint64_t sent_bytes) {
    if (queued_bytes <= allowed_bytes_) {
      watching_ = false;
      return false;
    }
    if (!watching_ || sent_bytes - sent_before_ >= progress_bytes_) {
      watching_ = true;
      since_ns_ = now_ns;
      sent_before_ = sent_bytes;
      return false;
    }
    return now_ns - since_ns_ >= time_ns_;
  }

 private:
  std::uint64_t allowed_bytes_;
  std::uint64_t progress_bytes_;
  std::uint64_t time_ns_;
  bool watching_ = false;
  std::uint64_t since_ns_ = 0;
  std::uint64_t sent_before_ = 0;
};

}  // namespace twinchain::net
