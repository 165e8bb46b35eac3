#include "twinchain/record/column_blocks.hpp"

#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "twinchain/base/text.hpp"
#include "twinchain/record/column_kernels.hpp"
#include "twinchain/record/column_rice.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t plane_count = 8;
/// Below this nothing that zstd can do makes up for its frame.
constexpr std::size_t least_zstd_bytes = 16;
constexpr int zstd_level = 1;

/// The reader's factor 1 and base 0.
ResidualRule rule_of(const IntegerPlan& plan) {
  return {plan.order, 0, 1, plan.zigzag};
}

std::uint64_t difference_at(std::span<const std::uint64_t> words, unsigned order, std::size_t i) {
  if (order == 0) return words[i];
  if (order == 1) return words[i + 1] - words[i];
  return words[i + 2] - 2 * words[i + 1] + words[i];
}

/// The mean of about 64 differences, moved so that the factor divides what is left of those
/// that it divides at all. Any base is right.
std::uint64_t choose_base(std::span<const std::uint64_t> words, unsigned order,
                          std::uint64_t factor) {
  const std::size_t count = words.size() - order;
  const std::uint64_t first = difference_at(words, order, 0);
  const std::size_t stride = std::max<std::size_t>(1, count / 64);
  double sum = 0;
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < count; i += stride, ++looked_at) {
    sum += static_cast<double>(static_cast<std::int64_t>(difference_at(words, order, i) - first));
  }
  double mean = sum / static_cast<double>(looked_at);
  // Order 1 knows the mean of all.
  if (order == 1) {
    mean = static_cast<double>(static_cast<std::int64_t>(words.back() - words.front())) /
               static_cast<double>(count) -
           static_cast<double>(static_cast<std::int64_t>(first));
  }
  const double centre = std::round(mean / static_cast<double>(factor));
  // Beyond this a base gains nothing, and the conversion would not be defined.
  if (!(std::fabs(centre) < 9e18)) return first;
  return first + factor * static_cast<std::uint64_t>(static_cast<std::int64_t>(centre));
}

/// The largest factor of all differences once they are taken from the first.
std::uint64_t common_factor(std::span<const std::uint64_t> words, unsigned order) {
  std::uint64_t factor = 0;
  const std::uint64_t first = difference_at(words, order, 0);
  for (std::size_t i = 1; i < words.size() - order && factor != 1; ++i) {
    const auto offset = static_cast<std::int64_t>(difference_at(words, order, i) - first);
    factor = std::gcd(factor, offset < 0 ? 0 - static_cast<std::uint64_t>(offset)
                                         : static_cast<std::uint64_t>(offset));
  }
  return factor == 0 ? 1 : factor;
}

/// Bits of order-0 entropy, for all bytes together.
double entropy_bits(ByteView bytes) {
  std::array<std::uint32_t, 256> counts{};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  double bits = 0;
  for (const std::uint32_t count : counts) {
    if (count > 0) bits += count * std::log2(static_cast<double>(bytes.size()) / count);
  }
  return bits;
}

/// A plane is not worth trying when its bytes are spread as evenly as those of random planes of
/// the same size are.
bool looks_random(ByteView bytes) {
  const auto size = static_cast<double>(bytes.size());
  const double entropy = entropy_bits(bytes) / size;
  const double expected = 8 - 255 / (2 * size * std::log(2.0));
  return bytes.size() >= 256 && entropy > expected - 0.15;
}

}  // namespace

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

void BlockWriter::append_planes(Buffer& out, std::size_t count, std::uint64_t used,
                                std::uint8_t zstd_planes) {
  const std::size_t planes = (static_cast<std::size_t>(std::bit_width(used)) + 7) / 8;
  planes_.resize_uninitialized(planes * count);
  split_planes(std::span(residuals_).first(count), planes_.data(), planes);
  const std::size_t at = out.size();
  put_le(out, std::uint16_t{0});
  unsigned kinds = 0;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const BlockKind kind = append_plane(out, planes_.view().subspan(plane * count, count),
                                        (zstd_planes >> plane & 1) != 0);
    kinds |= static_cast<unsigned>(kind) << (2 * plane);
  }
  store_le(out.data() + at, static_cast<std::uint16_t>(kinds));
}

void BlockWriter::append_integers(Buffer& out, std::span<const std::uint64_t> words,
                                  IntegerPlan plan) {
  plan.order = static_cast<std::uint8_t>(std::min<std::size_t>(plan.order, words.size() - 1));
  ResidualRule rule = rule_of(plan);
  if (plan.zigzag) {
    rule.factor = plan.factor;
    rule.base = choose_base(words, rule.order, rule.factor);
  }
  const std::size_t count = words.size() - rule.order;
  if (residuals_.size() < count) residuals_.resize(count);
  std::uint64_t used = 0;
  if (!make_residuals(words, rule, residuals_.data(), used)) {
    rule.factor = 1;
    rule.base = choose_base(words, rule.order, 1);
    make_residuals(words, rule, residuals_.data(), used);
  }
  if (used == 0) plan.rice = false;  // planes of zeros are not stored at all
  put_le(out, static_cast<std::uint8_t>(rule.order | (rule.zigzag ? integers_zigzag : 0) |
                                        (plan.rice ? integers_rice : 0)));
  if (rule.order > 0) put_varint(out, zigzag(words[0]));
  if (rule.order > 1) put_varint(out, zigzag(words[1] - words[0]));
  put_varint(out, zigzag(rule.base));
  put_varint(out, rule.factor);
  if (plan.rice) {
    append_rice(out, std::span(residuals_).first(count));
  } else {
    append_planes(out, count, used, plan.zstd_planes);
  }
}

// --- Choosing -----------------------------------------------------------------------------------

double BlockWriter::planes_bytes_per_value(std::size_t count, std::uint64_t used,
                                           IntegerPlan& plan) {
  const std::size_t planes = (static_cast<std::size_t>(std::bit_width(used)) + 7) / 8;
  planes_.resize_uninitialized(planes * count);
  split_planes(std::span(residuals_).first(count), planes_.data(), planes);
  plan.zstd_planes = 0;
  std::size_t size = 2;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const ByteView bytes = planes_.view().subspan(plane * count, count);
    trial_.clear();
    const BlockKind kind = append_plane(trial_, bytes, !looks_random(bytes));
    // What zstd saves must be worth its time, here and in the reader.
    const bool gain = kind == BlockKind::zstd && trial_.size() < count - count / 32;
    if (gain) plan.zstd_planes = static_cast<std::uint8_t>(plan.zstd_planes | 1U << plane);
    size += kind == BlockKind::zstd && !gain ? count : trial_.size();
  }
  // Planes above those of the sample are seldom random.
  for (std::size_t plane = planes; plane < plane_count; ++plane) {
    plan.zstd_planes = static_cast<std::uint8_t>(plan.zstd_planes | 1U << plane);
  }
  return static_cast<double>(size) / static_cast<double>(count);
}

BlockWriter::Choice BlockWriter::choose_integers(std::span<const std::uint64_t> words,
                                                 bool try_planes) {
  words = middle(words, integer_sample_size);
  if (residuals_.size() < words.size()) residuals_.resize(words.size());
  Choice best;
  best.bytes_per_value = 1e9;
  const auto weigh = [&](unsigned order, bool planes) {
    Choice choice;
    choice.plan.order = static_cast<std::uint8_t>(order);
    choice.plan.factor = common_factor(words, order);
    choice.plan.rice = !planes;
    const std::size_t count = words.size() - order;
    ResidualRule rule = rule_of(choice.plan);
    rule.factor = choice.plan.factor;
    rule.base = choose_base(words, order, rule.factor);
    std::uint64_t used = 0;
    if (!make_residuals(words, rule, residuals_.data(), used)) return;
    choice.bytes_per_value =
        planes ? planes_bytes_per_value(count, used, choice.plan) * 1.03
               : static_cast<double>(rice_cost_bits(std::span(residuals_).first(count))) /
                     static_cast<double>(8 * count);
    const std::size_t head = varint_size(zigzag(rule.base)) + varint_size(rule.factor) +
                             (order > 0 ? varint_size(zigzag(words[0])) : 0) +
                             (order > 1 ? varint_size(zigzag(words[1] - words[0])) : 0);
    choice.bytes_per_value += static_cast<double>(head) / static_cast<double>(count);
    if (choice.bytes_per_value < best.bytes_per_value) best = choice;
  };
  for (unsigned order = 0; order <= max_difference_order && order < words.size(); ++order) {
    weigh(order, false);
  }
  if (try_planes && words.size() >= 2 * least_zstd_bytes) {
    const unsigned order = best.plan.order;
    weigh(order, true);
    weigh(order == 0 ? 1 : 0, true);
  }
  return best;
}

BlockWriter::Choice BlockWriter::choose_planes(std::span<const std::uint64_t> words) {
  words = middle(words, integer_sample_size);
  if (residuals_.size() < words.size()) residuals_.resize(words.size());
  Choice choice;
  choice.plan.zigzag = false;
  choice.plan.rice = false;
  std::uint64_t used = 0;
  make_residuals(words, rule_of(choice.plan), residuals_.data(), used);
  choice.bytes_per_value = planes_bytes_per_value(words.size(), used, choice.plan);
  return choice;
}

double BlockWriter::plain_bytes_per_value(std::span<const std::uint64_t> words) {
  words = middle(words, integer_sample_size);
  planes_.resize_uninitialized(8 * words.size());
  for (std::size_t i = 0; i < words.size(); ++i) store_le(planes_.data() + 8 * i, words[i]);
  trial_.clear();
  append_bytes(trial_, planes_.view());
  return static_cast<double>(trial_.size()) / static_cast<double>(words.size());
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
  for (std::size_t plane = 0; plane < plane_count; ++plane) {
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
