// Any bytes as a time-stamp token and as an authority's answer: checking ends, and what is sound by
// itself is not believed for that.

#include <cstdlib>

#include "require.hpp"
#include "twinchain/crypto/timestamp_token.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const ByteView input(data, size);
  const auto facts = check_timestamp_token(input);
  if (facts) require(facts->time_s <= facts->not_after_s);
  const Hash256 digest{};
  if (const auto token = take_timestamp_response(input, digest, {})) {
    require(check_timestamp_token(*token).has_value());
  }
  if (const auto trust = TimestampTrust::from_pem(input)) {
    (void)trust->check(input);
  }
  return 0;
}
