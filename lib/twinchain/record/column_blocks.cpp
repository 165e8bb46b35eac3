#include "twinchain/record/column_blocks.hpp"

#include <zstd.h>

#include <algorithm>
#include <cmath>

#include "twinchain/base/text.hpp"
#include "twinchain/record/column_kernels.hpp"
#include "twinchain/record/column_rice.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t planes_in_a_word = 8;
/// Below this nothing that zstd can do makes up for its frame.
constexpr std::size_t least_zstd_bytes = 16;
constexpr int zstd_level = 1;

/// About the mean of the differences, moved so that the factor divides what is left of those that
/// it divides at all. Any base is right.
std::uint64_t mean_base(std::span<const std::uint64_t> words, unsigned order,
                        std::uint64_t factor) {
  const std::size_t count = words.size() - order;
  const std::uint64_t first = difference_at(words, order, 0);
  double mean = 0;
  if (order == 1) {
    mean = static_cast<double>(static_cast<std::int64_t>(words.back() - words.front())) /
               static_cast<double>(count) -
           static_cast<double>(static_cast<std::int64_t>(first));
  } else {
    const std::size_t stride = std::max<std::size_t>(1, count / 64);
    std::size_t looked_at = 0;
    for (std::size_t i = 0; i < count; i += stride, ++looked_at) {
      mean +=
          static_cast<double>(static_cast<std::int64_t>(difference_at(words, order, i) - first));
    }
    mean /= static_cast<double>(looked_at);
  }
  const double centre = std::round(mean / static_cast<double>(factor));
  // Beyond this a base gains nothing, and the conversion would not be defined.
  if (!(std::fabs(centre) < 9e18)) return first;
  return first + factor * static_cast<std::uint64_t>(static_cast<std::int64_t>(centre));
}

/// For bits of f64 rotated left by one: the end of the range of the largest exponent that some of
/// them show, infinities and NaN left out. What is above wraps, and is coded in full.
std::uint64_t top_base(std::span<const std::uint64_t> words) {
  constexpr unsigned exponent_shift = 53;
  constexpr std::uint64_t no_number = 0x7ff;
  const std::size_t stride = std::max<std::size_t>(1, words.size() / 256);
  std::uint64_t exponent = 0;
  for (std::size_t i = 0; i < words.size(); i += stride) {
    const std::uint64_t here = words[i] >> exponent_shift;
    if (here != no_number) exponent = std::max(exponent, here);
  }
  return ((exponent + 1) << exponent_shift) - 1;
}

}  // namespace

ResidualRule residual_rule(const IntegerPlan& plan, std::span<const std::uint64_t> words) {
  ResidualRule rule{plan.order, 0, 1, plan.zigzag};
  if (plan.descending) {
    rule.base = top_base(words);
    rule.factor = minus_one;
  } else if (plan.zigzag) {
    rule.factor = plan.factor;
    rule.base = mean_base(words, plan.order, plan.factor);
  }
  return rule;
}

// --- Writing ------------------------------------------------------------------------------------

struct BlockWriter::Compressor {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor() { ZSTD_freeCCtx(context); }
};

BlockWriter::BlockWriter() : compressor_(std::make_unique<Compressor>()) {}
BlockWriter::~BlockWriter() = default;
BlockWriter::BlockWriter(BlockWriter&&) noexcept = default;

BlockKind BlockWriter::append_plane(Buffer& out, ByteView bytes, bool try_zstd) {
  if (bytes.empty()) return BlockKind::zero;
  if (bytes.front() == bytes.back() &&
      std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0) {
    if (bytes.front() == 0) return BlockKind::zero;
    out.append(bytes.first(1));
    return BlockKind::constant;
  }
  if (try_zstd && bytes.size() >= least_zstd_bytes) {
    const std::size_t at = out.size();
    // A frame that is not smaller than the bytes is no gain; so there need be no room for it.
    constexpr std::size_t longest_size = 4;
    const std::size_t room = bytes.size();
    out.resize_uninitialized(at + longest_size + room);
    const std::size_t size = ZSTD_compressCCtx(compressor_->context, out.data() + at + longest_size,
                                               room, bytes.data(), bytes.size(), zstd_level);
    if (ZSTD_isError(size) == 0 && size + varint_size(size) < bytes.size()) {
      out.resize_uninitialized(at);
      put_varint(out, size);
      std::memmove(out.data() + out.size(), out.data() + at + longest_size, size);
      out.resize_uninitialized(out.size() + size);
      return BlockKind::zstd;
    }
    out.resize_uninitialized(at);
  }
  out.append(bytes);
  return BlockKind::raw;
}

void BlockWriter::append_bytes(Buffer& out, ByteView bytes, bool try_zstd) {
  const std::size_t at = out.size();
  put_le(out, std::uint8_t{0});
  const BlockKind kind = append_plane(out, bytes, try_zstd);
  out.data()[at] = static_cast<std::uint8_t>(kind);
}

void BlockWriter::append_plain(Buffer& out, std::span<const std::uint64_t> words, bool try_zstd) {
  if constexpr (std::endian::native == std::endian::little) {
    append_bytes(out, {reinterpret_cast<const std::uint8_t*>(words.data()), 8 * words.size()},
                 try_zstd);
  } else {
    planes_.resize_uninitialized(8 * words.size());
    for (std::size_t i = 0; i < words.size(); ++i) store_le(planes_.data() + 8 * i, words[i]);
    append_bytes(out, planes_.view(), try_zstd);
  }
}

void BlockWriter::append_planes(Buffer& out, std::span<const std::uint64_t> words,
                                std::size_t planes, std::uint8_t zstd_planes) {
  planes_.resize_uninitialized(planes * words.size());
  split_planes(words, planes_.data(), planes);
  const std::size_t at = out.size();
  put_le(out, std::uint16_t{0});
  unsigned kinds = 0;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const BlockKind kind =
        append_plane(out, planes_.view().subspan(plane * words.size(), words.size()),
                     (zstd_planes >> plane & 1) != 0);
    kinds |= static_cast<unsigned>(kind) << (2 * plane);
  }
  store_le(out.data() + at, static_cast<std::uint16_t>(kinds));
}

void BlockWriter::append_integers(Buffer& out, std::span<const std::uint64_t> words,
                                  IntegerPlan plan) {
  plan.order = static_cast<std::uint8_t>(std::min<std::size_t>(plan.order, words.size() - 1));
  ResidualRule rule = residual_rule(plan, words);
  const std::size_t count = words.size() - rule.order;
  std::span<const std::uint64_t> residuals = words;
  std::uint64_t used = ~std::uint64_t{0};
  if (rule.order != 0 || rule.base != 0 || rule.factor != 1 || rule.zigzag) {
    if (residuals_.size() < count) residuals_.resize(count);
    if (!make_residuals(words, rule, residuals_.data(), used)) {
      plan.factor = 1;
      rule = residual_rule(plan, words);
      make_residuals(words, rule, residuals_.data(), used);
    }
    residuals = std::span(residuals_).first(count);
  }
  if (used == 0) plan.rice = false;  // planes of zeros are not stored at all
  put_le(out, static_cast<std::uint8_t>(rule.order | (rule.zigzag ? integers_zigzag : 0) |
                                        (plan.rice ? integers_rice : 0)));
  if (rule.order > 0) put_varint(out, zigzag(words[0]));
  if (rule.order > 1) put_varint(out, zigzag(words[1] - words[0]));
  put_varint(out, zigzag(rule.base));
  put_varint(out, rule.factor);
  if (plan.rice) {
    append_rice(out, residuals);
  } else {
    append_planes(out, residuals, (static_cast<std::size_t>(std::bit_width(used)) + 7) / 8,
                  plan.zstd_planes);
  }
}

// --- Reading ------------------------------------------------------------------------------------

namespace {

struct Decompressor {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { ZSTD_freeDCtx(context); }
};

std::unexpected<Error> cut_short(const ByteCursor& in) {
  return fail(ExitCode::malformed,
              "column cut short at its byte " + decimal(std::uint64_t{in.offset()}));
}

Status decompress(ByteView frame, std::span<std::uint8_t> bytes) {
  thread_local Decompressor decompressor;
  // One frame, of exactly these sizes: nothing may hide behind it.
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != bytes.size() ||
      ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return fail(ExitCode::malformed, "a zstd frame of the wrong size in a column");
  }
  const std::size_t size = ZSTD_decompressDCtx(decompressor.context, bytes.data(), bytes.size(),
                                               frame.data(), frame.size());
  if (ZSTD_isError(size) != 0 || size != bytes.size()) {
    return fail(ExitCode::malformed, "a damaged zstd frame in a column");
  }
  return {};
}

}  // namespace

Result<std::uint64_t> BlockReader::read_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = in_.read_le<std::uint8_t>();
    if (!in_.ok()) return cut_short(in_);
    const std::uint64_t bits = byte & 0x7f;
    if ((shift == 63 && bits > 1) || (byte == 0 && shift > 0)) break;
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
  return fail(ExitCode::malformed, "a malformed number in a column");
}

Status BlockReader::read_plane(BlockKind kind, std::span<std::uint8_t> bytes) {
  switch (kind) {
    case BlockKind::zero:
      std::ranges::fill(bytes, std::uint8_t{0});
      return {};
    case BlockKind::constant: {
      const auto byte = in_.read_le<std::uint8_t>();
      if (!in_.ok()) return cut_short(in_);
      std::ranges::fill(bytes, byte);
      return {};
    }
    case BlockKind::raw: {
      const ByteView stored = in_.read_view(bytes.size());
      if (!in_.ok()) return cut_short(in_);
      std::ranges::copy(stored, bytes.begin());
      return {};
    }
    case BlockKind::zstd: {
      const auto size = read_varint();
      if (!size) return std::unexpected(size.error());
      if (*size > in_.remaining()) return cut_short(in_);
      return decompress(in_.read_view(*size), bytes);
    }
  }
  return fail(ExitCode::malformed, "a byte block of an unknown kind");
}

Status BlockReader::read_bytes(std::span<std::uint8_t> bytes) {
  const auto kind = in_.read_le<std::uint8_t>();
  if (!in_.ok()) return cut_short(in_);
  return read_plane(static_cast<BlockKind>(kind), bytes);
}

Status BlockReader::read_planes(std::span<std::uint64_t> words) {
  const auto kinds = in_.read_le<std::uint16_t>();
  if (!in_.ok()) return cut_short(in_);
  std::ranges::fill(words, std::uint64_t{0});
  plane_.resize(words.size());
  for (std::size_t plane = 0; plane < planes_in_a_word; ++plane) {
    const auto kind = static_cast<BlockKind>(kinds >> (2 * plane) & 3);
    if (kind == BlockKind::zero) continue;
    TWINCHAIN_TRY(read_plane(kind, plane_));
    add_plane(plane_, static_cast<unsigned>(8 * plane), words);
  }
  return {};
}

Status BlockReader::read_integers(std::span<std::uint64_t> words) {
  const auto head = in_.read_le<std::uint8_t>();
  if (!in_.ok()) return cut_short(in_);
  const unsigned order = head & integers_order_mask;
  if ((head & ~(integers_order_mask | integers_zigzag | integers_rice)) != 0 ||
      order > max_difference_order) {
    return fail(ExitCode::malformed, "an integer block of an unknown kind");
  }
  if (order >= words.size()) {
    return fail(ExitCode::malformed, "an integer block with more first values than values");
  }
  std::array<std::uint64_t, max_difference_order + 2> numbers{};
  for (unsigned i = 0; i < order + 2; ++i) {
    const auto number = read_varint();
    if (!number) return std::unexpected(number.error());
    numbers[i] = *number;
  }
  const std::uint64_t base = unzigzag(numbers[order]);
  const std::uint64_t factor = numbers[order + 1];
  if (factor == 0) return fail(ExitCode::malformed, "an integer block with the factor 0");

  const std::span<std::uint64_t> residuals = words.subspan(order);
  if ((head & integers_rice) != 0) {
    const ByteView rest = bytes_.subspan(in_.offset());
    const auto size = read_rice(rest, residuals);
    if (!size) return fail(ExitCode::malformed, "a malformed integer block");
    in_.read_view(*size);
  } else {
    TWINCHAIN_TRY(read_planes(residuals));
  }
  for (std::uint64_t& word : residuals) {
    word = base + factor * ((head & integers_zigzag) != 0 ? unzigzag(word) : word);
  }
  // Order 2: first value, first step, then steps of the step.
  for (unsigned level = order; level > 0; --level) {
    words[level - 1] = unzigzag(numbers[level - 1]);
    for (std::size_t i = level; i < words.size(); ++i) words[i] += words[i - 1];
  }
  return {};
}

Status BlockReader::finish() const {
  if (in_.at_end()) return {};
  return fail(ExitCode::malformed, "a column has the wrong size");
}

}  // namespace twinchain::record
