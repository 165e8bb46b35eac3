#include "twinchain/storage/segment.hpp"

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t open_files = 8;

std::unexpected<Error> damaged(const FrameEntry& entry, std::string_view what) {
  std::string message = place(entry.segment, entry.offset);
  message += ": ";
  message += what;
  message += " (";
  message += frame_type_name(entry.key.type);
  message += " frame ";
  message += decimal(entry.key.sequence);
  message += ')';
  return fail(ExitCode::malformed, std::move(message));
}

}  // namespace

std::string place(std::uint32_t segment, std::uint64_t offset) {
  return "segment " + segment_name(segment) + " at byte " + decimal(offset);
}

Result<std::unique_ptr<SegmentScanner>> SegmentScanner::open(Fs& fs, const std::string& path,
                                                             std::uint64_t from, std::uint64_t to) {
  auto file = fs.open(path, OpenMode::read);
  if (!file) return pass(file);
  std::unique_ptr<SegmentScanner> scanner(new SegmentScanner);
  scanner->file_ = std::move(*file);
  scanner->at_ = from;
  scanner->to_ = to;
  SegmentScanner* self = scanner.get();
  const auto read = [self](std::span<std::uint8_t> into) -> Result<std::size_t> {
    const std::uint64_t left = self->to_ - std::min(self->to_, self->at_);
    auto count =
        self->file_->pread(into.first(std::min<std::uint64_t>(into.size(), left)), self->at_);
    if (count) self->at_ += *count;
    return count;
  };
  StreamReader::Options options;
  options.end_required = false;
  // A segment whose preamble is damaged still holds its frames.
  options.preamble_required = false;
  options.base_offset = from;
  scanner->reader_ = std::make_unique<StreamReader>(read, options);
  return scanner;
}

Result<File*> FrameFetcher::file(std::uint32_t number) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].number != number) continue;
    if (i > 0)
      std::rotate(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(i),
                  files_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return files_.front().file.get();
  }
  auto opened = fs_.open(layout_.segment_path(number), OpenMode::read);
  if (!opened) return pass(opened);
  if (files_.size() >= open_files) files_.pop_back();
  files_.push_front({number, std::move(*opened)});
  return files_.front().file.get();
}

Result<FrameHeader> FrameFetcher::fetch_header(const FrameEntry& entry, File& file) {
  FrameHeaderBytes bytes{};
  auto count = file.pread(bytes, entry.offset);
  if (!count) return pass(count);
  if (*count < bytes.size()) return damaged(entry, "the segment ends before the frame");
  auto header = parse_frame_header(bytes);
  if (!header) return damaged(entry, header.error().message);
  if (header->source != entry.key.source || header->type != entry.key.type ||
      header->sequence != entry.key.sequence || header->body_size != entry.body_size ||
      header->body_crc != entry.body_crc || header->window_start_ns != entry.window_start_ns ||
      header->window_end_ns != entry.window_end_ns) {
    return damaged(entry, "another frame than the index says");
  }
  return header;
}

Result<FrameFetcher::Found> FrameFetcher::locate(const FrameEntry& entry) {
  const bool was_open = std::ranges::any_of(
      files_, [&](const OpenFile& open) { return open.number == entry.segment; });
  auto source = file(entry.segment);
  if (!source) {
    auto there = fs_.exists(layout_.segment_path(entry.segment));
    if (there && !*there) return damaged(entry, "the segment is gone");
    return pass(source);
  }
  auto header = fetch_header(entry, **source);
  if (header) return Found{*source, *header};
  if (!was_open) return pass(header);
  std::erase_if(files_, [&](const OpenFile& open) { return open.number == entry.segment; });
  return locate(entry);
}

Result<Frame> FrameFetcher::fetch(const FrameEntry& entry) {
  auto found = locate(entry);
  if (!found) return pass(found);
  Frame frame;
  frame.header = found->header;
  frame.offset = entry.offset;
  frame.body = std::move(spare_);
  frame.body.resize_uninitialized(frame.header.body_size);
  auto count = found->file->pread(frame.body.span(), entry.offset + frame_header_size);
  if (!count) return pass(count);
  if (*count < frame.body.size()) return damaged(entry, "the segment ends inside the frame");
  if (crc32c(frame.body.view()) != frame.header.body_crc)
    return damaged(entry, "body crc mismatch");
  return frame;
}

Result<std::size_t> FrameFetcher::fetch_start(const FrameEntry& entry,
                                              std::span<std::uint8_t> into) {
  auto found = locate(entry);
  if (!found) return pass(found);
  const auto wanted = into.first(std::min<std::size_t>(into.size(), entry.body_size));
  auto count = found->file->pread(wanted, entry.offset + frame_header_size);
  if (count && *count < wanted.size()) return damaged(entry, "the segment ends inside the frame");
  return count;
}

Result<bool> FrameFetcher::is_there(const FrameEntry& entry) {
  auto found = locate(entry);
  if (found) return true;
  if (found.error().code == ExitCode::malformed) return false;
  return pass(found);
}

Result<bool> FrameFetcher::holds(const FrameEntry& entry, const FrameHeader& header,
                                 ByteView body) {
  if (entry.body_size != header.body_size || entry.body_crc != header.body_crc) return false;
  auto found = locate(entry);
  if (!found) return pass(found);
  if (found->header != header) return false;
  std::array<std::uint8_t, 65'536> chunk{};
  std::uint32_t crc = 0;
  bool same = true;
  for (std::size_t at = 0; at < body.size(); at += chunk.size()) {
    const ByteView piece = body.subspan(at, std::min(chunk.size(), body.size() - at));
    auto count = found->file->pread(std::span(chunk).first(piece.size()),
                                    entry.offset + frame_header_size + at);
    if (!count) return pass(count);
    if (*count != piece.size()) return damaged(entry, "the segment ends inside the frame");
    crc = crc32c(ByteView(chunk).first(piece.size()), crc);
    same = same && std::equal(piece.begin(), piece.end(), chunk.begin());
  }
  if (crc != header.body_crc) return damaged(entry, "body crc mismatch");
  return same;
}

}  // namespace twinchain::storage
