#include "twinchain/ledger/receipt.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/block.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/crypto/timestamp_token.hpp"
#include "twinchain/ledger/dir_block.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::uint16_t receipt_version = 1;
constexpr std::uint16_t timestamp_version = 2;
constexpr std::uint16_t made_network_version = 3;
// A fleet of 2^64 recorders has no longer path.
constexpr std::size_t max_fleet_path_length = 64;
// The size of a Merkle tree's inner node: what no transaction may have (CVE-2017-12842).
constexpr std::size_t inner_node_size = 64;

std::unexpected<Error> bad(ExitCode code, std::string_view what) {
  std::string message = "receipt: ";
  message += what;
  return fail(code, std::move(message));
}
std::unexpected<Error> malformed(std::string_view what) {
  return bad(ExitCode::malformed, what);
}
std::unexpected<Error> refuted(std::string_view what) {
  return bad(ExitCode::refuted, what);
}

std::vector<Hash256> read_hashes(ByteCursor& cursor, std::size_t count) {
  std::vector<Hash256> hashes(count);
  for (Hash256& hash : hashes) hash = cursor.read_array<32>();
  return hashes;
}

// RFC 9162 section 2.1.3.2. Nothing when index, size and length of the path do not fit together.
std::optional<Hash256> root_from_audit_path(const Hash256& leaf_hash, std::uint64_t index,
                                            std::uint64_t size, std::span<const Hash256> path) {
  if (index >= size) return std::nullopt;
  std::uint64_t position = index;
  std::uint64_t last = size - 1;
  Hash256 hash = leaf_hash;
  for (const Hash256& sibling : path) {
    if (last == 0) return std::nullopt;
    if ((position & 1) != 0 || position == last) {
      hash = merkle_node(sibling, hash);
      while ((position & 1) == 0 && position != 0) {
        position >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, sibling);
    }
    position >>= 1;
    last >>= 1;
  }
  if (last != 0) return std::nullopt;
  return hash;
}

// A made network does not borrow the number of another one.
std::optional<Network> network_of(const Receipt& receipt) {
  auto built_in = network_by_magic(receipt.network_magic);
  if (!receipt.genesis) return built_in;
  if (built_in) return std::nullopt;
  return made_network(*receipt.genesis);
}

// The link hash itself, or what stands for the fleet it is one of.
std::optional<Hash256> published_hash(const Receipt& receipt) {
  if (receipt.fleet_size == 1) {
    if (receipt.fleet_index != 0 || !receipt.fleet_path.empty()) return std::nullopt;
    return receipt.link_hash;
  }
  const auto root = root_from_audit_path(merkle_leaf(receipt.link_hash), receipt.fleet_index,
                                         receipt.fleet_size, receipt.fleet_path);
  if (!root) return std::nullopt;
  return fleet_hash(*root, receipt.fleet_size);
}

Result<bitcoin::Transaction> parse_without_witness(ByteView bytes, std::string_view name) {
  if (bytes.size() == inner_node_size) {
    std::string what(name);
    what += " of 64 bytes could be a node of the merkle tree";
    return refuted(what);
  }
  auto transaction = bitcoin::parse_transaction(bytes, bitcoin::TxEncoding::no_witness);
  if (!transaction) {
    std::string what(name);
    what += ": ";
    what += transaction.error().message;
    return refuted(what);
  }
  return transaction;
}

bool carries(const bitcoin::Transaction& transaction, ByteView payload) {
  return std::any_of(
      transaction.outputs.begin(), transaction.outputs.end(), [&](const bitcoin::TxOut& output) {
        const auto found = bitcoin::op_return_payload(output.script_pubkey);
        return found && std::equal(found->begin(), found->end(), payload.begin(), payload.end());
      });
}

Status check_branches(const Receipt& receipt, const Hash256& txid, const Hash256& merkle_root) {
  if (receipt.transaction_branch.size() != receipt.coinbase_branch.size()) {
    return refuted("branches of transaction and coinbase differ in length");
  }
  const auto root =
      bitcoin::root_from_branch(txid, receipt.transaction_index, receipt.transaction_branch);
  if (!root || *root != merkle_root) {
    return refuted("merkle branch does not lead from the transaction to the header");
  }
  const Hash256 coinbase_id = sha256d(receipt.coinbase);
  const auto coinbase_root = bitcoin::root_from_branch(coinbase_id, 0, receipt.coinbase_branch);
  if (!coinbase_root || *coinbase_root != merkle_root) {
    return refuted("merkle branch does not lead from the coinbase to the header");
  }
  if ((receipt.transaction_index == 0) != (txid == coinbase_id)) {
    return refuted("only the coinbase is the first transaction");
  }
  // The first of several transactions is paired with another one, on every row.
  Hash256 hash = coinbase_id;
  for (const Hash256& sibling : receipt.coinbase_branch) {
    if (sibling == hash) return refuted("coinbase is paired with itself");
    hash = bitcoin::merkle_parent(hash, sibling);
  }
  return {};
}

Bytes encode_timestamp(const Receipt& receipt) {
  Bytes out;
  append_le(out, timestamp_version);
  append_le(out, std::uint16_t{0});
  append_le(out, receipt.network_magic);
  append(out, receipt.link_hash);
  append_le(out, receipt.fleet_index);
  append_le(out, receipt.fleet_size);
  append_le(out, static_cast<std::uint32_t>(receipt.fleet_path.size()));
  append_le(out, static_cast<std::uint32_t>(receipt.timestamp_token.size()));
  for (const Hash256& hash : receipt.fleet_path) append(out, hash);
  append(out, receipt.timestamp_token);
  return out;
}

Result<Receipt> parse_timestamp(ByteCursor& cursor) {
  Receipt receipt;
  const auto reserved = cursor.read_le<std::uint16_t>();
  receipt.network_magic = cursor.read_le<std::uint32_t>();
  receipt.link_hash = cursor.read_array<32>();
  receipt.fleet_index = cursor.read_le<std::uint64_t>();
  receipt.fleet_size = cursor.read_le<std::uint64_t>();
  // One byte, and three that are reserved.
  const std::size_t fleet_path_length = cursor.read_le<std::uint32_t>();
  const std::size_t token_size = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return malformed("shorter than its fixed fields");
  if (reserved != 0) return malformed("reserved field is not zero");
  const auto network = network_by_magic(receipt.network_magic);
  if (!network || !network->is_timestamps()) return malformed("network is not that of time-stamps");
  if (fleet_path_length > max_fleet_path_length) return malformed("fleet path too long");
  if (token_size == 0 || token_size > max_timestamp_token_bytes) {
    return malformed("time-stamp token of a size that none has");
  }
  if (cursor.remaining() != sizeof(Hash256) * fleet_path_length + token_size) {
    return malformed("length is not what its fields say");
  }
  receipt.fleet_path = read_hashes(cursor, fleet_path_length);
  const ByteView token = cursor.read_view(token_size);
  receipt.timestamp_token.assign(token.begin(), token.end());
  receipt.block_hash = sha256(token);
  return receipt;
}

Result<ReceiptFacts> check_timestamp(const Receipt& receipt, const Hash256& published) {
  auto token = check_timestamp_token(receipt.timestamp_token);
  if (!token) return bad(token.error().code, token.error().message);
  if (token->digest != published) return refuted("time-stamp is of another hash");
  ReceiptFacts facts;
  facts.network = *network_by_magic(receipt.network_magic);
  facts.block_hash = receipt.block_hash;
  facts.time_s = token->not_after_s;
  facts.authority = std::move(token->authority);
  return facts;
}

}  // namespace

Bytes anchor_payload(const Hash256& link_hash) {
  Bytes payload(anchor_tag.begin(), anchor_tag.end());
  append(payload, link_hash);
  return payload;
}

Hash256 fleet_hash(const Hash256& root, std::uint64_t size) {
  // 2 is neither RFC 6962's leaf nor its node.
  std::array<std::uint8_t, 9> prefix{2};
  store_le(&prefix[1], size);
  return sha256({ByteView(prefix), ByteView(root)});
}

Bytes encode_receipt(const Receipt& receipt) {
  if (!receipt.timestamp_token.empty()) return encode_timestamp(receipt);
  Bytes out;
  append_le(out, receipt.genesis ? made_network_version : receipt_version);
  append_le(out, std::uint16_t{0});
  append_le(out, receipt.network_magic);
  append(out, receipt.link_hash);
  append(out, receipt.block_hash);
  append(out, receipt.block_header);
  append_le(out, receipt.fleet_index);
  append_le(out, receipt.fleet_size);
  append_le(out, receipt.transaction_index);
  out.push_back(static_cast<std::uint8_t>(receipt.fleet_path.size()));
  out.push_back(static_cast<std::uint8_t>(receipt.transaction_branch.size()));
  append_le(out, std::uint16_t{0});
  append_le(out, static_cast<std::uint32_t>(receipt.transaction.size()));
  append_le(out, static_cast<std::uint32_t>(receipt.coinbase.size()));
  if (receipt.genesis) append(out, *receipt.genesis);
  for (const Hash256& hash : receipt.fleet_path) append(out, hash);
  for (const Hash256& hash : receipt.transaction_branch) append(out, hash);
  for (const Hash256& hash : receipt.coinbase_branch) append(out, hash);
  append(out, receipt.transaction);
  append(out, receipt.coinbase);
  return out;
}

Result<Receipt> parse_receipt(ByteView body) {
  ByteCursor cursor(body);
  Receipt receipt;
  const auto version = cursor.read_le<std::uint16_t>();
  if (cursor.ok() && version == timestamp_version) return parse_timestamp(cursor);
  const bool is_made = version == made_network_version;
  if (cursor.ok() && version != receipt_version && !is_made) {
    return malformed("version " + decimal(std::uint64_t{version}) + " is not known");
  }
  const auto reserved = cursor.read_le<std::uint16_t>();
  receipt.network_magic = cursor.read_le<std::uint32_t>();
  receipt.link_hash = cursor.read_array<32>();
  receipt.block_hash = cursor.read_array<32>();
  receipt.block_header = cursor.read_array<80>();
  receipt.fleet_index = cursor.read_le<std::uint64_t>();
  receipt.fleet_size = cursor.read_le<std::uint64_t>();
  receipt.transaction_index = cursor.read_le<std::uint32_t>();
  const std::size_t fleet_path_length = cursor.read_le<std::uint8_t>();
  const std::size_t branch_length = cursor.read_le<std::uint8_t>();
  const auto more_reserved = cursor.read_le<std::uint16_t>();
  const std::size_t transaction_size = cursor.read_le<std::uint32_t>();
  const std::size_t coinbase_size = cursor.read_le<std::uint32_t>();
  if (is_made) receipt.genesis = cursor.read_array<32>();
  if (!cursor.ok()) return malformed("shorter than its fixed fields");
  if (reserved != 0 || more_reserved != 0) return malformed("reserved field is not zero");
  if (is_made && made_network(*receipt.genesis).magic != receipt.network_magic) {
    return malformed("network is not the one with that genesis block");
  }
  if (fleet_path_length > max_fleet_path_length) return malformed("fleet path too long");
  if (branch_length > max_receipt_branch_length) return malformed("merkle branch too long");
  if (transaction_size > max_receipt_transaction_size) return malformed("transaction too long");
  if (coinbase_size > max_receipt_transaction_size) return malformed("coinbase too long");
  const std::size_t rest =
      sizeof(Hash256) * (fleet_path_length + 2 * branch_length) + transaction_size + coinbase_size;
  if (cursor.remaining() != rest) return malformed("length is not what its fields say");
  receipt.fleet_path = read_hashes(cursor, fleet_path_length);
  receipt.transaction_branch = read_hashes(cursor, branch_length);
  receipt.coinbase_branch = read_hashes(cursor, branch_length);
  const ByteView transaction = cursor.read_view(transaction_size);
  receipt.transaction.assign(transaction.begin(), transaction.end());
  const ByteView coinbase = cursor.read_view(coinbase_size);
  receipt.coinbase.assign(coinbase.begin(), coinbase.end());
  return receipt;
}

FrameHeader anchor_frame_header(const FrameHeader& link_header) {
  FrameHeader header = link_header;
  header.type = FrameType::anchor;
  header.flags = 0;
  header.body_size = 0;
  header.body_crc = 0;
  return header;
}

Result<ReceiptFacts> check_receipt(const Receipt& receipt) {
  const auto network = network_of(receipt);
  if (!network) return refuted("network is not known");
  const auto published = published_hash(receipt);
  if (!published) return refuted("fleet path does not fit its index and size");
  if (network->is_timestamps()) return check_timestamp(receipt, *published);
  const Bytes payload = anchor_payload(*published);

  auto transaction = parse_without_witness(receipt.transaction, "transaction");
  if (!transaction) return pass(transaction);
  if (!carries(*transaction, payload)) return refuted("transaction does not carry the link hash");
  auto coinbase = parse_without_witness(receipt.coinbase, "coinbase");
  if (!coinbase) return pass(coinbase);
  const auto height = bitcoin::coinbase_height(*coinbase);
  if (!height) return refuted("coinbase does not state the block's height");
  // Nothing in a header names its network. Blocks of a dir: ledger say in their coinbase what they
  // are, so that at least these cannot pass for those of another trivial network, nor the reverse.
  if (network->trivial && (network->name == "dir") != is_dir_coinbase(*coinbase)) {
    return refuted("block is of another network");
  }

  const bitcoin::BlockHeader header = bitcoin::parse_header(receipt.block_header);
  ReceiptFacts facts;
  facts.network = *network;
  facts.block_hash = bitcoin::block_hash(receipt.block_header);
  facts.height = *height;
  facts.time_s = header.time_s;
  facts.txid = sha256d(receipt.transaction);
  if (facts.block_hash != receipt.block_hash) return refuted("block hash is not the header's");
  TWINCHAIN_TRY(check_branches(receipt, facts.txid, header.merkle_root));
  // Last, because it is what takes long on Litecoin.
  if (!network->check_proof_of_work(receipt.block_header)) {
    return refuted("header does not meet its proof of work");
  }
  return facts;
}

}  // namespace twinchain::ledger
