#include "twinchain/bitcoin/header.hpp"

#include "twinchain/crypto/sha256.hpp"

namespace twinchain::bitcoin {

BlockHeaderBytes serialize(const BlockHeader& header) {
  BlockHeaderBytes bytes{};
  store_le(&bytes[0], header.version);
  std::memcpy(&bytes[4], header.previous.data(), header.previous.size());
  std::memcpy(&bytes[36], header.merkle_root.data(), header.merkle_root.size());
  store_le(&bytes[68], header.time_s);
  store_le(&bytes[72], header.bits);
  store_le(&bytes[76], header.nonce);
  return bytes;
}

BlockHeader parse_header(const BlockHeaderBytes& bytes) {
  ByteCursor cursor{ByteView(bytes)};
  return read_header(cursor);
}

BlockHeader read_header(ByteCursor& cursor) {
  BlockHeader header;
  header.version = cursor.read_le<std::int32_t>();
  header.previous = cursor.read_array<32>();
  header.merkle_root = cursor.read_array<32>();
  header.time_s = cursor.read_le<std::uint32_t>();
  header.bits = cursor.read_le<std::uint32_t>();
  header.nonce = cursor.read_le<std::uint32_t>();
  return header;
}

Hash256 block_hash(const BlockHeader& header) {
  return block_hash(serialize(header));
}

Hash256 block_hash(const BlockHeaderBytes& bytes) {
  return sha256d(bytes);
}

}  // namespace twinchain::bitcoin
