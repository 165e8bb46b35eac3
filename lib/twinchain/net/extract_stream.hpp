// Gets a twin stream back from BLOCK frames or from a node, as twin-tx extract does. Floor 6.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "twinchain/net/frame_extractor.hpp"
#include "twinchain/net/send_frames.hpp"

namespace twinchain::net {

struct ExtractOptions {
  /// The rules; none: those of the NETWORK frame that the stream begins with.
  std::optional<ChainParameters> parameters;
  std::optional<EcdsaPublicKey> payer;
  std::optional<Id128> source;
  int output_fd = -1;
  int stop_fd = -1;
  /// Of the file that keeps the transactions meanwhile; its name is removed at once.
  std::string temporary_folder = "/tmp";
  unsigned threads = 0;
  std::int64_t now_s = 0;
};

struct ExtractMessages {
  std::function<void(const Error&)> error;  ///< damage, missing blocks: it goes on
  std::function<void(const std::string&)> note;
  std::function<void(const std::string&)> detail;
  std::function<void(std::uint64_t done_bytes)> progress;  ///< may be empty
};

/// END is written when nothing was damaged or missing: then it is `success`. Otherwise `malformed`
/// for damage, `loss` when blocks are missing. Errors: usage (no rules, other rules), system.
Result<ExitCode> extract_stream(Fs& fs, int input_fd, const ExtractOptions& options,
                                const ExtractMessages& messages);

/// Requires options.parameters. Takes the node's headers and its blocks one by one. ExitCode::peer
/// when the node does not answer for timeout_ms.
Result<ExitCode> extract_from_node(Fs& fs, NodeLink& node, int timeout_ms,
                                   const ExtractOptions& options, const ExtractMessages& messages);

}  // namespace twinchain::net
