// Bitcoin script: reading operations, pushes, numbers, data outputs. Floor 2.
//
// Source: Bitcoin Core script/script.h. The interpreter is interpreter.hpp, all opcodes are in
// opcodes.hpp.
#pragma once

#include <cstdint>
#include <optional>

#include "twinchain/base/bytes.hpp"

namespace twinchain::bitcoin {

inline constexpr std::uint8_t OP_0 = 0x00;
inline constexpr std::uint8_t OP_PUSHDATA1 = 0x4c;
inline constexpr std::uint8_t OP_PUSHDATA2 = 0x4d;
inline constexpr std::uint8_t OP_PUSHDATA4 = 0x4e;
inline constexpr std::uint8_t OP_1NEGATE = 0x4f;
inline constexpr std::uint8_t OP_1 = 0x51;
inline constexpr std::uint8_t OP_TRUE = OP_1;
inline constexpr std::uint8_t OP_16 = 0x60;
inline constexpr std::uint8_t OP_RETURN = 0x6a;

struct ScriptOperation {
  std::uint8_t opcode = 0;
  ByteView data;  ///< what a push pushes, in the script's own bytes; empty for other operations
};

/// Reads a script's operations one after the other. The script must outlive the reader.
class ScriptReader {
 public:
  explicit ScriptReader(ByteView script) : cursor_(script) {}
  /// Nothing at the end, and when a push reaches past it (then malformed() is true).
  std::optional<ScriptOperation> next();
  [[nodiscard]] bool malformed() const { return !cursor_.ok(); }
  [[nodiscard]] bool at_end() const { return cursor_.at_end(); }
  /// Of the first byte not yet read.
  [[nodiscard]] std::size_t offset() const { return cursor_.offset(); }

 private:
  ByteCursor cursor_;
};

/// Pushes bytes with the shortest push opcode for their length, as Bitcoin's `script << bytes`.
/// (It does not use OP_1 to OP_16 for single bytes.)
void append_push(Bytes& script, ByteView data);
/// Pushes a number as Bitcoin's `script << int64`: OP_0, OP_1NEGATE, OP_1 to OP_16, or its
/// little-endian sign-and-magnitude bytes.
void append_push_number(Bytes& script, std::int64_t value);
/// The bytes of a script number; empty for 0.
Bytes encode_script_number(std::int64_t value);
/// Nothing when longer than max_size bytes (at most 8) or not in shortest form.
std::optional<std::int64_t> decode_script_number(ByteView bytes, std::size_t max_size);
/// The same, in any form that fits.
std::optional<std::int64_t> decode_script_number_lax(ByteView bytes, std::size_t max_size);

/// The script without each `piece` that begins where an operation begins (Bitcoin's FindAndDelete,
/// which is byte for byte: what is behind a piece that was left out may be looked at as a piece,
/// too). Nothing when it has none.
std::optional<Bytes> find_and_delete(ByteView script, ByteView piece);

/// Whether all operations are pushes (OP_RESERVED counts as one).
bool is_push_only(ByteView script);
/// OP_HASH160, 20 bytes, OP_EQUAL and nothing else, in exactly these 23 bytes (BIP 16).
bool is_pay_to_script_hash(ByteView script);

/// OP_RETURN and one push. By policy 80 bytes pass through every node (INTEROP); the limit is the
/// caller's.
Bytes op_return_script(ByteView payload);
/// The payload of a script that is exactly what op_return_script() makes: OP_RETURN, one push in
/// its shortest form, nothing more. A view into `script`.
std::optional<ByteView> op_return_payload(ByteView script);

/// Whether no input can ever spend it: OP_RETURN, or OP_FALSE OP_RETURN, is what it begins with, or
/// it is longer than a script may be (10,000 bytes). Such outputs need not be kept as unspent.
bool is_unspendable(ByteView script);

/// An output that carries data: OP_FALSE OP_RETURN, a tag, the data, each in one push of the
/// shortest form. It is never executed, so that the limit of 520 bytes a push does not apply.
struct DataOutput {
  ByteView tag;   ///< 1 to 75 bytes
  ByteView data;  ///< 0 to max_data_output_size bytes
};
inline constexpr std::size_t max_data_tag_size = 75;
/// So that the script stays below what Bitcoin's CompactSize may say (32 MiB).
inline constexpr std::size_t max_data_output_size = 0x02000000 - 128;
/// Nothing when the tag or the data do not keep to their limits.
std::optional<Bytes> data_output_script(ByteView tag, ByteView data);
/// The parts of a script that is exactly what data_output_script() makes; views into `script`.
std::optional<DataOutput> read_data_output(ByteView script);

}  // namespace twinchain::bitcoin
