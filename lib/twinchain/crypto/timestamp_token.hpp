// Time-stamp tokens of RFC 3161, by OpenSSL. Floor 1.
//
// A token is what a time-stamp authority (TSA) signs: a digest and the time at which it saw it.
// Only SHA-256 imprints are asked for and taken. A token is checked at the time that it states
// (genTime), not now: it stays good after the authority's certificate has expired. What that rests
// on is that the authority's key was not stolen or its clock wrong; no list of revoked certificates
// is asked. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain {

/// Tokens of public authorities have 2 to 7 kB, most of it certificates.
inline constexpr std::size_t max_timestamp_token_bytes = 65'536;
/// A response is a token and a status.
inline constexpr std::size_t max_timestamp_response_bytes = max_timestamp_token_bytes + 4096;

/// The number that a request carries and its answer repeats: an old answer cannot pass for a new
/// one.
using TimestampNonce = std::array<std::uint8_t, 8>;

/// DER of a TimeStampReq for a SHA-256 digest, which asks for the certificate, too.
Bytes timestamp_request(const Hash256& digest, const TimestampNonce& nonce);

struct TimestampFacts {
  Hash256 digest{};  ///< what was stamped
  /// genTime, down to the second, Unix time.
  std::int64_t time_s = 0;
  /// genTime and the accuracy that the authority claims (none: 0), up to the next second.
  std::int64_t not_after_s = 0;
  /// Subject of the certificate that signed, in the form of RFC 2253, escaped, at most 256 bytes.
  std::string authority;
  Hash256 certificate_sha256{};  ///< of the certificate that signed, in DER
};

/// The token in an answer to a request, in the form in which it is kept: DER, without what nobody
/// signed and a check does not need (self-signed certificates, lists of revoked ones, unsigned
/// attributes). It is checked as check_timestamp_token() does, and that it is about this digest and
/// nonce. Errors: ExitCode::malformed (no answer of an authority), ExitCode::peer (the authority
/// says no; its words are in the message), ExitCode::refuted (the token is not sound, or not what
/// was asked for). Messages begin with "time-stamp:".
Result<Bytes> take_timestamp_response(ByteView response, const Hash256& digest,
                                      const TimestampNonce& nonce);

/// Checks all that needs no trust: DER in the form above, SHA-256 imprint, the signature over the
/// content (SHA-256, SHA-384 or SHA-512) by a certificate in it that its signed attributes name
/// (RFC 5816) and that is for time-stamping only. Who that is remains open. Errors:
/// ExitCode::malformed for the structure, ExitCode::refuted for the rest. The certificates of
/// others in it are not covered: changing them changes nothing that is said here.
Result<TimestampFacts> check_timestamp_token(ByteView token);

/// Certificates that a verifier believes: a root, or any other, then what it has issued is believed
/// at the token's time.
class TimestampTrust {
 public:
  /// PEM, one certificate or several. ExitCode::usage when there is none in it, or one cannot be
  /// read.
  static Result<TimestampTrust> from_pem(ByteView pem);
  ~TimestampTrust();
  TimestampTrust(TimestampTrust&&) noexcept;
  TimestampTrust& operator=(TimestampTrust&&) noexcept;

  /// Also the chain of certificates, at the token's time. ExitCode::unproven when it does not lead
  /// to a believed certificate; other errors as check_timestamp_token().
  [[nodiscard]] Result<TimestampFacts> check(ByteView token) const;

 private:
  struct State;
  explicit TimestampTrust(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace twinchain
