#include "twinchain/net/peer_link.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

/// A TLS record's worth.
constexpr std::size_t gathered_bytes = std::size_t{16} << 10;

}  // namespace

void SendQueue::push(std::shared_ptr<const Bytes> message) {
  if (!message || message->empty()) return;
  bytes_ += message->size();
  queue_.push_back(std::move(message));
}

/// The rest of the front message, or several small ones together.
ByteView SendQueue::next_piece(Bytes& gathered) const {
  const ByteView front = ByteView(*queue_.front()).subspan(front_begin_);
  if (front.size() >= gathered_bytes || queue_.size() == 1) return front;
  gathered.clear();
  std::size_t begin = front_begin_;
  for (const auto& message : queue_) {
    const ByteView rest = ByteView(*message).subspan(begin);
    begin = 0;
    append(gathered, rest.first(std::min(rest.size(), gathered_bytes - gathered.size())));
    if (gathered.size() == gathered_bytes) break;
  }
  return gathered;
}

void SendQueue::drop_front(std::size_t size_bytes) {
  bytes_ -= size_bytes;
  while (size_bytes > 0) {
    const std::size_t rest = queue_.front()->size() - front_begin_;
    if (size_bytes < rest) {
      front_begin_ += size_bytes;
      return;
    }
    size_bytes -= rest;
    front_begin_ = 0;
    ++sent_messages_;
    queue_.pop_front();
  }
}

Status SendQueue::pump(TlsSocket& link) {
  TWINCHAIN_TRY(link.flush());
  Bytes gathered;
  gathered.reserve(queue_.size() > 1 ? gathered_bytes : 0);
  while (!queue_.empty() && !link.wants_write()) {
    auto taken = link.write(next_piece(gathered));
    if (!taken) return pass(taken);
    if (*taken == 0) break;
    drop_front(*taken);
  }
  return {};
}

}  // namespace twinchain::net
