#include "twinchain/bitcoin/script.hpp"

#include <algorithm>

#include "twinchain/bitcoin/opcodes.hpp"

namespace twinchain::bitcoin {
namespace {

constexpr std::size_t longest_script_size = 10'000;  // interpreter.hpp's max_script_size

}  // namespace

std::optional<ScriptOperation> ScriptReader::next() {
  if (!cursor_.ok() || cursor_.at_end()) return std::nullopt;
  ScriptOperation operation;
  operation.opcode = cursor_.read_le<std::uint8_t>();
  std::size_t size = 0;
  if (operation.opcode < OP_PUSHDATA1) size = operation.opcode;
  if (operation.opcode == OP_PUSHDATA1) size = cursor_.read_le<std::uint8_t>();
  if (operation.opcode == OP_PUSHDATA2) size = cursor_.read_le<std::uint16_t>();
  if (operation.opcode == OP_PUSHDATA4) size = cursor_.read_le<std::uint32_t>();
  operation.data = cursor_.read_view(size);
  if (!cursor_.ok()) return std::nullopt;
  return operation;
}

void append_push(Bytes& script, ByteView data) {
  if (data.size() < OP_PUSHDATA1) {
    script.push_back(static_cast<std::uint8_t>(data.size()));
  } else if (data.size() <= 0xff) {
    script.push_back(OP_PUSHDATA1);
    script.push_back(static_cast<std::uint8_t>(data.size()));
  } else if (data.size() <= 0xffff) {
    script.push_back(OP_PUSHDATA2);
    append_le(script, static_cast<std::uint16_t>(data.size()));
  } else {
    script.push_back(OP_PUSHDATA4);
    append_le(script, static_cast<std::uint32_t>(data.size()));
  }
  append(script, data);
}

void append_push_number(Bytes& script, std::int64_t value) {
  if (value == 0) {
    script.push_back(OP_0);
  } else if (value == -1) {
    script.push_back(OP_1NEGATE);
  } else if (value >= 1 && value <= 16) {
    script.push_back(static_cast<std::uint8_t>(OP_1 + value - 1));
  } else {
    append_push(script, encode_script_number(value));
  }
}

Bytes encode_script_number(std::int64_t value) {
  Bytes bytes;
  const bool negative = value < 0;
  // Negating as unsigned is defined for the smallest number too.
  auto magnitude = static_cast<std::uint64_t>(value);
  if (negative) magnitude = ~magnitude + 1;
  while (magnitude != 0) {
    bytes.push_back(static_cast<std::uint8_t>(magnitude & 0xff));
    magnitude >>= 8;
  }
  if (bytes.empty()) return bytes;
  // The top bit of the last byte is the sign; where the number needs it, one byte more.
  if ((bytes.back() & 0x80) != 0) {
    bytes.push_back(negative ? 0x80 : 0x00);
  } else if (negative) {
    bytes.back() |= 0x80;
  }
  return bytes;
}

std::optional<std::int64_t> decode_script_number(ByteView bytes, std::size_t max_size) {
  // Not in shortest form: a last byte without a digit of its own, unless the byte before it has
  // its top bit set and so cannot carry the sign.
  if (!bytes.empty() && (bytes.back() & 0x7f) == 0 &&
      (bytes.size() == 1 || (bytes[bytes.size() - 2] & 0x80) == 0)) {
    return std::nullopt;
  }
  return decode_script_number_lax(bytes, max_size);
}

std::optional<std::int64_t> decode_script_number_lax(ByteView bytes, std::size_t max_size) {
  if (bytes.size() > max_size || bytes.size() > 8) return std::nullopt;
  if (bytes.empty()) return 0;
  std::uint64_t magnitude = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t digit = i + 1 == bytes.size() ? bytes[i] & 0x7f : bytes[i];
    magnitude |= std::uint64_t{digit} << (8 * i);
  }
  const auto value = static_cast<std::int64_t>(magnitude);
  return (bytes.back() & 0x80) != 0 ? -value : value;
}

std::optional<Bytes> find_and_delete(ByteView script, ByteView piece) {
  if (piece.empty() || script.size() < piece.size()) return std::nullopt;
  const auto piece_at = [&](std::size_t at) {
    return script.size() - at >= piece.size() &&
           std::equal(piece.begin(), piece.end(), script.begin() + static_cast<std::ptrdiff_t>(at));
  };
  Bytes kept;
  bool found = false;
  std::size_t copied = 0;  // up to here the script is in `kept`, or left out
  std::size_t at = 0;
  while (true) {
    while (piece_at(at)) {
      if (!found) kept.reserve(script.size() - piece.size());
      found = true;
      append(kept, script.subspan(copied, at - copied));
      at += piece.size();
      copied = at;
    }
    ScriptReader reader(script.subspan(at));
    if (!reader.next()) break;
    at += reader.offset();
  }
  if (!found) return std::nullopt;
  append(kept, script.subspan(copied));
  return kept;
}

bool is_push_only(ByteView script) {
  ScriptReader reader(script);
  while (const auto operation = reader.next()) {
    if (operation->opcode > OP_16) return false;
  }
  return !reader.malformed();
}

bool is_pay_to_script_hash(ByteView script) {
  return script.size() == 23 && script[0] == OP_HASH160 && script[1] == 20 &&
         script[22] == OP_EQUAL;
}

Bytes op_return_script(ByteView payload) {
  Bytes script{OP_RETURN};
  append_push(script, payload);
  return script;
}

namespace {

/// Bytes of the shortest push of `size` bytes before the bytes themselves.
std::size_t push_prefix_size(std::size_t size) {
  if (size < OP_PUSHDATA1) return 1;
  if (size <= 0xff) return 2;
  return size <= 0xffff ? 3 : 5;
}

}  // namespace

std::optional<ByteView> op_return_payload(ByteView script) {
  ScriptReader reader(script);
  const auto first = reader.next();
  if (!first || first->opcode != OP_RETURN) return std::nullopt;
  const auto push = reader.next();
  if (!push || push->opcode > OP_PUSHDATA4 || !reader.at_end()) return std::nullopt;
  // One encoding only: building it again must give the same bytes.
  const std::size_t prefix = script.size() - push->data.size();
  const std::size_t size = push->data.size();
  if (prefix != 1 + push_prefix_size(size)) return std::nullopt;
  return push->data;
}

bool is_unspendable(ByteView script) {
  if (script.size() > longest_script_size) return true;
  if (!script.empty() && script[0] == OP_RETURN) return true;
  return script.size() >= 2 && script[0] == OP_0 && script[1] == OP_RETURN;
}

std::optional<Bytes> data_output_script(ByteView tag, ByteView data) {
  if (tag.empty() || tag.size() > max_data_tag_size) return std::nullopt;
  if (data.size() > max_data_output_size) return std::nullopt;
  Bytes script;
  script.reserve(2 + 1 + tag.size() + push_prefix_size(data.size()) + data.size());
  script.push_back(OP_0);
  script.push_back(OP_RETURN);
  append_push(script, tag);
  append_push(script, data);
  return script;
}

std::optional<DataOutput> read_data_output(ByteView script) {
  if (script.size() < 2 || script[0] != OP_0 || script[1] != OP_RETURN) return std::nullopt;
  ScriptReader reader(script.subspan(2));
  const auto tag = reader.next();
  if (!tag || tag->opcode == OP_0 || tag->opcode > max_data_tag_size) return std::nullopt;
  const auto push = reader.next();
  if (!push || push->opcode > OP_PUSHDATA4 || !reader.at_end()) return std::nullopt;
  const std::size_t size = push->data.size();
  if (size > max_data_output_size) return std::nullopt;
  // One encoding only, as above.
  const std::size_t used = script.size() - 2 - 1 - tag->data.size() - size;
  if (used != push_prefix_size(size)) return std::nullopt;
  return DataOutput{tag->data, push->data};
}

}  // namespace twinchain::bitcoin
