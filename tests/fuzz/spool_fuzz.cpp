// The log files of a spool, as a start reads them. The first byte says what the others are:
//   0  the file
//   1  records for a good file: type u8 (bit 7: synced before), size u8, payload
//   2  place u16, xor u8, records: the same with one byte changed
//   3  place u16, records: the same, cut there
// A good file gives back its records, a damaged or cut one no others; what could be opened can be
// gone on with.

#include <algorithm>
#include <array>
#include <utility>

#include "require.hpp"
#include "twinchain/record/spool_format.hpp"
#include "twinchain/record/spool_log.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::record;

const std::string path = "spool/wal-1";
using Records = std::vector<std::pair<std::uint16_t, Bytes>>;

Bytes copy(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

/// What a payload says is the same when it is written and read once more.
void check_payload(const SpoolRecord& record) {
  if (const auto event = parse_wal_event(record.type, record.payload)) {
    Bytes written = encode_wal_event(*event);
    append(written, event->bytes);
    const auto again = parse_wal_event(record.type, written);
    require(again && std::ranges::equal(again->bytes, event->bytes));
    require(encode_wal_event(*again) == encode_wal_event(*event));
  }
  if (const auto head = parse_segment_head(record.payload)) {
    require(encode_segment_head(*head) == copy(record.payload));
  }
  if (const auto window = parse_window_record(record.payload)) {
    Bytes written = encode_window_record(window->sequence, window->checkpoint);
    append(written, window->frames);
    require(written == copy(record.payload));
    if (const auto checkpoint = parse_checkpoint(window->checkpoint)) {
      const auto again = parse_checkpoint(encode_checkpoint(*checkpoint));
      require(again && *again == *checkpoint);
    }
  }
}

Result<SpoolLog> open(MemoryFs& fs, Records& records) {
  records.clear();
  return SpoolLog::open(fs, path, [&records](const SpoolRecord& record) -> Status {
    check_payload(record);
    records.emplace_back(record.type, copy(record.payload));
    return {};
  });
}

Records write_records(MemoryFs& fs, ByteView bytes) {
  Records records;
  auto log = SpoolLog::create(fs, path);
  require(log.has_value());
  while (bytes.size() >= 2) {
    const std::size_t size = std::min<std::size_t>(bytes[1], bytes.size() - 2);
    if ((bytes[0] & 0x80) != 0) require(log->sync().has_value());
    const std::array<ByteView, 1> pieces{bytes.subspan(2, size)};
    require(log->append(bytes[0] & 0x7f, pieces).has_value());
    records.emplace_back(bytes[0] & 0x7f, copy(pieces[0]));
    bytes = bytes.subspan(2 + size);
  }
  return records;
}

/// Opens, goes on with a copy of the sound part, and opens again.
void open_and_go_on(MemoryFs& fs, const Records* written, bool whole) {
  const std::size_t file_size = fs.content(path)->size();
  Records records;
  auto log = open(fs, records);
  require(!whole || (log && log->torn_bytes() == 0 && records.size() == written->size()));
  if (written != nullptr) {
    require(records.size() <= written->size() &&
            std::equal(records.begin(), records.end(), written->begin()));
  }
  if (!log) {
    require(log.error().code == ExitCode::malformed);
    return;
  }
  require(log->size_bytes() + log->torn_bytes() == file_size);
  if (log->headless()) return;
  require(log->renew(fs, "spool/new").has_value());
  const std::array<ByteView, 1> pieces{as_bytes(std::string_view("more"))};
  require(log->append(7, pieces).has_value());
  Records again;
  const auto reopened = open(fs, again);
  records.emplace_back(7, copy(pieces[0]));
  require(reopened && reopened->torn_bytes() == 0 && again == records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const ByteView rest(data + 1, size - 1);
  MemoryFs fs;
  require(fs.make_folders("spool").has_value());
  if (data[0] == 0) {
    require(fs.open(path, OpenMode::create).has_value());
    *fs.content(path) = copy(rest);
    open_and_go_on(fs, nullptr, false);
    return 0;
  }
  if (data[0] > 3) return 0;
  const std::size_t head = data[0] == 1 ? 0 : data[0] == 2 ? 3 : 2;
  const Records written = write_records(fs, rest.subspan(head));
  Bytes& file = *fs.content(path);
  const std::size_t place = load_le<std::uint16_t>(rest.data()) % file.size();
  if (data[0] == 2) file[place] ^= rest[2];
  if (data[0] == 3) file.resize(place);
  open_and_go_on(fs, &written, data[0] == 1 || (data[0] == 2 && rest[2] == 0));
  return 0;
}
