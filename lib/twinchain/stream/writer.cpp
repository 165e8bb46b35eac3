#include "twinchain/stream/writer.hpp"

#include <sys/uio.h>

#include <vector>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain {

Status StreamWriter::start() {
  if (started_) return {};
  started_ = true;
  return write_all(fd_, stream_preamble);
}

Status StreamWriter::put(const FrameHeader& header, std::span<const ByteView> pieces) {
  TWINCHAIN_TRY(start());
  FrameHeaderBytes head = encode_frame_header(header);
  std::vector<iovec> vectors;
  vectors.reserve(pieces.size() + 1);
  vectors.push_back({head.data(), head.size()});
  for (const ByteView piece : pieces) {
    vectors.push_back({const_cast<std::uint8_t*>(piece.data()), piece.size()});
  }
  TWINCHAIN_TRY(writev_all(fd_, vectors));
  ++frames_;
  size_bytes_ += frame_header_size + header.body_size;
  return {};
}

Status StreamWriter::write(FrameHeader header, std::span<const ByteView> pieces) {
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  for (const ByteView piece : pieces) {
    size += piece.size();
    crc = crc32c(piece, crc);
  }
  if (size > max_body_size) return fail(ExitCode::bug, "frame body over the limit");
  header.body_size = static_cast<std::uint32_t>(size);
  header.body_crc = crc;
  return put(header, pieces);
}

Status StreamWriter::write_unchanged(const FrameHeader& header, ByteView body) {
  return put(header, {&body, 1});
}

Status StreamWriter::finish() {
  TWINCHAIN_TRY(start());
  return write_all(fd_, encode_end_frame(frames_, size_bytes_));
}

Bytes encode_end_frame(std::uint64_t frames, std::uint64_t size_bytes) {
  Bytes body;
  append_le(body, frames);
  append_le(body, size_bytes);
  FrameHeader header;
  header.type = FrameType::end;
  header.flags = flag_critical;
  return encode_frame(header, body);
}

Bytes encode_frame(FrameHeader header, ByteView body) {
  set_body(header, body);
  const FrameHeaderBytes head = encode_frame_header(header);
  Bytes frame(head.begin(), head.end());
  append(frame, body);
  return frame;
}

}  // namespace twinchain
