#include "twinchain/bitcoin/tx.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::bitcoin {
namespace {

constexpr std::uint8_t flag_witness = 0x01;
constexpr std::uint8_t flag_extension = 0x08;  // Litecoin's MWEB

// The least that one takes on the wire: what a count is checked against before any memory is
// taken for it.
constexpr std::size_t min_input_size = 32 + 4 + 1 + 4;
constexpr std::size_t min_output_size = 8 + 1;

std::unexpected<Error> bad(std::size_t offset, std::string_view what) {
  std::string message = "transaction: byte ";
  message += decimal(std::uint64_t{offset});
  message += ": ";
  message += what;
  return fail(ExitCode::malformed, std::move(message));
}

class Reader {
 public:
  // `alone`: the transaction is all of the input, so that what lies before its last four bytes
  // may be extension data without a length.
  Reader(ByteCursor& cursor, bool alone)
      : cursor_(cursor), start_(cursor.offset()), alone_(alone) {}

  Result<Transaction> read(TxEncoding encoding) {
    tx_.version = cursor_.read_le<std::int32_t>();
    std::uint8_t flags = 0;
    TWINCHAIN_TRY(read_inputs());
    if (tx_.inputs.empty() && encoding == TxEncoding::full) {
      // The empty list is the marker of the extended form; or there are really no inputs, and
      // then the flags are the empty list of outputs.
      flags = cursor_.read_le<std::uint8_t>();
      if (flags != 0) {
        TWINCHAIN_TRY(read_inputs());
        TWINCHAIN_TRY(read_outputs());
      }
    } else {
      TWINCHAIN_TRY(read_outputs());
    }
    if ((flags & flag_witness) != 0) TWINCHAIN_TRY(read_witness());
    if ((flags & flag_extension) != 0) TWINCHAIN_TRY(read_extension());
    if ((flags & ~(flag_witness | flag_extension)) != 0) return error("unknown flags");
    tx_.lock_time = cursor_.read_le<std::uint32_t>();
    if (!cursor_.ok()) return error("ends within the transaction");
    return std::move(tx_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> error(std::string_view what) const {
    return bad(cursor_.offset() - start_, what);
  }

  Result<std::size_t> read_count(std::size_t min_item_size, std::string_view what) {
    const auto count = read_compact_size(cursor_);
    if (!count) {
      return error(cursor_.ok() ? "a count that is too large or not in shortest form"
                                : "ends within a count");
    }
    if (*count > cursor_.remaining() / min_item_size) return error(what);
    return static_cast<std::size_t>(*count);
  }

  Result<Bytes> read_string() {
    auto size = read_count(1, "a string that is longer than the input");
    if (!size) return pass(size);
    const ByteView view = cursor_.read_view(*size);
    return Bytes(view.begin(), view.end());
  }

  Status read_inputs() {
    auto count = read_count(min_input_size, "more inputs than the input can hold");
    if (!count) return pass(count);
    tx_.inputs.resize(*count);
    for (TxIn& input : tx_.inputs) {
      input.previous_output.txid = cursor_.read_array<32>();
      input.previous_output.index = cursor_.read_le<std::uint32_t>();
      auto script = read_string();
      if (!script) return pass(script);
      input.script_sig = std::move(*script);
      input.sequence = cursor_.read_le<std::uint32_t>();
    }
    return {};
  }

  Status read_outputs() {
    auto count = read_count(min_output_size, "more outputs than the input can hold");
    if (!count) return pass(count);
    tx_.outputs.resize(*count);
    for (TxOut& output : tx_.outputs) {
      output.value_sat = cursor_.read_le<std::int64_t>();
      auto script = read_string();
      if (!script) return pass(script);
      output.script_pubkey = std::move(*script);
    }
    return {};
  }

  Status read_witness() {
    for (TxIn& input : tx_.inputs) {
      auto count = read_count(1, "more witness items than the input can hold");
      if (!count) return pass(count);
      input.witness.reserve(*count);
      for (std::size_t i = 0; i < *count; ++i) {
        auto item = read_string();
        if (!item) return pass(item);
        input.witness.push_back(std::move(*item));
      }
    }
    // As Bitcoin: a flag without a witness would be a second encoding of the same transaction.
    if (!tx_.has_witness()) return error("witness flag without a witness");
    return {};
  }

  Status read_extension() {
    const auto present = cursor_.read_le<std::uint8_t>();
    if (!cursor_.ok()) return error("ends within the transaction");
    if (present == 0) {
      if (tx_.outputs.empty()) return error("hogex without outputs");
      tx_.hogex = true;
      return {};
    }
    if (present != 1) return error("extension marker is neither 0 nor 1");
    if (!alone_) return error("extension data in a block's transaction");
    if (cursor_.remaining() < sizeof(tx_.lock_time)) return error("ends within the transaction");
    const ByteView data = cursor_.read_view(cursor_.remaining() - sizeof(tx_.lock_time));
    tx_.extension.reserve(1 + data.size());
    tx_.extension.push_back(present);
    append(tx_.extension, data);
    return {};
  }

  ByteCursor& cursor_;
  std::size_t start_;
  bool alone_;
  Transaction tx_;
};

void append_string(Bytes& out, ByteView bytes) {
  append_compact_size(out, bytes.size());
  append(out, bytes);
}

}  // namespace

bool Transaction::has_witness() const {
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const TxIn& input) { return !input.witness.empty(); });
}

Result<Transaction> parse_transaction(ByteView bytes, TxEncoding encoding, std::size_t max_size) {
  if (bytes.size() > max_size) {
    return bad(max_size, "longer than " + decimal(std::uint64_t{max_size}) + " bytes");
  }
  ByteCursor cursor(bytes);
  auto transaction = Reader(cursor, true).read(encoding);
  if (transaction && !cursor.at_end()) return bad(cursor.offset(), "bytes after the transaction");
  return transaction;
}

Result<Transaction> read_transaction(ByteCursor& cursor, TxEncoding encoding) {
  return Reader(cursor, false).read(encoding);
}

Bytes serialize(const Transaction& transaction, TxEncoding encoding) {
  // Scripts, and more than the rest takes but for a witness: data of megabytes is copied once.
  std::size_t size_hint = 32;
  for (const TxIn& input : transaction.inputs) size_hint += 49 + input.script_sig.size();
  for (const TxOut& output : transaction.outputs) size_hint += 17 + output.script_pubkey.size();
  Bytes out;
  out.reserve(size_hint);
  append_transaction(out, transaction, encoding);
  return out;
}

void append_transaction(Bytes& out, const Transaction& transaction, TxEncoding encoding) {
  std::uint8_t flags = 0;
  if (encoding == TxEncoding::full) {
    if (transaction.has_witness()) flags |= flag_witness;
    if (transaction.hogex || !transaction.extension.empty()) flags |= flag_extension;
  }
  append_le(out, transaction.version);
  if (flags != 0) {
    out.push_back(0);
    out.push_back(flags);
  }
  append_compact_size(out, transaction.inputs.size());
  for (const TxIn& input : transaction.inputs) {
    append(out, input.previous_output.txid);
    append_le(out, input.previous_output.index);
    append_string(out, input.script_sig);
    append_le(out, input.sequence);
  }
  append_compact_size(out, transaction.outputs.size());
  for (const TxOut& output : transaction.outputs) {
    append_le(out, output.value_sat);
    append_string(out, output.script_pubkey);
  }
  if ((flags & flag_witness) != 0) {
    for (const TxIn& input : transaction.inputs) {
      append_compact_size(out, input.witness.size());
      for (const Bytes& item : input.witness) append_string(out, item);
    }
  }
  if ((flags & flag_extension) != 0) {
    if (transaction.extension.empty()) {
      out.push_back(0);
    } else {
      append(out, transaction.extension);
    }
  }
  append_le(out, transaction.lock_time);
}

Hash256 txid(const Transaction& transaction) {
  return sha256d(serialize(transaction, TxEncoding::no_witness));
}

Hash256 wtxid(const Transaction& transaction) {
  return sha256d(serialize(transaction));
}

Result<Bytes> strip_witness(ByteView raw_transaction) {
  auto transaction = parse_transaction(raw_transaction);
  if (!transaction) return pass(transaction);
  return serialize(*transaction, TxEncoding::no_witness);
}

}  // namespace twinchain::bitcoin
