// The messages of the network's wire protocol. Floor 6. Specified in twin-network(5).
//
// A link carries messages, each behind a header of 12 bytes:
//
//   0 magic (the network's)  4 type u16  6 reserved u16, zero  8 body size u32
//
// The magic is in the order in which people write it (the upper byte of a ChainParameters::magic is
// the first on the wire); all other numbers are little-endian.
//
// The link itself (TLS 1.3, crypto/tls_channel.hpp) authenticates and orders the bytes, so there is
// no checksum. Before a peer has said hello, bodies are limited to max_hello_body_bytes. Every list
// has a bound that is checked before memory is taken for it. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/net/skeleton.hpp"
#include "twinchain/net/verdict.hpp"

namespace twinchain::net {

inline constexpr std::uint16_t wire_version = 1;
inline constexpr std::size_t wire_header_size = 12;
/// The largest transaction (32 MiB) and some more.
inline constexpr std::size_t max_wire_body_bytes = std::size_t{34} << 20;
inline constexpr std::size_t max_hello_body_bytes = 1024;
inline constexpr std::size_t max_wire_txids = 50'000;
inline constexpr std::size_t max_wire_headers = 2'000;
inline constexpr std::size_t max_wire_locator = 101;
inline constexpr std::size_t max_wire_peers = 256;
inline constexpr std::size_t max_wire_coins = 1'000;
inline constexpr std::size_t max_wire_branch = 32;
inline constexpr std::size_t max_wire_agent_bytes = 64;
inline constexpr std::size_t max_wire_address_bytes = 64;
inline constexpr std::size_t max_wire_reason_bytes = 200;
inline constexpr std::size_t max_wire_status_bytes = std::size_t{1} << 20;
inline constexpr std::size_t block_part_bytes = std::size_t{4} << 20;
/// Several transactions in one message are at most so large together, one alone may be larger. None
/// is empty.
inline constexpr std::size_t transactions_message_bytes = std::size_t{4} << 20;
/// More than so many bytes can be: a transaction has at least 60.
inline constexpr std::size_t max_wire_transactions = 70'000;
static_assert(max_wire_transactions * 60 > transactions_message_bytes);

enum class NodeRole : std::uint8_t {
  user = 0,     ///< a tool: submits, asks; nothing is relayed to it
  mnode = 1,    ///< validates, keeps the memory pool, hands out lists
  miner = 2,    ///< takes lists, sends skeletons
  full = 3,     ///< assembles and keeps blocks
  storage = 4,  ///< keeps blocks for others
};

/// The first message of both sides. That of other versions has these fields as well, so that each
/// side can say what it does not understand.
struct Hello {
  std::uint16_t version = wire_version;
  NodeRole role = NodeRole::user;
  std::uint16_t listen_port = 0;  ///< where others may connect; 0: nowhere
  Hash256 genesis{};              ///< zeros from a user who does not know the network yet
  std::uint32_t height = 0;
  Hash256 tip{};
  std::string agent;  ///< program and version, up to 64 printable characters of ASCII
  bool operator==(const Hello&) const = default;
};
struct Ping {
  std::uint64_t nonce = 0;
  bool operator==(const Ping&) const = default;
};
struct Pong {
  std::uint64_t nonce = 0;
  bool operator==(const Pong&) const = default;
};
struct GetPeers {
  bool operator==(const GetPeers&) const = default;
};
/// "HOST:PORT" each, HOST an IP address ([...] around an IPv6 one), up to 64 characters.
struct Peers {
  std::vector<std::string> addresses;
  bool operator==(const Peers&) const = default;
};

/// From users: answered by Verdicts, one a transaction, in order.
struct Submit {
  std::vector<Bytes> transactions;
  bool operator==(const Submit&) const = default;
};
struct TransactionVerdict {
  Hash256 txid{};
  Outcome outcome = Outcome::accepted;
  std::string reason;  ///< up to 200 printable characters of ASCII
  bool operator==(const TransactionVerdict&) const = default;
};
struct Verdicts {
  std::vector<TransactionVerdict> verdicts;
  bool operator==(const Verdicts&) const = default;
};
/// Between nodes: what was asked for, or what the other is thought to lack.
struct Transactions {
  std::vector<Bytes> transactions;
  bool operator==(const Transactions&) const = default;
};
struct Announce {
  std::vector<Hash256> txids;
  bool operator==(const Announce&) const = default;
};
struct GetTransactions {
  std::vector<Hash256> txids;
  bool operator==(const GetTransactions&) const = default;
};
/// Of GetTransactions: those that are not in the pool (any more).
struct NotFound {
  std::vector<Hash256> txids;
  bool operator==(const NotFound&) const = default;
};

struct GetHeaders {
  std::vector<Hash256> locator;  ///< newest first
  bool operator==(const GetHeaders&) const = default;
};
struct Headers {
  std::vector<bitcoin::BlockHeader> headers;  ///< each the parent of the next
  bool operator==(const Headers&) const = default;
};
struct GetBlock {
  Hash256 block{};
  bool operator==(const GetBlock&) const = default;
};
/// Parts come in order, each of block_part_bytes but the last.
struct BlockPart {
  Hash256 block{};
  std::uint64_t size_bytes = 0;  ///< of the whole block
  std::uint64_t offset = 0;
  Bytes bytes;
  bool operator==(const BlockPart&) const = default;
};
struct NoBlock {
  Hash256 block{};
  bool operator==(const NoBlock&) const = default;
};
/// From a storage node that has made a block durable.
struct BlockStored {
  Hash256 block{};
  bool operator==(const BlockStored&) const = default;
};

// Skeleton, SymbolRequest, ShortIdList and TransactionRequest are messages as they are.
struct Symbols {
  Hash256 block{};
  iblt::SymbolRange range;
  bool operator==(const Symbols&) const = default;
};
struct GetShortIds {
  Hash256 block{};
  bool operator==(const GetShortIds&) const = default;
};
/// In the order of the positions; several messages when they are large, `last` in the last one.
struct BlockTransactions {
  Hash256 block{};
  bool last = true;
  std::vector<Bytes> transactions;
  bool operator==(const BlockTransactions&) const = default;
};

/// Mempool synchronisation. A session is the asker's; symbols of one session are of one set. Layer
/// 0 from index 0 begins a session.
struct GetSketch {
  std::uint32_t session = 0;
  std::uint32_t layer = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const GetSketch&) const = default;
};
struct Sketch {
  std::uint32_t session = 0;
  iblt::SymbolRange range;
  bool operator==(const Sketch&) const = default;
};
/// Transactions of the pool by the link's short ids.
struct GetByShortId {
  std::vector<std::uint64_t> ids;
  bool operator==(const GetByShortId&) const = default;
};

/// The newest list of valid transactions. known_id: the list that the asker has, 0 for none. With
/// `wait` the answer comes when there is a newer one than that.
struct GetSnapshot {
  std::uint64_t known_id = 0;
  bool wait = false;
  bool operator==(const GetSnapshot&) const = default;
};
/// Bodies as snapshot.hpp makes them.
struct SnapshotPart {
  Bytes bytes;
  bool operator==(const SnapshotPart&) const = default;
};
struct SnapshotDelta {
  Bytes bytes;
  bool operator==(const SnapshotDelta&) const = default;
};

struct GetParameters {
  bool operator==(const GetParameters&) const = default;
};
/// The network's file, as format_parameters() writes it.
struct ParametersText {
  std::string text;
  bool operator==(const ParametersText&) const = default;
};
struct GetStatus {
  bool operator==(const GetStatus&) const = default;
};
/// JSON, see mnode(1), in ASCII.
struct StatusText {
  std::string json;
  bool operator==(const StatusText&) const = default;
};
/// Coins of one script that the next block may spend, outputs of the pool included, coins that the
/// pool spends left out. At most max_wire_coins, the largest.
struct GetCoins {
  Bytes script_pubkey;
  bool operator==(const GetCoins&) const = default;
};
struct WireCoin {
  bitcoin::OutPoint outpoint;
  std::int64_t value_sat = 0;
  bool operator==(const WireCoin&) const = default;
};
struct Coins {
  std::vector<WireCoin> coins;
  bool operator==(const Coins&) const = default;
};
/// Where a transaction is; blocks are looked through from first_height on.
struct FindTransaction {
  Hash256 txid{};
  std::uint32_t first_height = 0;
  bool operator==(const FindTransaction&) const = default;
};
struct FoundTransaction {
  enum class Place : std::uint8_t { unknown = 0, pool = 1, block = 2 };
  Hash256 txid{};
  Place place = Place::unknown;
  std::uint32_t tip_height = 0;
  // In a block only:
  std::uint32_t height = 0;
  bitcoin::BlockHeader header;
  std::uint32_t position = 0;
  std::uint32_t transaction_count = 0;
  std::vector<Hash256> branch;           ///< of the transaction, from the leaf up
  Bytes coinbase;                        ///< serialised
  std::vector<Hash256> coinbase_branch;  ///< of position 0
  bool operator==(const FoundTransaction&) const = default;
};

using Message =
    std::variant<Hello, Ping, Pong, GetPeers, Peers, Submit, Verdicts, Transactions, Announce,
                 GetTransactions, NotFound, GetHeaders, Headers, GetBlock, BlockPart, NoBlock,
                 BlockStored, Skeleton, SymbolRequest, Symbols, GetShortIds, ShortIdList,
                 TransactionRequest, BlockTransactions, GetSketch, Sketch, GetByShortId,
                 GetSnapshot, SnapshotPart, SnapshotDelta, GetParameters, ParametersText, GetStatus,
                 StatusText, GetCoins, Coins, FindTransaction, FoundTransaction>;

/// Types on the wire, never used again for something else: hello is 1, and so on in the order of
/// Message.
inline constexpr std::uint16_t message_type_count = std::variant_size_v<Message>;

struct WireHeader {
  std::uint16_t type = 0;
  std::uint32_t body_size = 0;
};
/// Header and body. Requires what parse_message() checks: the bounds above, texts of printable
/// ASCII (of lines, where it is the parameters or the status). There is one encoding only of a
/// message: the fields of FoundTransaction that belong to a block are left out when it is not in
/// one.
Bytes encode_message(std::uint32_t magic, const Message& message);
/// The magic that the first 4 bytes of a header state: who does not know the network learns it from
/// the node's hello.
std::uint32_t wire_header_magic(ByteView bytes);
/// Errors (ExitCode::malformed) start with "message: ". `bytes` has wire_header_size bytes.
/// Refuses another network's magic, unknown types, and sizes over max_body_bytes or over what the
/// type allows.
Result<WireHeader> parse_wire_header(std::uint32_t magic, ByteView bytes,
                                     std::size_t max_body_bytes = max_wire_body_bytes);
/// A body of exactly these bytes. Errors (ExitCode::malformed) are "NAME: byte N: what".
Result<Message> parse_message(std::uint16_t type, ByteView body);
/// "hello", "get transactions", ... for messages to people; "type N" for others.
std::string message_name(std::uint16_t type);
std::uint16_t message_type(const Message& message);

}  // namespace twinchain::net
