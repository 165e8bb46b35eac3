// Where a recorder's bytes come from: one input, with one or several writers. Floor 3.
//
// Waiting and reading are two steps, so that bytes go straight into the buffer of the writer they
// belong to. No implementation blocks in read(). Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::record {

/// Takes one line for people, without the tool's name in front.
using Notice = std::function<void(std::string_view)>;

struct InputEvent {
  enum class Kind {
    timeout,    ///< nothing happened in the given time
    opened,     ///< a writer came: its number is new
    readable,   ///< read() will give bytes of this writer (or none, after all)
    restarted,  ///< the file was replaced or cut: what follows is another file's content
    closed,     ///< the writer ended; all its bytes were read
    broken,     ///< the connection was lost: its last row may be cut short
    ended,      ///< no writer is left and none will come
    stopped     ///< a signal asked for the end; what had arrived by then was read
  };
  Kind kind = Kind::timeout;
  std::uint32_t writer = 0;
};

class InputSource {
 public:
  virtual ~InputSource() = default;

  /// The next event, waiting at most timeout_ns (-1: until there is one). Every event but timeout
  /// is given once; readable is given again until all is read.
  virtual Result<InputEvent> wait(std::int64_t timeout_ns) = 0;
  /// Up to into.size() bytes of a writer that is readable. 0: nothing after all, wait() knows why.
  virtual Result<std::size_t> read(std::uint32_t writer, std::span<std::uint8_t> into) = 0;
  /// A good size for read().
  [[nodiscard]] virtual std::size_t read_size_bytes() const = 0;

  /// True when one writer's mistakes are not the others' business.
  [[nodiscard]] virtual bool independent_writers() const { return false; }

  /// Where the next byte will be read, in a form that resume() of a later process understands;
  /// empty for inputs that cannot be read again.
  [[nodiscard]] virtual Bytes position() const { return {}; }
  /// Goes on so many bytes before a position instead of at the beginning; before the first wait().
  /// False when that is not possible: then the input is read from its beginning.
  virtual Result<bool> resume(ByteView /*position*/, std::uint64_t /*bytes_before*/) {
    return false;
  }
};

/// One descriptor from beginning to end: standard input, a file, a pipe, a terminal. `stop_fd` as
/// for read_some(), -1 for none. A pipe is enlarged to 1 MiB, and at a stop what is in it is read.
std::unique_ptr<InputSource> make_fd_input(UniqueFd fd, int stop_fd);

/// A file that others append to, for ever: like `tail -F` from its first byte on. Survives that
/// the file is cut, or renamed and made anew; the old file is read to its end first. The file may
/// not be there yet. `notice` is told of such events.
Result<std::unique_ptr<InputSource>> make_follow_input(const std::string& path, int stop_fd,
                                                       Notice notice);

/// "tcp:127.0.0.1:4711", "tcp:[::1]:0" or "unix:/run/twin.sock". Up to max_writers at a time, the
/// others wait. Port 0 takes a free one; `notice` is told "listening on tcp:127.0.0.1:43215". A
/// socket file that nobody listens on is replaced; it is removed at the end.
Result<std::unique_ptr<InputSource>> make_listen_input(const std::string& address, int stop_fd,
                                                       Notice notice);
inline constexpr std::uint32_t max_writers = 64;

}  // namespace twinchain::record
