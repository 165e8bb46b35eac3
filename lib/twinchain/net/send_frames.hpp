// Reads a twin stream and hands its frames to nodes, as twin-tx does. Floor 6.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/net/frame_acknowledger.hpp"
#include "twinchain/net/frame_payer.hpp"

namespace twinchain::net {

/// A link to a node, as sending needs it. One thread at a time.
class NodeLink {
 public:
  virtual ~NodeLink() = default;
  /// ExitCode::peer when the node is away or too slow.
  virtual Status send(const Message& message) = 0;
  /// Nothing when the time is over.
  virtual Result<std::optional<Message>> receive(int timeout_ms) = 0;
};

struct SendFramesOptions {
  int input_fd = -1;
  /// Becomes readable when it is time to stop; -1: never.
  int stop_fd = -1;
  /// Return when every frame is deep in the chain, and not when the node has it.
  bool wait = false;
  /// After the input's end: so long without a node is an error (ExitCode::peer).
  std::int64_t patience_ns = 60'000'000'000;
  /// A node that says nothing for so long while it owes an answer is left for another one.
  std::int64_t answer_ns = 120'000'000'000;
  /// Is told what the payer has; may be null.
  FrameAcknowledger* acknowledger = nullptr;
};

struct SendFramesMessages {
  std::function<void(const std::string&)> warn;
  std::function<void(const Error&)> error;                 ///< damage of the input: reading goes on
  std::function<void(std::uint64_t done_bytes)> progress;  ///< may be empty
};

struct SendFramesResult {
  std::uint64_t damaged_places = 0;
  bool stopped = false;
  /// malformed when the input was damaged or cut short, loss when it was stopped, success.
  [[nodiscard]] ExitCode verdict() const;
};

/// Makes a link to one of the nodes; waits for none longer than some seconds.
using ConnectFunction = std::function<Result<std::unique_ptr<NodeLink>>()>;

/// Returns when the input has ended and what came is with a node (or deep in the chain). While no
/// node is there it waits and tries again, without reading more than the payer's window. `link`:
/// the first one, may be empty. Errors of FramePayer end it, those of links do not.
Result<SendFramesResult> send_frames(FramePayer& payer, Clock& clock,
                                     std::unique_ptr<NodeLink> link, const ConnectFunction& connect,
                                     const SendFramesOptions& options,
                                     const SendFramesMessages& messages);

}  // namespace twinchain::net
