#include "twinchain/net/skeleton.hpp"

#include <string>
#include <string_view>

#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint16_t skeleton_version = 1;
constexpr std::uint16_t by_id = 0;
constexpr std::uint16_t by_position = 1;

std::unexpected<Error> bad_message(std::string_view message, std::size_t offset,
                                   const std::string& what) {
  return fail(ExitCode::malformed,
              std::string(message) + ": byte " + std::to_string(offset) + ": " + what);
}

// All messages begin with the version (2 bytes) and a field of 2 bytes.
Result<std::uint16_t> read_start(ByteCursor& cursor, std::string_view message,
                                 std::uint16_t max_field) {
  const auto version = cursor.read_le<std::uint16_t>();
  const auto field = cursor.read_le<std::uint16_t>();
  if (!cursor.ok()) return bad_message(message, cursor.offset(), "the header is cut off");
  if (version != skeleton_version) {
    return bad_message(message, 0, "version " + std::to_string(version));
  }
  if (field > max_field) return bad_message(message, 2, "unknown value " + std::to_string(field));
  return field;
}

}  // namespace

SipKey skeleton_key(const bitcoin::BlockHeader& header, std::uint64_t salt) {
  std::array<std::uint8_t, 8> salt_bytes{};
  store_le(salt_bytes.data(), salt);
  return sip_key(sha256({bitcoin::serialize(header), salt_bytes}));
}

Bytes encode_skeleton(const Skeleton& skeleton) {
  Bytes out;
  append_le(out, skeleton_version);
  append_le(out, std::uint16_t{0});
  append(out, bitcoin::serialize(skeleton.header));
  append_le(out, skeleton.snapshot_id);
  append(out, skeleton.snapshot_root);
  append_le(out, skeleton.transaction_count);
  append_le(out, skeleton.salt);
  append_le(out, static_cast<std::uint32_t>(skeleton.coinbase.size()));
  append(out, skeleton.coinbase);
  iblt::append_symbol_range(out, skeleton.symbols);
  return out;
}

Result<Skeleton> parse_skeleton(ByteView bytes, std::uint32_t max_symbols) {
  constexpr std::string_view name = "skeleton";
  ByteCursor cursor(bytes);
  if (auto start = read_start(cursor, name, 0); !start) return pass(start);
  Skeleton skeleton;
  skeleton.header = bitcoin::read_header(cursor);
  skeleton.snapshot_id = cursor.read_le<std::uint64_t>();
  skeleton.snapshot_root = cursor.read_array<32>();
  skeleton.transaction_count = cursor.read_le<std::uint32_t>();
  skeleton.salt = cursor.read_le<std::uint64_t>();
  const auto coinbase_size = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return bad_message(name, cursor.offset(), "the header is cut off");
  if (skeleton.transaction_count == 0 || skeleton.transaction_count > max_block_transactions) {
    return bad_message(name, 124, "not a number of transactions that a block has");
  }
  if (coinbase_size > max_skeleton_coinbase_size) {
    return bad_message(name, 136, "a coinbase that is too long");
  }
  const ByteView coinbase = cursor.read_view(coinbase_size);
  if (!cursor.ok()) return bad_message(name, cursor.offset(), "the coinbase is cut off");
  skeleton.coinbase.assign(coinbase.begin(), coinbase.end());
  const std::size_t symbols_at = cursor.offset();
  auto symbols = iblt::read_symbol_range(cursor, max_symbols);
  if (!symbols) {
    symbols.error().message = "skeleton: " + symbols.error().message;
    return pass(symbols);
  }
  skeleton.symbols = std::move(*symbols);
  if (skeleton.symbols.layer != 0 || skeleton.symbols.first != 0 ||
      skeleton.symbols.set_size != skeleton.transaction_count - 1) {
    return bad_message(name, symbols_at, "symbols that are not the first ones of the block");
  }
  if (!cursor.at_end()) return bad_message(name, cursor.offset(), "bytes after the last symbol");
  return skeleton;
}

Bytes encode_symbol_request(const SymbolRequest& request) {
  Bytes out;
  append_le(out, skeleton_version);
  append_le(out, static_cast<std::uint16_t>(request.layer));
  append_le(out, request.first);
  append_le(out, request.count);
  append(out, request.block);
  return out;
}

Result<SymbolRequest> parse_symbol_request(ByteView bytes) {
  constexpr std::string_view name = "symbol request";
  ByteCursor cursor(bytes);
  auto layer = read_start(cursor, name, static_cast<std::uint16_t>(iblt::max_layers - 1));
  if (!layer) return pass(layer);
  SymbolRequest request;
  request.layer = *layer;
  request.first = cursor.read_le<std::uint32_t>();
  request.count = cursor.read_le<std::uint32_t>();
  request.block = cursor.read_array<32>();
  if (!cursor.at_end()) return bad_message(name, cursor.offset(), "not 44 bytes");
  if (request.count == 0 || request.count > max_symbols_in_message ||
      request.first > iblt::max_symbols - request.count) {
    return bad_message(name, 4, "not a range of symbols that can be sent");
  }
  return request;
}

Bytes encode_short_id_list(const ShortIdList& list) {
  Bytes out;
  out.reserve(40 + list.ids.size() * 6);
  append_le(out, skeleton_version);
  append_le(out, std::uint16_t{0});
  append_le(out, static_cast<std::uint32_t>(list.ids.size()));
  append(out, list.block);
  for (const std::uint64_t id : list.ids) {
    append_le(out, static_cast<std::uint32_t>(id));
    append_le(out, static_cast<std::uint16_t>(id >> 32));
  }
  return out;
}

Result<ShortIdList> parse_short_id_list(ByteView bytes, std::uint32_t max_count) {
  constexpr std::string_view name = "short id list";
  ByteCursor cursor(bytes);
  if (auto start = read_start(cursor, name, 0); !start) return pass(start);
  const auto count = cursor.read_le<std::uint32_t>();
  ShortIdList list;
  list.block = cursor.read_array<32>();
  if (!cursor.ok()) return bad_message(name, cursor.offset(), "the header is cut off");
  if (count > max_count) return bad_message(name, 4, "more ids than allowed");
  if (cursor.remaining() != std::size_t{count} * 6) {
    return bad_message(name, 4, "not the number of ids that is stated");
  }
  list.ids.resize(count);
  for (std::uint64_t& id : list.ids) {
    id = cursor.read_le<std::uint32_t>();
    id |= std::uint64_t{cursor.read_le<std::uint16_t>()} << 32;
  }
  return list;
}

Bytes encode_transaction_request(const TransactionRequest& request) {
  const bool positions = request.ids.empty();
  Bytes out;
  append_le(out, skeleton_version);
  append_le(out, positions ? by_position : by_id);
  append_le(out,
            static_cast<std::uint32_t>(positions ? request.positions.size() : request.ids.size()));
  append(out, request.block);
  for (const std::uint64_t id : request.ids) append_le(out, id);
  if (positions) {
    for (const std::uint32_t position : request.positions) append_le(out, position);
  }
  return out;
}

Result<TransactionRequest> parse_transaction_request(ByteView bytes, std::uint32_t max_count) {
  constexpr std::string_view name = "transaction request";
  ByteCursor cursor(bytes);
  auto kind = read_start(cursor, name, by_position);
  if (!kind) return pass(kind);
  const auto count = cursor.read_le<std::uint32_t>();
  TransactionRequest request;
  request.block = cursor.read_array<32>();
  if (!cursor.ok()) return bad_message(name, cursor.offset(), "the header is cut off");
  if (count == 0 || count > max_count) return bad_message(name, 4, "none, or more than allowed");
  const std::size_t size = *kind == by_id ? 8 : 4;
  if (cursor.remaining() != count * size) {
    return bad_message(name, 4, "not the number of transactions that is stated");
  }
  if (*kind == by_id) {
    request.ids.resize(count);
    for (auto& id : request.ids) id = cursor.read_le<std::uint64_t>();
  } else {
    request.positions.resize(count);
    for (auto& position : request.positions) position = cursor.read_le<std::uint32_t>();
  }
  return request;
}

}  // namespace twinchain::net
