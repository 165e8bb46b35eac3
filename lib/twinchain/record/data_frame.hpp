// The body of a DATA frame: secret seed, then leaves. Floor 3. Specified in twin-stream(5).
//
//   body  = seed[32] leaf*                 (1 header leaf first, then time and value columns)
//   leaf  = type u16, reserved u16 (0), payload size u32, CRC-32C of the payload u32, payload
//   salt_i = HMAC-SHA-256(key = seed, message = "twinchain leaf salt 1" || i as u32)
//   leaf hash = SHA256(0x00 || salt_i || leaf)     frame root R = RFC 6962 tree of leaf hashes
//
// What is hashed are the stored bytes, so checking needs no decompression, and a leaf type that
// this program does not know is covered all the same.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::record {

using Seed = std::array<std::uint8_t, 32>;
inline constexpr std::size_t leaf_head_size = 12;
/// Bounds what a reader keeps of a frame: two leaves for each channel there may be, and some.
inline constexpr std::size_t max_leaves = 200'016;

enum class LeafType : std::uint16_t {
  header = 1,        ///< DataHeader, always and only leaf 0
  time_column = 2,   ///< one i64 of nanoseconds since 1970 UTC for each row
  value_column = 3,  ///< the values of one channel
};

struct Leaf {
  LeafType type = LeafType::header;
  ByteView payload;
  /// Head and payload: what is hashed. Views into the body.
  ByteView bytes;
  /// The CRC names the damaged channel after an accident; parse_leaves() leaves it true when it
  /// was told not to look.
  bool crc_ok = true;
};

/// Flags of DataHeader.
inline constexpr std::uint32_t window_first_after_start = 1;  ///< the recorder had just started
inline constexpr std::uint32_t window_closed_by_size = 2;     ///< before its time was up
inline constexpr std::uint32_t window_recovered = 4;          ///< after a crash, from the spool
inline constexpr std::uint32_t window_silence_merged = 8;     ///< stands for many silent windows
inline constexpr std::uint32_t window_closed_at_end = 16;     ///< by the end of the input
inline constexpr std::uint32_t window_event_clock = 32;  ///< --clock data: windows of event time

/// The payload of the header leaf. It repeats what the frame header says, so that the hash covers
/// it: a reader compares the two.
struct DataHeader {
  Id128 source{};
  std::uint64_t sequence = 0;
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  std::uint32_t flags = 0;
  std::uint32_t channel_count = 0;  ///< value columns in this frame
  Hash256 schema_digest{};          ///< frame_digest() of the SCHEMA frame that applies
  Hash256 reject_digest{};          ///< SHA256 of the concatenated frame_digest()s of the
                                    ///< window's REJECT frames; zeros when there are none
  std::uint32_t reject_frames = 0;
  std::uint64_t rows = 0;
  std::uint64_t samples = 0;        ///< values in all channels together
  std::int64_t first_event_ns = 0;  ///< smallest event time; 0 without rows
  std::int64_t last_event_ns = 0;   ///< largest event time; 0 without rows
  std::int64_t closed_wall_ns = 0;  ///< the recorder's clocks when the window was closed
  std::uint64_t closed_monotonic_ns = 0;
  Id128 boot_id{};
  std::uint64_t declared_rate_mhz = 0;  ///< rows per 1000 s that were promised; 0: none
  std::uint64_t late_rows = 0;          ///< event time before the window
  std::uint64_t duplicate_rows = 0;     ///< the same as the row before, time included
  std::uint64_t out_of_order_rows = 0;  ///< event time before the row before
  std::uint64_t rejected_rows = 0;
  bool operator==(const DataHeader&) const = default;
};
inline constexpr std::size_t data_header_size = 224;

Bytes encode_data_header(const DataHeader& header);
/// ExitCode::malformed when the size is not data_header_size or a reserved field is not zero.
Result<DataHeader> parse_data_header(ByteView payload);

/// Appends a leaf (head and payload) to a body.
void append_leaf(Bytes& body, LeafType type, ByteView payload);

/// The leaves of a DATA body, checked for their structure only: sizes add up exactly, the header
/// leaf is first and alone of its type, reserved fields are zero. A wrong leaf CRC is no error
/// here, see Leaf. Views into `body`.
Result<std::vector<Leaf>> parse_leaves(ByteView body, bool check_crc = true);
Seed body_seed(ByteView body);

Hash256 leaf_salt(const Seed& seed, std::uint32_t index);
Hash256 salted_leaf_hash(const Hash256& salt, ByteView leaf_bytes);
/// The salts of leaves 0 to count - 1, and the hashes of leaves with their salts (spans of one
/// size): the same as one by one, several times faster.
std::vector<Hash256> leaf_salts(const Seed& seed, std::size_t count);
std::vector<Hash256> salted_leaf_hashes(std::span<const Hash256> salts,
                                        std::span<const Leaf> leaves);
/// R of all leaves of a frame.
Hash256 leaves_root(const Seed& seed, std::span<const Leaf> leaves);
/// R of a DATA body, or the structural error of parse_leaves().
Result<Hash256> frame_root(ByteView body);

/// parse_leaves + parse_data_header, and that header and frame header say the same.
Result<DataHeader> check_data_frame(const FrameHeader& header, ByteView body);

/// One row that could not be read, in a REJECT frame.
struct Reject {
  std::uint64_t line = 0;       ///< line or message number in the input, from 1; 0 unknown
  std::int64_t arrival_ns = 0;  ///< wall clock
  std::string reason;           ///< as reported: "column 3: not a number"
  std::string text;             ///< the raw bytes
};
/// REJECT body: u32 count, then each: u64 line, i64 arrival, u16 reason size, u32 text size,
/// reason, text.
void append_reject(Bytes& entries, const Reject& reject);
Result<std::vector<Reject>> parse_reject_body(ByteView body);

}  // namespace twinchain::record
