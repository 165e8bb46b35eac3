#include "twinchain/bitcoin/pow.hpp"

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/scrypt.hpp"

namespace twinchain::bitcoin {

CompactTarget decode_compact(std::uint32_t bits) {
  const unsigned size_bytes = bits >> 24;
  std::uint32_t mantissa = bits & 0x007fffff;
  CompactTarget result;
  if (size_bytes <= 3) {
    mantissa >>= 8 * (3 - size_bytes);
    result.target = UInt256(mantissa);
  } else {
    result.target = UInt256(mantissa) << (8 * (size_bytes - 3));
  }
  result.negative = mantissa != 0 && (bits & 0x00800000) != 0;
  result.overflow = mantissa != 0 && (size_bytes > 34 || (mantissa > 0xff && size_bytes > 33) ||
                                      (mantissa > 0xffff && size_bytes > 32));
  return result;
}

std::uint32_t encode_compact(const UInt256& target) {
  unsigned size_bytes = (target.bit_length() + 7) / 8;
  std::uint64_t mantissa = size_bytes <= 3 ? target.low64() << (8 * (3 - size_bytes))
                                           : (target >> (8 * (size_bytes - 3))).low64();
  // The top bit of the mantissa is the sign: one byte more, where it would be set.
  if ((mantissa & 0x00800000) != 0) {
    mantissa >>= 8;
    ++size_bytes;
  }
  return static_cast<std::uint32_t>(mantissa) | (size_bytes << 24);
}

std::optional<UInt256> target_from_bits(std::uint32_t bits, const UInt256& limit) {
  const CompactTarget decoded = decode_compact(bits);
  if (decoded.negative || decoded.overflow || decoded.target.is_zero() || decoded.target > limit) {
    return std::nullopt;
  }
  return decoded.target;
}

UInt256 block_work(std::uint32_t bits) {
  const CompactTarget decoded = decode_compact(bits);
  if (decoded.negative || decoded.overflow || decoded.target.is_zero()) return {};
  // 2^256 does not fit, but 2^256 / (t + 1) = (2^256 - t - 1) / (t + 1) + 1 = ~t / (t + 1) + 1.
  return ~decoded.target / (decoded.target + UInt256(1)) + UInt256(1);
}

std::string work_text(const UInt256& work) {
  constexpr unsigned digits_end_bits = 20;
  if (work.bit_length() <= digits_end_bits) return decimal(work.low64());
  return "2^" + decimal(std::uint64_t{work.bit_length() - 1});
}

Hash256 proof_of_work_hash(ProofOfWork kind, const BlockHeaderBytes& header) {
  return kind == ProofOfWork::sha256d ? block_hash(header) : scrypt_1024_1_1(header);
}

bool meets_target(const Hash256& hash, std::uint32_t bits, const UInt256& limit) {
  const auto target = target_from_bits(bits, limit);
  return target && UInt256::from_hash(hash) <= *target;
}

bool check_proof_of_work(ProofOfWork kind, const BlockHeaderBytes& header, const UInt256& limit) {
  return meets_target(proof_of_work_hash(kind, header), load_le<std::uint32_t>(&header[72]), limit);
}

}  // namespace twinchain::bitcoin
