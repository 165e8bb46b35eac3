#include "twinchain/storage/layout.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

constexpr std::string_view segment_suffix = ".twin";
constexpr std::size_t segment_digits = 8;
/// 49 bytes a source and more: over a million sources.
constexpr std::uint64_t max_numbers_file_bytes = std::uint64_t{64} << 20;

}  // namespace

std::string Layout::index_folder() const {
  return other_index_folder.empty() ? folder + "/index" : other_index_folder;
}

std::string Layout::segment_path(std::uint32_t number) const {
  return segments_folder() + "/" + segment_name(number);
}

std::string segment_name(std::uint32_t number) {
  const std::string digits = decimal(std::uint64_t{number});
  std::string name(segment_digits - std::min(segment_digits, digits.size()), '0');
  name += digits;
  name += segment_suffix;
  return name;
}

std::optional<std::uint32_t> parse_segment_name(std::string_view name) {
  if (name.size() != segment_digits + segment_suffix.size() || !name.ends_with(segment_suffix)) {
    return std::nullopt;
  }
  const auto number = parse_decimal(name.substr(0, segment_digits));
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

Result<std::vector<SegmentFile>> list_segments(Fs& fs, const Layout& layout) {
  auto there = fs.exists(layout.segments_folder());
  if (!there) return pass(there);
  if (!*there) return fail(ExitCode::usage, escape(layout.folder, 400) + " is not a store");
  auto names = fs.list(layout.segments_folder());
  if (!names) return pass(names);
  std::vector<SegmentFile> segments;
  for (const std::string& name : *names) {
    const auto number = parse_segment_name(name);
    if (!number) continue;
    auto file = fs.open(layout.segment_path(*number), OpenMode::read);
    if (!file) {
      // gc may have removed it since the folder was listed.
      if (auto still = fs.exists(layout.segment_path(*number)); still && !*still) continue;
      return pass(file);
    }
    auto size = (*file)->size_bytes();
    if (!size) return pass(size);
    segments.push_back({*number, *size});
  }
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.number < b.number; });
  return segments;
}

bool is_in_use(const Error& error) {
  return error.message.ends_with("is in use by another process");
}

std::string format_source_numbers(const SourceNumbers& numbers) {
  std::string text;
  for (const auto& [source, number] : numbers) {
    text += to_hex(source);
    text += ' ';
    text += decimal(number);
    text += '\n';
  }
  return text;
}

std::optional<SourceNumbers> parse_source_numbers(std::string_view text) {
  SourceNumbers numbers;
  if (text.empty()) return numbers;
  if (text.back() != '\n') return std::nullopt;
  text.remove_suffix(1);
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto id = from_hex(line.substr(0, space));
    const auto number = parse_decimal(line.substr(space + 1));
    Id128 source{};
    if (!id || id->size() != source.size() || !number) return std::nullopt;
    std::copy(id->begin(), id->end(), source.begin());
    numbers[source] = *number;
  }
  return numbers;
}

Result<SourceNumbers> read_dropped(Fs& fs, const Layout& layout) {
  auto there = fs.exists(layout.dropped_path());
  if (!there) return pass(there);
  if (!*there) return SourceNumbers{};
  auto bytes = read_whole_file(fs, layout.dropped_path(), max_numbers_file_bytes);
  if (!bytes) return pass(bytes);
  auto numbers = parse_source_numbers(as_text(*bytes));
  if (!numbers) {
    return fail(ExitCode::malformed, escape(layout.dropped_path(), 400) + ": malformed");
  }
  return *numbers;
}

}  // namespace twinchain::storage
