#include "twinchain/bitcoin/script.hpp"

namespace twinchain::bitcoin {

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
  if (bytes.size() > max_size || bytes.size() > 8) return std::nullopt;
  if (bytes.empty()) return 0;
  // Not in shortest form: a last byte without a digit of its own, unless the byte before it has
  // its top bit set and so cannot carry the sign.
  if ((bytes.back() & 0x7f) == 0 && (bytes.size() == 1 || (bytes[bytes.size() - 2] & 0x80) == 0)) {
    return std::nullopt;
  }
  std::uint64_t magnitude = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t digit = i + 1 == bytes.size() ? bytes[i] & 0x7f : bytes[i];
    magnitude |= std::uint64_t{digit} << (8 * i);
  }
  const auto value = static_cast<std::int64_t>(magnitude);
  return (bytes.back() & 0x80) != 0 ? -value : value;
}

Bytes op_return_script(ByteView payload) {
  Bytes script{OP_RETURN};
  append_push(script, payload);
  return script;
}

std::optional<ByteView> op_return_payload(ByteView script) {
  ScriptReader reader(script);
  const auto first = reader.next();
  if (!first || first->opcode != OP_RETURN) return std::nullopt;
  const auto push = reader.next();
  if (!push || push->opcode > OP_PUSHDATA4 || !reader.at_end()) return std::nullopt;
  // One encoding only: building it again must give the same bytes.
  const std::size_t prefix = script.size() - push->data.size();
  const std::size_t size = push->data.size();
  const std::size_t shortest = size < OP_PUSHDATA1 ? 2 : size <= 0xff ? 3 : size <= 0xffff ? 4 : 6;
  if (prefix != shortest) return std::nullopt;
  return push->data;
}

}  // namespace twinchain::bitcoin
