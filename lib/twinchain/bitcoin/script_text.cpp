#include "twinchain/bitcoin/script_text.hpp"

#include <charconv>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/opcodes.hpp"

namespace twinchain::bitcoin {
namespace {

constexpr std::int64_t max_text_number = 0xffffffff;
/// Of tapscript (BIP 342); to scripts before it an unknown operation.
constexpr std::uint8_t OP_CHECKSIGADD = 0xba;

std::optional<std::int64_t> parse_number(std::string_view word) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || stop != word.data() + word.size()) return std::nullopt;
  return value;
}

/// "OP_0" to "OP_16", "OP_1NEGATE", "OP_TRUE", "OP_FALSE"; without "OP_" those that are no numbers.
std::optional<std::uint8_t> parse_small_push(std::string_view word) {
  if (word.starts_with("OP_")) word.remove_prefix(3);
  if (word == "FALSE") return OP_0;
  if (word == "TRUE") return OP_TRUE;
  if (word == "1NEGATE") return OP_1NEGATE;
  const auto number = parse_number(word);
  if (!number || *number < 0 || *number > 16 || (word.size() > 1 && word[0] == '0')) {
    return std::nullopt;
  }
  return *number == 0 ? OP_0 : static_cast<std::uint8_t>(OP_1 + *number - 1);
}

bool append_word(Bytes& script, std::string_view word) {
  if (const auto number = parse_number(word)) {
    if (*number < -max_text_number || *number > max_text_number) return false;
    append_push_number(script, *number);
    return true;
  }
  if (word.starts_with("0x") && word.size() > 2) {
    const auto bytes = from_hex(word.substr(2));
    if (bytes) append(script, *bytes);
    return bytes.has_value();
  }
  if (word.size() >= 2 && word.front() == '\'' && word.back() == '\'') {
    append_push(script, as_bytes(word.substr(1, word.size() - 2)));
    return true;
  }
  auto opcode = opcode_by_name(word);
  if (!opcode) opcode = parse_small_push(word);
  if (word == "CHECKSIGADD" || word == "OP_CHECKSIGADD") opcode = OP_CHECKSIGADD;
  if (opcode) script.push_back(*opcode);
  return opcode.has_value();
}

}  // namespace

Result<Bytes> parse_script_text(std::string_view text) {
  constexpr std::string_view spaces = " \t\n";
  Bytes script;
  std::size_t at = text.find_first_not_of(spaces);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(spaces, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (!append_word(script, word)) {
      return fail(ExitCode::malformed,
                  "script: byte " + decimal(std::uint64_t{at}) +
                      ": not a number, text, bytes or an operation: " + escape(word));
    }
    at = text.find_first_not_of(spaces, end);
  }
  return script;
}

std::string format_script(ByteView script) {
  std::string out;
  const auto add = [&out](std::string_view word) {
    if (!out.empty()) out += ' ';
    out += word;
  };
  const auto add_bytes = [&add](ByteView bytes) {
    if (!bytes.empty()) add("0x" + to_hex(bytes));
  };
  std::size_t at = 0;
  ScriptReader reader(script);
  while (const auto operation = reader.next()) {
    const std::string_view name = opcode_name(operation->opcode);
    if (!name.empty()) {
      add(name);
    } else {
      const std::size_t prefix = reader.offset() - at - operation->data.size();
      add_bytes(script.subspan(at, prefix));
      add_bytes(operation->data);
    }
    at = reader.offset();
  }
  // A push that reaches past the end.
  add_bytes(script.subspan(at));
  return out;
}

}  // namespace twinchain::bitcoin
