// Any bytes as the segment that a store was writing when the power failed: the store opens, keeps
// every sound frame where it is, cuts off no more than a torn tail, and can be written to.
//
// The first byte of the input says whether a whole segment stands before it (1), and whether the
// bytes follow a preamble (2).

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "require.hpp"
#include "twinchain/storage/catalog.hpp"
#include "twinchain/storage/fsck.hpp"
#include "twinchain/storage/writer.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::storage;

/// The index is a file of LMDB's and needs a real disk; emptied before each run.
class Scratch {
 public:
  Scratch() {
    const char* memory = "/dev/shm";
    std::error_code error;
    path_ = std::filesystem::is_directory(memory, error)
                ? memory
                : std::filesystem::temp_directory_path().string();
    path_ += "/twinchain-segment-fuzz-XXXXXX";
    require(::mkdtemp(path_.data()) != nullptr);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string empty_index() {
    require(Index::wipe(path_ + "/index").has_value());
    return path_ + "/index";
  }

 private:
  std::string path_;
};

struct Place {
  std::uint32_t segment;
  std::uint64_t offset;
  auto operator<=>(const Place&) const = default;
};
/// The header's CRCs stand for the content.
using Sound = std::map<Place, FrameHeader>;

Sound sound_frames(Fs& fs, const Layout& layout) {
  Sound sound;
  const auto files = list_segments(fs, layout);
  require(files.has_value());
  for (const SegmentFile& file : *files) {
    auto scanner = SegmentScanner::open(fs, layout.segment_path(file.number), 0, file.size_bytes);
    require(scanner.has_value());
    while (true) {
      auto event = (*scanner)->next();
      require(event.has_value());
      if (event->kind == StreamEventKind::finished) break;
      if (event->kind == StreamEventKind::frame) {
        sound[{file.number, event->offset}] = event->frame.header;
      }
    }
  }
  return sound;
}

void put_file(MemoryFs& fs, const std::string& path, ByteView content) {
  require(fs.open(path, OpenMode::create).has_value());
  fs.content(path)->assign(content.begin(), content.end());
}

FrameHeader new_header() {
  FrameHeader header;
  header.type = FrameType::anchor;
  header.source.fill(0xee);
  header.sequence = 0xeeee'eeee;
  return header;
}

Bytes whole_segment() {
  Bytes bytes(stream_preamble.begin(), stream_preamble.end());
  FrameHeader header;
  header.type = FrameType::data;
  header.source = source_id("engine-1");
  const Bytes frame = encode_frame(header, as_bytes("data"));
  append(bytes, frame);
  append(bytes, encode_end_frame(1, frame.size()));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Scratch scratch;
  if (size == 0) return 0;
  const Layout layout{"rec", scratch.empty_index()};
  MemoryFs fs;
  require(fs.make_folders(layout.segments_folder()).has_value());
  Bytes bytes;
  if ((data[0] & 2) != 0) bytes.assign(stream_preamble.begin(), stream_preamble.end());
  append(bytes, ByteView(data + 1, size - 1));
  const bool is_second = (data[0] & 1) != 0;
  if (is_second) put_file(fs, layout.segment_path(1), whole_segment());
  put_file(fs, layout.segment_path(is_second ? 2 : 1), bytes);

  const Sound before = sound_frames(fs, layout);
  WriterOptions options;
  options.other_index_folder = layout.other_index_folder;
  const Notes quiet = [](const std::string&) {};
  auto store = StoreWriter::open(fs, layout.folder, options, quiet);
  if (!store) {
    require(store.error().code != ExitCode::bug);
    return 0;
  }
  require(sound_frames(fs, layout) == before);

  Frame frame;
  frame.header = new_header();
  frame.body.append(as_bytes("new"));
  set_body(frame.header, frame.body.view());
  std::string reason;
  const auto taken = (*store)->add(frame, &reason);
  const bool was_there = std::ranges::any_of(
      before, [](const auto& entry) { return entry.second.source == new_header().source; });
  require(taken && (was_there || *taken == Taken::stored));
  require((*store)->close().has_value());
  store->reset();
  require(was_there || sound_frames(fs, layout).size() == before.size() + 1);

  // What is left of damage lies before good frames; there is no torn tail any more, and the index
  // says what is stored.
  FsckOptions how;
  how.other_index_folder = layout.other_index_folder;
  const auto checked = check_store(fs, layout.folder, how, [](const Finding&) {}, nullptr, quiet);
  require(checked && checked->torn_tails == 0 && checked->index_faults == 0);
  return 0;
}
