// How thorough a test is under the sanitizers, where everything takes ten times as long.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TWINCHAIN_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TWINCHAIN_SANITIZED 1
#endif
#endif

namespace twinchain::testing {

#ifdef TWINCHAIN_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// The step of a loop over all places of something: 1, every place, in an ordinary build, whose run
/// is the proof; `step` under a sanitizer, which looks for another kind of fault and finds it at
/// the neighbouring place as well. Take a number that is prime to the sizes of what is looped over.
constexpr std::size_t step_if_sanitized(std::size_t step) {
  return sanitized ? step : 1;
}

}  // namespace twinchain::testing
