// Writes a node's blocks to a pipe, beside the node. Floor 6.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "twinchain/net/network_frames.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::net {

/// A NETWORK frame, then BLOCK frames in the order in which blocks became part of the chain. A
/// thread of its own writes, so that a slow reader does not hold up the node; when it is further
/// behind than `max_waiting_bytes`, put() waits for it. After an error (its reader has gone)
/// everything put is forgotten.
class BlockEmitter {
 public:
  BlockEmitter(int fd, const ChainParameters& parameters,
               std::uint64_t max_waiting_bytes = std::uint64_t{512} << 20);
  BlockEmitter(const BlockEmitter&) = delete;
  BlockEmitter& operator=(const BlockEmitter&) = delete;
  ~BlockEmitter();

  /// `raw`: the whole block. Error: that of the pipe.
  Status put(std::uint32_t height, const bitcoin::BlockHeader& header, Bytes raw);
  /// Writes what waits, and END when `whole`.
  Status finish(bool whole);

 private:
  struct Waiting {
    std::uint32_t height;
    bitcoin::BlockHeader header;
    Bytes raw;
  };
  void run();
  Status write(const Waiting& block);

  const ChainParameters parameters_;
  const std::uint64_t max_waiting_bytes_;
  StreamWriter writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  bool ending_ = false;
  Status outcome_;
  std::thread thread_;
};

}  // namespace twinchain::net
