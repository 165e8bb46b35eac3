// The twin stream's bytes: preamble and frame header. Floor 2. Specified in twin-stream(5).
#pragma once

#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain {

/// PNG's idea: a byte above 0x7f, letters, the version, then CR LF, ^Z and LF, so that a
/// transfer in text mode is noticed at once.
inline constexpr std::array<std::uint8_t, 8> stream_preamble{0x89, 'T',  'W',  0x01,
                                                             '\r', '\n', 0x1a, '\n'};
inline constexpr std::size_t preamble_size = stream_preamble.size();
inline constexpr std::size_t frame_header_size = 64;
inline constexpr std::array<std::uint8_t, 4> frame_magic{0xf4, 'T', 'w', 'F'};
/// A whole frame, header included.
inline constexpr std::size_t max_frame_size = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t max_body_size = max_frame_size - frame_header_size;

enum class FrameType : std::uint16_t {
  schema = 1,       ///< names, types and units of a source's channels (record)
  data = 2,         ///< the samples of one window (record)
  reject = 3,       ///< raw text of rows that could not be read (record)
  link = 4,         ///< one signed link of the hash chain (chain)
  anchor = 5,       ///< a ledger's receipt for a link (ledger)
  end = 6,          ///< end of the stream, with the count of its frames
  slice = 7,        ///< a DATA frame of which only some channels are shown (chain)
  cosignature = 8,  ///< a further party's signature of a link (chain)
  evidence = 9,     ///< proofs for the SLICE frames after it (chain)
  network = 10,     ///< the parameters of a network (net)
  snapshot = 11,    ///< a part of an M-node's list of valid transactions (net)
  skeleton = 12,    ///< a block without its transactions (net)
  block = 13,       ///< a part of a block (net)
};

inline constexpr std::uint16_t flag_critical = 1;

/// Fields of the 64-byte frame header, little-endian:
///   0 magic  4 type u16  6 flags u16  8 body size u32  12 CRC-32C of the body u32
///   16 source id  32 sequence u64  40 window start i64 ns  48 window end i64 ns
///   56 reserved u32, zero  60 CRC-32C of bytes 0 to 59
struct FrameHeader {
  FrameType type = FrameType::end;
  std::uint16_t flags = 0;
  std::uint32_t body_size = 0;
  std::uint32_t body_crc = 0;
  Id128 source{};
  std::uint64_t sequence = 0;
  /// Nanoseconds since 1970 UTC on the recorder's clock: [window_start_ns, window_end_ns).
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;

  [[nodiscard]] bool critical() const { return (flags & flag_critical) != 0; }
  bool operator==(const FrameHeader&) const = default;
};

using FrameHeaderBytes = std::array<std::uint8_t, frame_header_size>;

/// The header's bytes, both CRC fields included; body_size and body_crc are taken as they are.
FrameHeaderBytes encode_frame_header(const FrameHeader& header);

/// Checks magic, header CRC, body size limit, reserved field and flags, in that order. `bytes`
/// has at least 64 bytes. The error's message has no offset: the caller knows it.
Result<FrameHeader> parse_frame_header(ByteView bytes);

/// Fills body_size and body_crc.
void set_body(FrameHeader& header, ByteView body);

/// First 16 bytes of SHA256(name): how frames name their source.
Id128 source_id(std::string_view source_name);

/// SHA256(header bytes 0..59 || body): how a link covers SCHEMA and REJECT frames.
Hash256 frame_digest(const FrameHeader& header, ByteView body);

/// "DATA", "LINK", ... or "type 0x1234".
std::string frame_type_name(FrameType type);
/// Whether it is one of a record's. Frames of the network are no part of what a record proves.
bool is_known_frame_type(FrameType type);

/// END's body: u64 number of frames before it since the preamble, then u64 number of their bytes
/// (headers and bodies, without preamble).
inline constexpr std::size_t end_body_size = 16;

}  // namespace twinchain
