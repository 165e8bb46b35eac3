// Any text as a policy: it is refused with one line, or its values are within their limits.

#include <cstdlib>

#include "twinchain/chain/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const auto policy = chain::parse_policy(ByteView(data, size));
  if (!policy) {
    if (policy.error().code != ExitCode::usage) std::abort();
    if (policy.error().message.find_first_of("\n\r\x1b") != std::string::npos) std::abort();
    return 0;
  }
  if (policy->min_depth == 0U) std::abort();
  if (policy->largest_gap_ns && *policy->largest_gap_ns < 0) std::abort();
  if (policy->least_rows && !(*policy->least_rows >= 0 && *policy->least_rows <= 1)) std::abort();
  return 0;
}
