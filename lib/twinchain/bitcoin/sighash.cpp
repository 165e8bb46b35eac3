#include "twinchain/bitcoin/sighash.hpp"

#include <optional>

#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::bitcoin {
namespace {

/// Of an input whose script is empty: outpoint, length 0, sequence.
constexpr std::size_t outpoint_size = 32 + 4;
constexpr std::size_t sequence_size = 4;
constexpr std::size_t blank_input_size = outpoint_size + 1 + sequence_size;

/// An output as SIGHASH_SINGLE has it for those before its own: amount -1, no script.
constexpr std::array<std::uint8_t, 9> null_output{0xff, 0xff, 0xff, 0xff, 0xff,
                                                  0xff, 0xff, 0xff, 0x00};

/// Collects small pieces, so that the hash function is not called for a few bytes at a time; most
/// transactions fit as a whole.
class PieceHasher {
 public:
  PieceHasher() { buffer_.reserve(capacity); }
  void add(ByteView piece) {
    if (buffer_.size() + piece.size() > capacity) flush();
    if (piece.size() > capacity) {
      hash_->update(piece);
    } else {
      append(buffer_, piece);
    }
  }
  void add_compact_size(std::uint64_t value) {
    if (buffer_.size() + 9 > capacity) flush();
    append_compact_size(buffer_, value);
  }
  Hash256 finish() {
    if (!hash_) return sha256d(buffer_);
    flush();
    return sha256(hash_->finish());
  }

 private:
  // As much as glibc's malloc keeps for its thread: more would cost a search and a merge each time.
  static constexpr std::size_t capacity = 1024;
  void flush() {
    if (!hash_) hash_.emplace();
    hash_->update(buffer_);
    buffer_.clear();
  }
  std::optional<Sha256> hash_;
  Bytes buffer_;
};

/// With its length before it, and without its OP_CODESEPARATORs.
void add_script_code(PieceHasher& out, ByteView script) {
  std::size_t separators = 0;
  ScriptReader counting(script);
  while (const auto operation = counting.next()) {
    if (operation->opcode == OP_CODESEPARATOR) ++separators;
  }
  out.add_compact_size(script.size() - separators);
  if (separators == 0) return out.add(script);
  std::size_t from = 0;
  ScriptReader reader(script);
  while (const auto operation = reader.next()) {
    if (operation->opcode != OP_CODESEPARATOR) continue;
    out.add(script.subspan(from, reader.offset() - 1 - from));
    from = reader.offset();
  }
  out.add(script.subspan(from));
}

void add_output(PieceHasher& out, const TxOut& output) {
  std::array<std::uint8_t, 8> value{};
  store_le(value.data(), output.value_sat);
  out.add(value);
  out.add_compact_size(output.script_pubkey.size());
  out.add(output.script_pubkey);
}

}  // namespace

SignatureHasher::SignatureHasher(const Transaction& transaction) : transaction_(transaction) {
  std::size_t size = 4 + 9 + blank_input_size * transaction.inputs.size() + 9 + 4;
  for (const TxOut& output : transaction.outputs) size += 8 + 9 + output.script_pubkey.size();
  blank_.reserve(size);
  append_le(blank_, transaction.version);
  append_compact_size(blank_, transaction.inputs.size());
  inputs_at_ = blank_.size();
  for (const TxIn& input : transaction.inputs) {
    append(blank_, input.previous_output.txid);
    append_le(blank_, input.previous_output.index);
    blank_.push_back(0);
    append_le(blank_, input.sequence);
  }
  outputs_at_ = blank_.size();
  append_compact_size(blank_, transaction.outputs.size());
  for (const TxOut& output : transaction.outputs) {
    append_le(blank_, output.value_sat);
    append_compact_size(blank_, output.script_pubkey.size());
    append(blank_, output.script_pubkey);
  }
  append_le(blank_, transaction.lock_time);
}

Hash256 SignatureHasher::hash(std::size_t input, ByteView script_code,
                              std::int32_t hash_type) const {
  Hash256 one{};
  one[0] = 1;
  const std::size_t input_count = transaction_.inputs.size();
  if (input >= input_count) return one;
  const bool single = (hash_type & 0x1f) == sighash_single;
  const bool none = (hash_type & 0x1f) == sighash_none;
  if (single && input >= transaction_.outputs.size()) return one;

  const ByteView blank = blank_;
  PieceHasher out;
  const auto add_signed_input = [&] {
    const ByteView own = blank.subspan(inputs_at_ + input * blank_input_size, blank_input_size);
    out.add(own.first(outpoint_size));
    add_script_code(out, script_code);
    out.add(own.last(sequence_size));
  };
  if ((hash_type & sighash_anyone_can_pay) != 0) {
    out.add(blank.first(4));
    out.add_compact_size(1);
    add_signed_input();
  } else if (!single && !none) {
    out.add(blank.first(inputs_at_ + input * blank_input_size));
    add_signed_input();
    const std::size_t rest_at = inputs_at_ + (input + 1) * blank_input_size;
    out.add(blank.subspan(rest_at, outputs_at_ - rest_at));
  } else {
    // The other inputs may change their sequence: it is hashed as zero.
    static constexpr std::array<std::uint8_t, sequence_size> zero{};
    out.add(blank.first(inputs_at_));
    for (std::size_t i = 0; i < input_count; ++i) {
      if (i == input) {
        add_signed_input();
        continue;
      }
      out.add(blank.subspan(inputs_at_ + i * blank_input_size, outpoint_size + 1));
      out.add(zero);
    }
  }
  if (none) {
    out.add_compact_size(0);
    out.add(blank.last(4));
  } else if (single) {
    out.add_compact_size(input + 1);
    for (std::size_t i = 0; i < input; ++i) out.add(null_output);
    add_output(out, transaction_.outputs[input]);
    out.add(blank.last(4));
  } else {
    out.add(blank.subspan(outputs_at_));
  }
  std::array<std::uint8_t, 4> type{};
  store_le(type.data(), hash_type);
  out.add(type);
  return out.finish();
}

Hash256 signature_hash(const Transaction& transaction, std::size_t input, ByteView script_code,
                       std::int32_t hash_type) {
  return SignatureHasher(transaction).hash(input, script_code, hash_type);
}

}  // namespace twinchain::bitcoin
