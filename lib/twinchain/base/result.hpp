// Errors as values. Floor 0.
//
// No exception crosses a boundary of lib/: a function that can fail returns Result<T>. The code
// says what kind of failure it is and so which exit code a tool ends with (twinchain(7)).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace twinchain {

/// Exit codes of every tool; the kinds of Error are the same.
enum class ExitCode : int {
  success = 0,    ///< done; for verify: everything asked for is proven
  refuted = 1,    ///< checked, and the answer is no: tampered, forged, missing
  usage = 2,      ///< usage or configuration
  loss = 3,       ///< done, with loss: recovered, gaps, truncated tail
  malformed = 4,  ///< input malformed or truncated
  system = 5,     ///< operating system or I/O error
  peer = 6,       ///< a peer is away or too slow; trying again may help
  unproven = 7,   ///< nothing wrong found, but not yet proven
  bug = 70,       ///< a bug in the tool
};

struct Error {
  ExitCode code = ExitCode::bug;
  /// One line, lower case, no full stop, untrusted bytes already escaped.
  std::string message;
  /// What the user can do about it; empty when there is nothing to say.
  std::string hint = {};
};

template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(ExitCode code, std::string message, std::string hint = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(hint)});
}
/// Passes the error of one Result on as the error of another.
template <class T>
std::unexpected<Error> pass(Result<T>& failed) {
  return std::unexpected(std::move(failed.error()));
}
template <class T>
std::unexpected<Error> pass(Result<T>&& failed) {
  return std::unexpected(std::move(failed.error()));
}

}  // namespace twinchain

/// Evaluates an expression of type Status or Result<T>; returns its error from the function.
#define TWINCHAIN_TRY(expression)                                          \
  do {                                                                     \
    if (auto twinchain_try_result = (expression); !twinchain_try_result) { \
      return std::unexpected(std::move(twinchain_try_result.error()));     \
    }                                                                      \
  } while (false)
