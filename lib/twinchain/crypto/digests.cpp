#include "twinchain/crypto/digests.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace twinchain {
namespace {

/// A context of its own for each thread and algorithm: one-shot calls look the algorithm up each
/// time, under a lock, which costs more than hashing a key.
class DigestContext {
 public:
  explicit DigestContext(const EVP_MD* algorithm) : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || EVP_DigestInit_ex2(context_, algorithm, nullptr) != 1) {
      std::abort();  // an OpenSSL without it; a digest that was not computed must not be used
    }
  }
  DigestContext(const DigestContext&) = delete;
  DigestContext& operator=(const DigestContext&) = delete;
  ~DigestContext() { EVP_MD_CTX_free(context_); }

  template <std::size_t Size>
  std::array<std::uint8_t, Size> digest(ByteView bytes) {
    std::array<std::uint8_t, Size> out{};
    unsigned size = 0;
    if (EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1 ||
        EVP_DigestFinal_ex(context_, out.data(), &size) != 1 || size != Size ||
        EVP_DigestInit_ex2(context_, nullptr, nullptr) != 1) {
      std::abort();
    }
    return out;
  }

 private:
  EVP_MD_CTX* context_;
};

using KeccakState = std::array<std::uint64_t, 25>;

/// Keccak-f[1600], FIPS 202 section 3.3.
void permute(KeccakState& a) {
  static constexpr std::array<std::uint64_t, 24> round_constants{
      0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
      0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
      0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
      0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
      0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
      0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
  for (const std::uint64_t constant : round_constants) {
    // theta
    std::array<std::uint64_t, 5> parity{};
    for (std::size_t x = 0; x < 5; ++x) {
      parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    }
    for (std::size_t i = 0; i < 25; ++i) {
      a[i] ^= parity[(i + 4) % 5] ^ std::rotl(parity[(i + 1) % 5], 1);
    }
    // rho and pi: the lane at (x, y) goes to (y, 2x + 3y), turned by the triangular numbers.
    std::uint64_t moving = a[1];
    std::size_t x = 1;
    std::size_t y = 0;
    for (int t = 0; t < 24; ++t) {
      const std::size_t next_y = (2 * x + 3 * y) % 5;
      x = y;
      y = next_y;
      const std::uint64_t turned = std::rotl(moving, (t + 1) * (t + 2) / 2 % 64);
      moving = a[x + 5 * y];
      a[x + 5 * y] = turned;
    }
    // chi
    for (std::size_t row = 0; row < 25; row += 5) {
      const std::array<std::uint64_t, 5> b{a[row], a[row + 1], a[row + 2], a[row + 3], a[row + 4]};
      for (std::size_t i = 0; i < 5; ++i) a[row + i] = b[i] ^ (~b[(i + 1) % 5] & b[(i + 2) % 5]);
    }
    a[0] ^= constant;  // iota
  }
}

class Keccak256 {
 public:
  void update(ByteView bytes) {
    while (!bytes.empty()) {
      const std::size_t taken = std::min(rate - filled_, bytes.size());
      std::copy_n(bytes.begin(), taken, block_.begin() + static_cast<std::ptrdiff_t>(filled_));
      filled_ += taken;
      bytes = bytes.subspan(taken);
      if (filled_ == rate) absorb();
    }
  }
  Hash256 finish() {
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(filled_), block_.end(), std::uint8_t{0});
    block_[filled_] ^= 0x01;
    block_[rate - 1] ^= 0x80;
    absorb();
    Hash256 hash{};
    for (std::size_t i = 0; i < 4; ++i) store_le(&hash[8 * i], state_[i]);
    return hash;
  }

 private:
  static constexpr std::size_t rate = 136;

  void absorb() {
    for (std::size_t i = 0; i < rate / 8; ++i) state_[i] ^= load_le<std::uint64_t>(&block_[8 * i]);
    permute(state_);
    filled_ = 0;
  }

  KeccakState state_{};
  std::array<std::uint8_t, rate> block_{};
  std::size_t filled_ = 0;
};

}  // namespace

Hash160 sha1(ByteView bytes) {
  thread_local DigestContext context(EVP_sha1());
  return context.digest<20>(bytes);
}

Hash160 ripemd160(ByteView bytes) {
  thread_local DigestContext context(EVP_ripemd160());
  return context.digest<20>(bytes);
}

Hash256 keccak256(ByteView bytes) {
  Keccak256 keccak;
  keccak.update(bytes);
  return keccak.finish();
}

struct PiecewiseDigest::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{nullptr, EVP_MD_CTX_free};
  Keccak256 keccak;
};

PiecewiseDigest::PiecewiseDigest(Kind kind) : state_(std::make_unique<State>()) {
  if (kind == Kind::keccak256) return;
  state_->context.reset(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == Kind::sha1        ? EVP_sha1()
                            : kind == Kind::ripemd160 ? EVP_ripemd160()
                                                      : EVP_sha256();
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), algorithm, nullptr) != 1) {
    std::abort();  // as above
  }
}

PiecewiseDigest::~PiecewiseDigest() = default;
PiecewiseDigest::PiecewiseDigest(PiecewiseDigest&&) noexcept = default;
PiecewiseDigest& PiecewiseDigest::operator=(PiecewiseDigest&&) noexcept = default;

void PiecewiseDigest::update(ByteView bytes) {
  if (!state_->context) {
    state_->keccak.update(bytes);
  } else if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) {
    std::abort();
  }
}

Bytes PiecewiseDigest::finish() {
  if (!state_->context) {
    const Hash256 hash = state_->keccak.finish();
    return Bytes(hash.begin(), hash.end());
  }
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), &size) != 1) std::abort();
  out.resize(size);
  return out;
}

}  // namespace twinchain
