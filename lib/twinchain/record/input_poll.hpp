// What the inputs share: waiting with nanoseconds, and how much is waiting to be read. Floor 3.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "twinchain/base/result.hpp"

namespace twinchain::record {

/// A file or a pipe is read in pieces of this size.
inline constexpr std::size_t file_piece_bytes = std::size_t{1} << 20;

/// ppoll. Gives false when the time was up (or a signal came); -1 waits for ever.
Result<bool> poll_for(std::span<pollfd> waits, std::int64_t timeout_ns);

/// Bytes that a read of a pipe, socket or terminal would give now; 0 for all else.
std::size_t bytes_waiting(int fd);

}  // namespace twinchain::record
