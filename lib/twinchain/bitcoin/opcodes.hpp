// Bitcoin's opcodes above the pushes, and their names. Floor 2.
//
// The pushes, OP_1 to OP_16 and OP_RETURN are in script.hpp. Source: Bitcoin Core script/script.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "twinchain/bitcoin/script.hpp"

namespace twinchain::bitcoin {

inline constexpr std::uint8_t OP_RESERVED = 0x50;
inline constexpr std::uint8_t OP_NOP = 0x61;
inline constexpr std::uint8_t OP_VER = 0x62;
inline constexpr std::uint8_t OP_IF = 0x63;
inline constexpr std::uint8_t OP_NOTIF = 0x64;
inline constexpr std::uint8_t OP_VERIF = 0x65;
inline constexpr std::uint8_t OP_VERNOTIF = 0x66;
inline constexpr std::uint8_t OP_ELSE = 0x67;
inline constexpr std::uint8_t OP_ENDIF = 0x68;
inline constexpr std::uint8_t OP_VERIFY = 0x69;
inline constexpr std::uint8_t OP_TOALTSTACK = 0x6b;
inline constexpr std::uint8_t OP_FROMALTSTACK = 0x6c;
inline constexpr std::uint8_t OP_2DROP = 0x6d;
inline constexpr std::uint8_t OP_2DUP = 0x6e;
inline constexpr std::uint8_t OP_3DUP = 0x6f;
inline constexpr std::uint8_t OP_2OVER = 0x70;
inline constexpr std::uint8_t OP_2ROT = 0x71;
inline constexpr std::uint8_t OP_2SWAP = 0x72;
inline constexpr std::uint8_t OP_IFDUP = 0x73;
inline constexpr std::uint8_t OP_DEPTH = 0x74;
inline constexpr std::uint8_t OP_DROP = 0x75;
inline constexpr std::uint8_t OP_DUP = 0x76;
inline constexpr std::uint8_t OP_NIP = 0x77;
inline constexpr std::uint8_t OP_OVER = 0x78;
inline constexpr std::uint8_t OP_PICK = 0x79;
inline constexpr std::uint8_t OP_ROLL = 0x7a;
inline constexpr std::uint8_t OP_ROT = 0x7b;
inline constexpr std::uint8_t OP_SWAP = 0x7c;
inline constexpr std::uint8_t OP_TUCK = 0x7d;
inline constexpr std::uint8_t OP_CAT = 0x7e;
inline constexpr std::uint8_t OP_SUBSTR = 0x7f;
inline constexpr std::uint8_t OP_LEFT = 0x80;
inline constexpr std::uint8_t OP_RIGHT = 0x81;
inline constexpr std::uint8_t OP_SIZE = 0x82;
inline constexpr std::uint8_t OP_INVERT = 0x83;
inline constexpr std::uint8_t OP_AND = 0x84;
inline constexpr std::uint8_t OP_OR = 0x85;
inline constexpr std::uint8_t OP_XOR = 0x86;
inline constexpr std::uint8_t OP_EQUAL = 0x87;
inline constexpr std::uint8_t OP_EQUALVERIFY = 0x88;
inline constexpr std::uint8_t OP_RESERVED1 = 0x89;
inline constexpr std::uint8_t OP_RESERVED2 = 0x8a;
inline constexpr std::uint8_t OP_1ADD = 0x8b;
inline constexpr std::uint8_t OP_1SUB = 0x8c;
inline constexpr std::uint8_t OP_2MUL = 0x8d;
inline constexpr std::uint8_t OP_2DIV = 0x8e;
inline constexpr std::uint8_t OP_NEGATE = 0x8f;
inline constexpr std::uint8_t OP_ABS = 0x90;
inline constexpr std::uint8_t OP_NOT = 0x91;
inline constexpr std::uint8_t OP_0NOTEQUAL = 0x92;
inline constexpr std::uint8_t OP_ADD = 0x93;
inline constexpr std::uint8_t OP_SUB = 0x94;
inline constexpr std::uint8_t OP_MUL = 0x95;
inline constexpr std::uint8_t OP_DIV = 0x96;
inline constexpr std::uint8_t OP_MOD = 0x97;
inline constexpr std::uint8_t OP_LSHIFT = 0x98;
inline constexpr std::uint8_t OP_RSHIFT = 0x99;
inline constexpr std::uint8_t OP_BOOLAND = 0x9a;
inline constexpr std::uint8_t OP_BOOLOR = 0x9b;
inline constexpr std::uint8_t OP_NUMEQUAL = 0x9c;
inline constexpr std::uint8_t OP_NUMEQUALVERIFY = 0x9d;
inline constexpr std::uint8_t OP_NUMNOTEQUAL = 0x9e;
inline constexpr std::uint8_t OP_LESSTHAN = 0x9f;
inline constexpr std::uint8_t OP_GREATERTHAN = 0xa0;
inline constexpr std::uint8_t OP_LESSTHANOREQUAL = 0xa1;
inline constexpr std::uint8_t OP_GREATERTHANOREQUAL = 0xa2;
inline constexpr std::uint8_t OP_MIN = 0xa3;
inline constexpr std::uint8_t OP_MAX = 0xa4;
inline constexpr std::uint8_t OP_WITHIN = 0xa5;
inline constexpr std::uint8_t OP_RIPEMD160 = 0xa6;
inline constexpr std::uint8_t OP_SHA1 = 0xa7;
inline constexpr std::uint8_t OP_SHA256 = 0xa8;
inline constexpr std::uint8_t OP_HASH160 = 0xa9;
inline constexpr std::uint8_t OP_HASH256 = 0xaa;
inline constexpr std::uint8_t OP_CODESEPARATOR = 0xab;
inline constexpr std::uint8_t OP_CHECKSIG = 0xac;
inline constexpr std::uint8_t OP_CHECKSIGVERIFY = 0xad;
inline constexpr std::uint8_t OP_CHECKMULTISIG = 0xae;
inline constexpr std::uint8_t OP_CHECKMULTISIGVERIFY = 0xaf;
inline constexpr std::uint8_t OP_NOP1 = 0xb0;
inline constexpr std::uint8_t OP_CHECKLOCKTIMEVERIFY = 0xb1;
inline constexpr std::uint8_t OP_CHECKSEQUENCEVERIFY = 0xb2;
inline constexpr std::uint8_t OP_NOP4 = 0xb3;
inline constexpr std::uint8_t OP_NOP5 = 0xb4;
inline constexpr std::uint8_t OP_NOP6 = 0xb5;
inline constexpr std::uint8_t OP_NOP7 = 0xb6;
inline constexpr std::uint8_t OP_NOP8 = 0xb7;
inline constexpr std::uint8_t OP_NOP9 = 0xb8;
inline constexpr std::uint8_t OP_NOP10 = 0xb9;

/// "OP_CHECKSIG", also "OP_CHECKLOCKTIMEVERIFY" for what was OP_NOP2; "0" to "16" and "-1" for the
/// pushes of small numbers. Empty for other pushes and for what is no opcode.
std::string_view opcode_name(std::uint8_t opcode);
/// The counterpart for OP_NOP and all above it, with or without "OP_"; "NOP2" and "NOP3" as well.
std::optional<std::uint8_t> opcode_by_name(std::string_view name);

}  // namespace twinchain::bitcoin
