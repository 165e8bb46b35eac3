#include "twinchain/net/block_emitter.hpp"

namespace twinchain::net {

BlockEmitter::BlockEmitter(int fd, const ChainParameters& parameters,
                           std::uint64_t max_waiting_bytes)
    : parameters_(parameters),
      max_waiting_bytes_(max_waiting_bytes),
      writer_(fd),
      thread_([this] { run(); }) {}

BlockEmitter::~BlockEmitter() {
  if (thread_.joinable()) (void)finish(false);
}

Status BlockEmitter::put(std::uint32_t height, const bitcoin::BlockHeader& header, Bytes raw) {
  std::unique_lock lock(mutex_);
  // One block is taken however large it is.
  changed_.wait(lock, [&] {
    return !outcome_ || waiting_.empty() || waiting_bytes_ + raw.size() <= max_waiting_bytes_;
  });
  if (!outcome_) return outcome_;
  waiting_bytes_ += raw.size();
  waiting_.push_back({height, header, std::move(raw)});
  changed_.notify_all();
  return {};
}

Status BlockEmitter::finish(bool whole) {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (!outcome_ || !whole) return outcome_;
  return writer_.finish();
}

Status BlockEmitter::write(const Waiting& block) {
  return block_frames(parameters_, block.height, block.header, block.raw,
                      [this](const FrameHeader& header, std::span<const ByteView> pieces) {
                        return writer_.write(header, pieces);
                      });
}

void BlockEmitter::run() {
  const NetworkFrame network = network_frame(parameters_);
  Status written = writer_.write(network.header, network.body);
  std::unique_lock lock(mutex_);
  while (true) {
    if (!written) {
      outcome_ = std::move(written);
      changed_.notify_all();
      return;
    }
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Waiting block = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    written = write(block);
    lock.lock();
    waiting_bytes_ -= block.raw.size();
    changed_.notify_all();
  }
}

}  // namespace twinchain::net
