// hashchain sign: reads a twin stream, writes it with counter-signatures of its links. Floor 4.
#pragma once

#include <cstdint>
#include <functional>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/cosignature.hpp"

namespace twinchain::chain {

struct CosignStreamOptions {
  enum class Which {
    newest,  ///< the newest link of each record, at the end of the input
    every,   ///< each link, at once
    number,  ///< link `number` of each source
    hash     ///< the link with this hash
  };
  Which which = Which::newest;
  std::uint64_t number = 0;
  Hash256 hash{};
  int input_fd = 0;
  int output_fd = 1;
  /// Readable: stop before the next frame; see cli::filter_stop_fd(). -1: none.
  int stop_fd = -1;
  /// Told of the bytes read so far, now and then.
  std::function<void(std::uint64_t)> progress;
};

struct CosignCounts {
  std::uint64_t added = 0;
  std::uint64_t had_already = 0;  ///< newest links that this key had counter-signed before
};

/// Passes everything on, unchanged, and adds COSIGNATURE frames.
///
/// Checked before signing: each link's signature and that it follows the one before (LinkFollower),
/// and that a DATA frame before its link is what the link seals. That the record is what it should
/// be otherwise, and whose it is, is for verify(1) to say beforehand.
///
/// END is written only when all went well. Errors: damaged or truncated input, a malformed DATA,
/// LINK or COSIGNATURE frame, an unknown critical frame: ExitCode::malformed, with the offset; what
/// must not be signed, or a link that was asked for and is not here: ExitCode::refuted; the
/// recorder's own key: ExitCode::usage; stopped: ExitCode::loss. Memory: one frame.
Result<CosignCounts> cosign_stream(const SecretKey& key, const CosignStreamOptions& options);

}  // namespace twinchain::chain
