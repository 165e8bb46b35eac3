#include "twinchain/stream/range_crc.hpp"

#include "twinchain/base/crc32c.hpp"

namespace twinchain {

std::uint32_t RangeCrc::operator()(ByteView range, std::uint64_t begin) {
  if (range.size() < 2 * spacing_bytes) return crc32c(range);
  while (!prefixes_.empty() && first_ < begin) {
    prefixes_.pop_front();
    first_ += spacing_bytes;
  }
  // Too far behind or ahead: what lies between is not at hand.
  if (prefixes_.empty() || first_ - begin >= spacing_bytes) {
    first_ = begin;
    prefixes_.assign(1, 0);
  }
  const auto bytes = [&](std::uint64_t from, std::uint64_t size) {
    return range.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(size));
  };
  // Up to the first prefix, from there to the last one that the range holds, and the rest.
  const std::uint64_t end = begin + range.size();
  const auto count = static_cast<std::size_t>((end - first_) / spacing_bytes);
  while (prefixes_.size() <= count) {
    const std::uint64_t last = first_ + (prefixes_.size() - 1) * spacing_bytes;
    prefixes_.push_back(crc32c(bytes(last, spacing_bytes), prefixes_.back()));
  }
  const std::uint64_t middle_bytes = count * spacing_bytes;
  const std::uint32_t start = crc32c(bytes(begin, first_ - begin)) ^ prefixes_.front();
  const std::uint32_t so_far = crc32c_shift(start, middle_bytes) ^ prefixes_[count];
  const std::uint64_t last = first_ + middle_bytes;
  return crc32c(bytes(last, end - last), so_far);
}

}  // namespace twinchain
