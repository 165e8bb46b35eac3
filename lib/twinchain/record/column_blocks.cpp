#include "twinchain/record/column_blocks.hpp"

#include <zstd.h>

#include <algorithm>
#include <numeric>

#include "twinchain/base/text.hpp"
#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t plane_count = 8;
/// Below this nothing that zstd can do makes up for its frame.
constexpr std::size_t least_zstd_bytes = 16;
constexpr int zstd_level = 1;

std::uint64_t magnitude_bits(std::uint64_t residual) {
  return static_cast<std::uint64_t>(std::bit_width(zigzag(residual)));
}

/// Differences of the order, the first `order` of them left out.
std::vector<std::uint64_t> differences(std::span<const std::uint64_t> words, unsigned order) {
  std::vector<std::uint64_t> out(words.begin(), words.end());
  for (unsigned i = 0; i < order; ++i) {
    for (std::size_t k = 0; k + 1 < out.size(); ++k) out[k] = out[k + 1] - out[k];
    out.pop_back();
  }
  return out;
}

/// Base and factor for differences, and what they cost in bits.
std::uint64_t choose_base(const std::vector<std::uint64_t>& steps, IntegerPlan& plan) {
  std::uint64_t divisor = 0;
  double sum = 0;
  for (const std::uint64_t step : steps) {
    const auto offset = static_cast<std::int64_t>(step - steps.front());
    sum += static_cast<double>(offset);
    const std::uint64_t size =
        offset < 0 ? 0 - static_cast<std::uint64_t>(offset) : static_cast<std::uint64_t>(offset);
    divisor = divisor == 1 ? 1 : std::gcd(divisor, size);
  }
  plan.factor = divisor == 0 ? 1 : divisor;
  const double mean = sum / static_cast<double>(steps.size()) / static_cast<double>(plan.factor);
  const auto centre = static_cast<std::uint64_t>(static_cast<std::int64_t>(mean));
  plan.base = steps.front() + centre * plan.factor;
  std::uint64_t bits = 0;
  const auto factor = static_cast<std::int64_t>(plan.factor);
  for (const std::uint64_t step : steps) {
    const auto offset = static_cast<std::int64_t>(step - plan.base);
    bits += magnitude_bits(static_cast<std::uint64_t>(factor > 1 ? offset / factor : offset));
  }
  return bits;
}

}  // namespace

IntegerPlan choose_integer_plan(std::span<const std::uint64_t> words) {
  constexpr std::size_t sample_size = 512;
  if (words.size() > sample_size) {
    words = words.subspan((words.size() - sample_size) / 2, sample_size);
  }
  IntegerPlan best;
  std::uint64_t best_bits = ~std::uint64_t{0};
  for (unsigned order = 0; order <= max_difference_order && order < words.size(); ++order) {
    IntegerPlan plan;
    plan.order = order;
    const auto steps = differences(words, order);
    const std::uint64_t bits = choose_base(steps, plan) * words.size() / steps.size();
    if (bits < best_bits) {
      best = plan;
      best_bits = bits;
    }
  }
  return best;
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

std::uint8_t BlockWriter::append_integers(Buffer& out, std::span<const std::uint64_t> words,
                                          IntegerPlan plan) {
  residuals_.resize(words.size());
  std::uint64_t used = 0;
  std::array<std::uint64_t, max_difference_order> first{};
  if (!make_residuals(words, plan.order, plan.base, plan.factor, plan.zigzag, first.data(),
                      residuals_.data(), used)) {
    plan.factor = 1;
    make_residuals(words, plan.order, plan.base, 1, plan.zigzag, first.data(), residuals_.data(),
                   used);
  }
  put_le(out, static_cast<std::uint8_t>(plan.order | (plan.zigzag ? integers_zigzag : 0)));
  for (unsigned i = 0; i < plan.order; ++i) put_varint(out, zigzag(first[i]));
  put_varint(out, zigzag(plan.base));
  put_varint(out, plan.factor);

  const std::size_t count = words.size() - plan.order;
  const std::size_t planes = (static_cast<std::size_t>(std::bit_width(used)) + 7) / 8;
  planes_.resize_uninitialized(planes * count);
  split_planes({residuals_.data(), count}, planes_.data(), planes);
  const std::size_t at = out.size();
  put_le(out, std::uint16_t{0});
  unsigned kinds = 0;
  std::uint8_t gains = 0;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const bool try_zstd = (plan.zstd_planes >> plane & 1) != 0;
    const BlockKind kind =
        append_plane(out, planes_.view().subspan(plane * count, count), try_zstd);
    kinds |= static_cast<unsigned>(kind) << (2 * plane);
    if (kind == BlockKind::zstd) gains = static_cast<std::uint8_t>(gains | 1U << plane);
  }
  store_le(out.data() + at, static_cast<std::uint16_t>(kinds));
  return gains;
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

Status BlockReader::read_integers(std::span<std::uint64_t> words) {
  const auto head = in_.read_le<std::uint8_t>();
  if (!in_.ok()) return cut_short(in_);
  const unsigned order = head & integers_order_mask;
  if ((head & ~(integers_order_mask | integers_zigzag)) != 0 || order > max_difference_order) {
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
  const auto kinds = in_.read_le<std::uint16_t>();
  if (!in_.ok()) return cut_short(in_);

  const std::span<std::uint64_t> residuals = words.subspan(order);
  std::ranges::fill(residuals, std::uint64_t{0});
  plane_.resize(residuals.size());
  for (std::size_t plane = 0; plane < plane_count; ++plane) {
    const auto kind = static_cast<BlockKind>(kinds >> (2 * plane) & 3);
    if (kind == BlockKind::zero) continue;
    TWINCHAIN_TRY(read_plane(kind, plane_));
    add_plane(plane_, static_cast<unsigned>(8 * plane), residuals);
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
