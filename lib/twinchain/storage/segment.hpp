// Reading segment files: from end to end, and one frame at its place. Floor 5.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "twinchain/storage/entry.hpp"
#include "twinchain/storage/layout.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {

/// Reads the frames of a segment, damaged ones included (as StreamReader's events with offsets in
/// the file), from a frame's offset or 0 up to `to`, which is the size that the file had: a writer
/// may be at work behind it.
class SegmentScanner {
 public:
  static Result<std::unique_ptr<SegmentScanner>> open(Fs& fs, const std::string& path,
                                                      std::uint64_t from, std::uint64_t to);
  /// As StreamReader::next(); a missing END is no event here.
  Result<StreamEvent> next() { return reader_->next(); }
  void recycle(Buffer&& body) { reader_->recycle(std::move(body)); }

 private:
  SegmentScanner() = default;
  std::unique_ptr<File> file_;
  std::uint64_t at_ = 0;
  std::uint64_t to_ = 0;
  std::unique_ptr<StreamReader> reader_;
};

/// "segment 00000003.twin at byte 4096".
std::string place(std::uint32_t segment, std::uint64_t offset);

/// Reads frames that an index entry points to. Keeps a few files open.
class FrameFetcher {
 public:
  FrameFetcher(Fs& fs, Layout layout) : fs_(fs), layout_(std::move(layout)) {}

  /// The whole frame. ExitCode::malformed, naming the place, when what is there is not the frame
  /// of the entry: damaged, or the file was exchanged.
  Result<Frame> fetch(const FrameEntry& entry);
  /// Whether a frame's header at the entry's place is the one of the entry; reads no body.
  Result<bool> is_there(const FrameEntry& entry);
  /// The first bytes of the frame's body, as many as there are up to the size of `into`. Its header
  /// is checked as by fetch(), the CRC of the body is not.
  Result<std::size_t> fetch_start(const FrameEntry& entry, std::span<std::uint8_t> into);
  /// Whether exactly this frame is stored at the entry's place.
  Result<bool> holds(const FrameEntry& entry, const FrameHeader& header, ByteView body);
  /// Closes the files: gc may have replaced them.
  void forget() { files_.clear(); }
  /// Gives the memory of a frame's body back for the next one.
  void recycle(Buffer&& body) { spare_ = std::move(body); }

 private:
  struct OpenFile {
    std::uint32_t number;
    std::unique_ptr<File> file;
  };
  Result<File*> file(std::uint32_t number);
  struct Found {
    File* file;
    FrameHeader header;
  };
  /// The file and the header of the entry's frame; opens the file anew when they do not agree,
  /// because gc may have replaced it.
  Result<Found> locate(const FrameEntry& entry);
  Result<FrameHeader> fetch_header(const FrameEntry& entry, File& file);

  Fs& fs_;
  Layout layout_;
  std::deque<OpenFile> files_;
  Buffer spare_;
};

}  // namespace twinchain::storage
