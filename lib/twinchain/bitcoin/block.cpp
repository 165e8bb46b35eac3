#include "twinchain/bitcoin/block.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::bitcoin {
namespace {

// Without inputs and outputs a transaction takes version, two counts and lock time.
constexpr std::size_t min_transaction_size = 10;

std::unexpected<Error> bad_block(std::size_t offset, std::string_view what) {
  std::string message = "block: byte ";
  message += decimal(std::uint64_t{offset});
  message += ": ";
  message += what;
  return fail(ExitCode::malformed, std::move(message));
}

}  // namespace

Result<Block> parse_block(ByteView bytes, std::size_t max_size) {
  if (bytes.size() > max_size) {
    return bad_block(max_size, "longer than " + decimal(std::uint64_t{max_size}) + " bytes");
  }
  ByteCursor cursor(bytes);
  Block block;
  block.header = read_header(cursor);
  const auto count = read_compact_size(cursor);
  if (!count || *count > cursor.remaining() / min_transaction_size) {
    return bad_block(cursor.offset(), cursor.ok() ? "more transactions than the block can hold"
                                                  : "ends within the header");
  }
  // Grows as it goes: a Transaction is larger in memory than the shortest one on the wire.
  for (std::uint64_t i = 0; i < *count; ++i) {
    const std::size_t start = cursor.offset();
    auto transaction = read_transaction(cursor);
    if (!transaction) {
      return bad_block(start, "transaction " + decimal(i) + ": " + transaction.error().message);
    }
    block.transactions.push_back(std::move(*transaction));
  }
  if (!cursor.at_end()) {
    if (block.transactions.empty() || !block.transactions.back().hogex) {
      return bad_block(cursor.offset(), "bytes after the last transaction");
    }
    const ByteView extension = cursor.read_view(cursor.remaining());
    block.extension.assign(extension.begin(), extension.end());
  }
  return block;
}

Bytes serialize(const Block& block) {
  Bytes out;
  append(out, serialize(block.header));
  append_compact_size(out, block.transactions.size());
  for (const Transaction& transaction : block.transactions) append_transaction(out, transaction);
  append(out, block.extension);
  return out;
}

std::vector<Hash256> txids(const Block& block) {
  std::vector<Hash256> ids;
  ids.reserve(block.transactions.size());
  for (const Transaction& transaction : block.transactions) ids.push_back(txid(transaction));
  return ids;
}

Status check_block(const Block& block, std::vector<Hash256>* ids) {
  if (block.transactions.empty() || !block.transactions[0].is_coinbase()) {
    return fail(ExitCode::refuted, "block: first transaction is not a coinbase");
  }
  std::vector<Hash256> made;
  made.reserve(block.transactions.size());
  for (const Transaction& transaction : block.transactions) {
    if (&transaction != &block.transactions[0] && transaction.is_coinbase()) {
      return fail(ExitCode::refuted, "block: more than one coinbase");
    }
    const Bytes bytes = serialize(transaction, TxEncoding::no_witness);
    if (bytes.size() == 2 * sizeof(Hash256)) {
      return fail(ExitCode::refuted, "block: transaction of 64 bytes");
    }
    made.push_back(sha256d(bytes));
  }
  bool mutated = false;
  if (merkle_root(made, &mutated) != block.header.merkle_root) {
    return fail(ExitCode::refuted, "block: merkle root is not the header's");
  }
  if (mutated) return fail(ExitCode::refuted, "block: repeated transactions");
  if (ids != nullptr) *ids = std::move(made);
  return {};
}

std::optional<std::uint32_t> coinbase_height(const Transaction& coinbase) {
  if (!coinbase.is_coinbase()) return std::nullopt;
  const Bytes& script = coinbase.inputs[0].script_sig;
  ScriptReader reader(script);
  const auto first = reader.next();
  if (!first) return std::nullopt;
  std::optional<std::int64_t> height;
  if (first->opcode == OP_0) {
    height = 0;
  } else if (first->opcode >= OP_1 && first->opcode <= OP_16) {
    height = first->opcode - OP_1 + 1;
  } else if (first->opcode < OP_PUSHDATA1) {
    height = decode_script_number(first->data, 5);
  }
  if (!height || *height < 0 || *height > 0xffffffff) return std::nullopt;
  // One form only, as BIP 34 is checked: by comparing bytes.
  Bytes expected;
  append_push_number(expected, *height);
  if (!std::equal(
          expected.begin(), expected.end(), script.begin(),
          script.begin() + static_cast<std::ptrdiff_t>(std::min(expected.size(), script.size())))) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*height);
}

void append_coinbase_height(Bytes& script_sig, std::uint32_t height) {
  append_push_number(script_sig, height);
}

}  // namespace twinchain::bitcoin
