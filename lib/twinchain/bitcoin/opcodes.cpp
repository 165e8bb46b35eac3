#include "twinchain/bitcoin/opcodes.hpp"

#include <array>

namespace twinchain::bitcoin {
namespace {

/// From OP_NOP (0x61) on, without a gap.
constexpr std::array<std::string_view, 89> names_from_nop{
    "OP_NOP",
    "OP_VER",
    "OP_IF",
    "OP_NOTIF",
    "OP_VERIF",
    "OP_VERNOTIF",
    "OP_ELSE",
    "OP_ENDIF",
    "OP_VERIFY",
    "OP_RETURN",
    "OP_TOALTSTACK",
    "OP_FROMALTSTACK",
    "OP_2DROP",
    "OP_2DUP",
    "OP_3DUP",
    "OP_2OVER",
    "OP_2ROT",
    "OP_2SWAP",
    "OP_IFDUP",
    "OP_DEPTH",
    "OP_DROP",
    "OP_DUP",
    "OP_NIP",
    "OP_OVER",
    "OP_PICK",
    "OP_ROLL",
    "OP_ROT",
    "OP_SWAP",
    "OP_TUCK",
    "OP_CAT",
    "OP_SUBSTR",
    "OP_LEFT",
    "OP_RIGHT",
    "OP_SIZE",
    "OP_INVERT",
    "OP_AND",
    "OP_OR",
    "OP_XOR",
    "OP_EQUAL",
    "OP_EQUALVERIFY",
    "OP_RESERVED1",
    "OP_RESERVED2",
    "OP_1ADD",
    "OP_1SUB",
    "OP_2MUL",
    "OP_2DIV",
    "OP_NEGATE",
    "OP_ABS",
    "OP_NOT",
    "OP_0NOTEQUAL",
    "OP_ADD",
    "OP_SUB",
    "OP_MUL",
    "OP_DIV",
    "OP_MOD",
    "OP_LSHIFT",
    "OP_RSHIFT",
    "OP_BOOLAND",
    "OP_BOOLOR",
    "OP_NUMEQUAL",
    "OP_NUMEQUALVERIFY",
    "OP_NUMNOTEQUAL",
    "OP_LESSTHAN",
    "OP_GREATERTHAN",
    "OP_LESSTHANOREQUAL",
    "OP_GREATERTHANOREQUAL",
    "OP_MIN",
    "OP_MAX",
    "OP_WITHIN",
    "OP_RIPEMD160",
    "OP_SHA1",
    "OP_SHA256",
    "OP_HASH160",
    "OP_HASH256",
    "OP_CODESEPARATOR",
    "OP_CHECKSIG",
    "OP_CHECKSIGVERIFY",
    "OP_CHECKMULTISIG",
    "OP_CHECKMULTISIGVERIFY",
    "OP_NOP1",
    "OP_CHECKLOCKTIMEVERIFY",
    "OP_CHECKSEQUENCEVERIFY",
    "OP_NOP4",
    "OP_NOP5",
    "OP_NOP6",
    "OP_NOP7",
    "OP_NOP8",
    "OP_NOP9",
    "OP_NOP10",
};
constexpr std::array<std::string_view, 18> names_of_numbers{"-1", "",   "1",  "2",  "3",  "4",
                                                            "5",  "6",  "7",  "8",  "9",  "10",
                                                            "11", "12", "13", "14", "15", "16"};

}  // namespace

std::string_view opcode_name(std::uint8_t opcode) {
  if (opcode == OP_0) return "0";
  if (opcode == OP_RESERVED) return "OP_RESERVED";
  if (opcode >= OP_1NEGATE && opcode <= OP_16) {
    return names_of_numbers.at(static_cast<std::size_t>(opcode - OP_1NEGATE));
  }
  if (opcode < OP_NOP || opcode > OP_NOP10) return {};
  return names_from_nop.at(static_cast<std::size_t>(opcode - OP_NOP));
}

std::optional<std::uint8_t> opcode_by_name(std::string_view name) {
  if (name.starts_with("OP_")) name.remove_prefix(3);
  // Before BIPs 65 and 112 gave them a meaning.
  if (name == "NOP2") return OP_CHECKLOCKTIMEVERIFY;
  if (name == "NOP3") return OP_CHECKSEQUENCEVERIFY;
  if (name == "RESERVED") return OP_RESERVED;
  for (std::size_t i = 0; i < names_from_nop.size(); ++i) {
    if (names_from_nop.at(i).substr(3) == name) return static_cast<std::uint8_t>(OP_NOP + i);
  }
  return std::nullopt;
}

}  // namespace twinchain::bitcoin
