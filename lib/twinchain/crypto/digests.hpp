// Digests that only foreign formats ask for (OpenTimestamps). Floor 1.
//
// SHA-1 and RIPEMD-160 are no longer safe against collisions: nothing of this project rests on
// them. All functions are thread-safe.
#pragma once

#include <memory>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

using Hash160 = std::array<std::uint8_t, 20>;

Hash160 sha1(ByteView bytes);
Hash160 ripemd160(ByteView bytes);
/// Keccak as submitted to the SHA-3 contest, with its padding 0x01 (Ethereum's), which is not
/// SHA3-256 of FIPS 202; OpenSSL has it from 3.2 on only.
Hash256 keccak256(ByteView bytes);

/// One of these, or SHA-256, of bytes that come in pieces. Belongs to one thread at a time.
class PiecewiseDigest {
 public:
  enum class Kind { sha1, ripemd160, sha256, keccak256 };
  explicit PiecewiseDigest(Kind kind);
  ~PiecewiseDigest();
  PiecewiseDigest(PiecewiseDigest&&) noexcept;
  PiecewiseDigest& operator=(PiecewiseDigest&&) noexcept;
  void update(ByteView bytes);
  /// Of all that was put in; the last call.
  Bytes finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain
