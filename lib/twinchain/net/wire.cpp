#include "twinchain/net/wire.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <utility>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/tx_check.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/wire_codec.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t max_transactions_size = 8 + largest_transaction_limit_bytes;
constexpr std::size_t max_txids_size = 4 + max_wire_txids * 32;
constexpr std::size_t max_part_txids_size = std::size_t{snapshot_part_count} * 32;
constexpr std::size_t max_range_size =
    iblt::symbol_range_header_size + max_symbols_in_message * iblt::max_symbol_size;
static_assert(max_transactions_size > 4 + max_wire_transactions * 4 + transactions_message_bytes);

template <class IO, class List>
void wire_hashes(IO& io, List& hashes, std::size_t max_count) {
  io.list(hashes, max_count, 32, [&io](auto& hash) { io.hash(hash); });
}

template <class IO, class List>
void wire_transactions(IO& io, List& transactions) {
  std::size_t size = 0;
  io.list(transactions, max_wire_transactions, 4 + 1, [&](auto& transaction) {
    io.byte_string(transaction, 1, largest_transaction_limit_bytes);
    size += transaction.size();
    io.check(transactions.size() == 1 || size <= transactions_message_bytes,
             "more bytes of transactions than a message may have");
  });
}

// The fields of each message in their order, for a WireWriter (then the message is const) and a
// WireReader alike.
template <class T, class M>
concept WireOf = std::same_as<std::remove_const_t<T>, M>;

void wire_fields(auto& io, WireOf<Hello> auto& m) {
  io.number(m.version);
  io.enumeration(m.role, NodeRole::storage);
  io.zero_byte();
  io.number(m.listen_port);
  io.hash(m.genesis);
  io.number(m.height);
  io.hash(m.tip);
  io.text(m.agent, max_wire_agent_bytes);
}
void wire_fields(auto& io, WireOf<Ping> auto& m) {
  io.number(m.nonce);
}
void wire_fields(auto& io, WireOf<Pong> auto& m) {
  io.number(m.nonce);
}
void wire_fields(auto& /*io*/, WireOf<GetPeers> auto& /*m*/) {}
void wire_fields(auto& io, WireOf<Peers> auto& m) {
  io.list(m.addresses, max_wire_peers, 2,
          [&io](auto& address) { io.text(address, max_wire_address_bytes); });
}

void wire_fields(auto& io, WireOf<Submit> auto& m) {
  wire_transactions(io, m.transactions);
}
void wire_fields(auto& io, WireOf<Verdicts> auto& m) {
  io.list(m.verdicts, max_wire_txids, 35, [&io](auto& verdict) {
    io.hash(verdict.txid);
    io.enumeration(verdict.outcome, Outcome::invalid);
    io.text(verdict.reason, max_wire_reason_bytes);
  });
}
void wire_fields(auto& io, WireOf<Transactions> auto& m) {
  wire_transactions(io, m.transactions);
}
void wire_fields(auto& io, WireOf<Announce> auto& m) {
  wire_hashes(io, m.txids, max_wire_txids);
}
void wire_fields(auto& io, WireOf<GetTransactions> auto& m) {
  wire_hashes(io, m.txids, max_wire_txids);
}
void wire_fields(auto& io, WireOf<NotFound> auto& m) {
  wire_hashes(io, m.txids, max_wire_txids);
}

void wire_fields(auto& io, WireOf<GetHeaders> auto& m) {
  wire_hashes(io, m.locator, max_wire_locator);
}
void wire_fields(auto& io, WireOf<Headers> auto& m) {
  io.list(m.headers, max_wire_headers, bitcoin::block_header_size,
          [&io](auto& header) { io.header(header); });
}
void wire_fields(auto& io, WireOf<GetBlock> auto& m) {
  io.hash(m.block);
}
void wire_fields(auto& io, WireOf<BlockPart> auto& m) {
  io.hash(m.block);
  io.number(m.size_bytes, 1, largest_block_limit_bytes);
  io.number(m.offset);
  io.check(m.offset < m.size_bytes && m.offset % block_part_bytes == 0, "not where a part begins");
  io.rest(m.bytes);
  io.check(m.bytes.size() == std::min<std::uint64_t>(block_part_bytes, m.size_bytes - m.offset),
           "a part that has not its size");
}
void wire_fields(auto& io, WireOf<NoBlock> auto& m) {
  io.hash(m.block);
}
void wire_fields(auto& io, WireOf<BlockStored> auto& m) {
  io.hash(m.block);
}

void wire_fields(auto& io, WireOf<Skeleton> auto& m) {
  io.whole(m, encode_skeleton, [](ByteView body) { return parse_skeleton(body); });
}
void wire_fields(auto& io, WireOf<SymbolRequest> auto& m) {
  io.whole(m, encode_symbol_request, parse_symbol_request);
}
void wire_fields(auto& io, WireOf<Symbols> auto& m) {
  io.hash(m.block);
  io.symbols(m.range);
}
void wire_fields(auto& io, WireOf<GetShortIds> auto& m) {
  io.hash(m.block);
}
void wire_fields(auto& io, WireOf<ShortIdList> auto& m) {
  io.whole(m, encode_short_id_list, [](ByteView body) { return parse_short_id_list(body); });
}
void wire_fields(auto& io, WireOf<TransactionRequest> auto& m) {
  io.whole(m, encode_transaction_request,
           [](ByteView body) { return parse_transaction_request(body); });
}
void wire_fields(auto& io, WireOf<BlockTransactions> auto& m) {
  io.hash(m.block);
  io.flag(m.last);
  wire_transactions(io, m.transactions);
}

void wire_fields(auto& io, WireOf<GetSketch> auto& m) {
  io.number(m.session);
  io.number(m.layer, 0, iblt::max_layers - 1);
  io.number(m.first, 0, iblt::max_symbols - 1);
  io.number(m.count, 1, max_symbols_in_message);
  io.check(m.count <= iblt::max_symbols - m.first, "symbols beyond the last one");
}
void wire_fields(auto& io, WireOf<Sketch> auto& m) {
  io.number(m.session);
  io.symbols(m.range);
}
void wire_fields(auto& io, WireOf<GetByShortId> auto& m) {
  io.list(m.ids, max_wire_txids, 8, [&io](auto& id) { io.number(id); });
}

void wire_fields(auto& io, WireOf<GetSnapshot> auto& m) {
  io.number(m.known_id);
  io.flag(m.wait);
}
void wire_fields(auto& io, WireOf<SnapshotPart> auto& m) {
  io.rest(m.bytes);
}
void wire_fields(auto& io, WireOf<SnapshotDelta> auto& m) {
  io.rest(m.bytes);
}

void wire_fields(auto& /*io*/, WireOf<GetParameters> auto& /*m*/) {}
void wire_fields(auto& io, WireOf<ParametersText> auto& m) {
  io.rest(m.text);
}
void wire_fields(auto& /*io*/, WireOf<GetStatus> auto& /*m*/) {}
void wire_fields(auto& io, WireOf<StatusText> auto& m) {
  io.rest(m.json);
}
void wire_fields(auto& io, WireOf<GetCoins> auto& m) {
  io.byte_string(m.script_pubkey, 0, bitcoin::max_script_size);
}
void wire_fields(auto& io, WireOf<Coins> auto& m) {
  io.list(m.coins, max_wire_coins, 44, [&io](auto& coin) {
    io.hash(coin.outpoint.txid);
    io.number(coin.outpoint.index);
    io.number(coin.value_sat, 0, bitcoin::max_money_sat);
  });
}
void wire_fields(auto& io, WireOf<FindTransaction> auto& m) {
  io.hash(m.txid);
  io.number(m.first_height);
}
void wire_fields(auto& io, WireOf<FoundTransaction> auto& m) {
  io.hash(m.txid);
  io.enumeration(m.place, FoundTransaction::Place::block);
  io.number(m.tip_height);
  if (m.place != FoundTransaction::Place::block) return;
  io.number(m.height, 0, m.tip_height);
  io.header(m.header);
  io.number(m.transaction_count, 1, max_block_transactions);
  io.number(m.position);
  io.check(m.position < m.transaction_count, "a position beyond the block's end");
  wire_hashes(io, m.branch, max_wire_branch);
  io.byte_string(m.coinbase, 1, max_skeleton_coinbase_size);
  wire_hashes(io, m.coinbase_branch, max_wire_branch);
}

struct WireType {
  std::size_t index;  ///< of the alternative of Message
  std::string_view name;
  std::size_t max_size;
  Message (*read)(WireReader& reader);
};

template <class M>
Message read_wire_message(WireReader& reader) {
  M message;
  wire_fields(reader, message);
  return Message(std::move(message));
}

template <class M, std::size_t index = 0>
constexpr WireType wire_type(std::string_view name, std::size_t max_size) {
  if constexpr (std::same_as<M, std::variant_alternative_t<index, Message>>) {
    return {index, name, max_size, read_wire_message<M>};
  } else {
    return wire_type<M, index + 1>(name, max_size);
  }
}

// In the order of the types; with the size of the largest body.
constexpr std::array wire_types{
    wire_type<Hello>("hello", 76 + max_wire_agent_bytes),
    wire_type<Ping>("ping", 8),
    wire_type<Pong>("pong", 8),
    wire_type<GetPeers>("get peers", 0),
    wire_type<Peers>("peers", 4 + max_wire_peers * (2 + max_wire_address_bytes)),
    wire_type<Submit>("submit", max_transactions_size),
    wire_type<Verdicts>("verdicts", 4 + max_wire_txids * (35 + max_wire_reason_bytes)),
    wire_type<Transactions>("transactions", max_transactions_size),
    wire_type<Announce>("announce", max_txids_size),
    wire_type<GetTransactions>("get transactions", max_txids_size),
    wire_type<NotFound>("not found", max_txids_size),
    wire_type<GetHeaders>("get headers", 4 + max_wire_locator * 32),
    wire_type<Headers>("headers", 4 + max_wire_headers * 80),
    wire_type<GetBlock>("get block", 32),
    wire_type<BlockPart>("block part", 48 + block_part_bytes),
    wire_type<NoBlock>("no block", 32),
    wire_type<BlockStored>("block stored", 32),
    wire_type<Skeleton>("skeleton", 140 + max_skeleton_coinbase_size + max_range_size),
    wire_type<SymbolRequest>("symbol request", 44),
    wire_type<Symbols>("symbols", 32 + max_range_size),
    wire_type<GetShortIds>("get short ids", 32),
    wire_type<ShortIdList>("short id list", 40 + std::size_t{max_snapshot_count} * 6),
    wire_type<TransactionRequest>("transaction request", 40 + std::size_t{max_snapshot_count} * 8),
    wire_type<BlockTransactions>("block transactions", 33 + max_transactions_size),
    wire_type<GetSketch>("get sketch", 16),
    wire_type<Sketch>("sketch", 4 + max_range_size),
    wire_type<GetByShortId>("get by short id", 4 + max_wire_txids * 8),
    wire_type<GetSnapshot>("get snapshot", 9),
    wire_type<SnapshotPart>("snapshot part", snapshot_info_size + 8 + max_part_txids_size),
    // A txid that is left out takes a byte: a gap has two only when it is over 127.
    wire_type<SnapshotDelta>("snapshot delta",
                             snapshot_info_size + 48 + max_snapshot_count + max_part_txids_size),
    wire_type<GetParameters>("get parameters", 0),
    wire_type<ParametersText>("parameters", max_parameters_file_bytes),
    wire_type<GetStatus>("get status", 0),
    wire_type<StatusText>("status", max_wire_status_bytes),
    wire_type<GetCoins>("get coins", 4 + bitcoin::max_script_size),
    wire_type<Coins>("coins", 4 + max_wire_coins * 44),
    wire_type<FindTransaction>("find transaction", 36),
    wire_type<FoundTransaction>("found transaction",
                                141 + max_skeleton_coinbase_size + 2 * max_wire_branch * 32),
};
static_assert(wire_types.size() == message_type_count);
static_assert(wire_types[0].max_size <= max_hello_body_bytes);
static_assert([] {
  for (std::size_t i = 0; i < wire_types.size(); ++i) {
    if (wire_types[i].index != i || wire_types[i].max_size > max_wire_body_bytes) return false;
  }
  return true;
}());

const WireType* find_wire_type(std::uint16_t type) {
  return type == 0 || type > wire_types.size() ? nullptr : &wire_types[type - std::size_t{1}];
}

std::unexpected<Error> bad_wire(std::string_view name, const std::string& what) {
  return fail(ExitCode::malformed, std::string(name) + ": " + what);
}

// The magic is written as it is read by people, the byte first that stands first; all else is
// little-endian.
std::array<std::uint8_t, 4> magic_bytes(std::uint32_t magic) {
  return {static_cast<std::uint8_t>(magic >> 24), static_cast<std::uint8_t>(magic >> 16),
          static_cast<std::uint8_t>(magic >> 8), static_cast<std::uint8_t>(magic)};
}

}  // namespace

Bytes encode_message(std::uint32_t magic, const Message& message) {
  Bytes out;
  append(out, magic_bytes(magic));
  append_le(out, message_type(message));
  append_le(out, std::uint16_t{0});
  append_le(out, std::uint32_t{0});
  WireWriter writer(out);
  std::visit([&writer](const auto& body) { wire_fields(writer, body); }, message);
  store_le(out.data() + 8, static_cast<std::uint32_t>(out.size() - wire_header_size));
  return out;
}

std::uint32_t wire_header_magic(ByteView bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

Result<WireHeader> parse_wire_header(std::uint32_t magic, ByteView bytes,
                                     std::size_t max_body_bytes) {
  constexpr std::string_view name = "message";
  if (bytes.size() != wire_header_size) return bad_wire(name, "the header is cut off");
  if (const auto magic_there = wire_header_magic(bytes); magic_there != magic) {
    return bad_wire(name, "of another network, with magic " + to_hex(magic_bytes(magic_there)));
  }
  const WireHeader header{load_le<std::uint16_t>(&bytes[4]), load_le<std::uint32_t>(&bytes[8])};
  const WireType* type = find_wire_type(header.type);
  if (type == nullptr) return bad_wire(name, "unknown type " + std::to_string(header.type));
  if (load_le<std::uint16_t>(&bytes[6]) != 0) {
    return bad_wire(name, "the reserved field is not zero");
  }
  const std::size_t most = std::min(type->max_size, max_body_bytes);
  if (header.body_size > most) {
    return bad_wire(name, message_name(header.type) + " of " + std::to_string(header.body_size) +
                              " bytes, where " + std::to_string(most) + " are the most");
  }
  return header;
}

Result<Message> parse_message(std::uint16_t type, ByteView body) {
  const WireType* known = find_wire_type(type);
  if (known == nullptr) return bad_wire(message_name(type), "byte 0: no such type of message");
  if (body.size() > known->max_size) {
    return bad_wire(known->name,
                    "byte " + std::to_string(known->max_size) + ": longer than any such message");
  }
  WireReader reader(body);
  Result<Message> message = known->read(reader);
  if (const auto error = reader.error()) return bad_wire(known->name, *error);
  return message;
}

std::string message_name(std::uint16_t type) {
  const WireType* known = find_wire_type(type);
  return known == nullptr ? "type " + std::to_string(type) : std::string(known->name);
}

std::uint16_t message_type(const Message& message) {
  return static_cast<std::uint16_t>(message.index() + 1);
}

}  // namespace twinchain::net
