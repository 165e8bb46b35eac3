// Operations on numbers: at most four bytes go in, five may come out.

#include <algorithm>

#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script_machine.hpp"

namespace twinchain::bitcoin {

ScriptMachine::Number ScriptMachine::number(std::size_t depth, std::size_t max_size) const {
  return is_on(verify_minimaldata) ? decode_script_number(top(depth), max_size)
                                   : decode_script_number_lax(top(depth), max_size);
}

ScriptError ScriptMachine::one_number(std::uint8_t opcode) {
  if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
  const Number given = number(1);
  if (!given) return ScriptError::SCRIPTNUM;
  std::int64_t value = *given;
  switch (opcode) {
    case OP_1ADD:
      value += 1;
      break;
    case OP_1SUB:
      value -= 1;
      break;
    case OP_NEGATE:
      value = -value;
      break;
    case OP_ABS:
      value = value < 0 ? -value : value;
      break;
    case OP_NOT:
      value = value == 0 ? 1 : 0;
      break;
    case OP_0NOTEQUAL:
      value = value != 0 ? 1 : 0;
      break;
    default:  // OP_2MUL and OP_2DIV are disabled
      return ScriptError::BAD_OPCODE;
  }
  pop();
  push_number(value);
  return ScriptError::OK;
}

ScriptError ScriptMachine::two_numbers(std::uint8_t opcode) {
  if (!has(2)) return ScriptError::INVALID_STACK_OPERATION;
  const Number first = number(2);
  const Number second = number(1);
  if (!first || !second) return ScriptError::SCRIPTNUM;
  const std::int64_t a = *first;
  const std::int64_t b = *second;
  std::int64_t value = 0;
  switch (opcode) {
    case OP_ADD:
      value = a + b;
      break;
    case OP_SUB:
      value = a - b;
      break;
    case OP_BOOLAND:
      value = a != 0 && b != 0 ? 1 : 0;
      break;
    case OP_BOOLOR:
      value = a != 0 || b != 0 ? 1 : 0;
      break;
    case OP_NUMEQUAL:
    case OP_NUMEQUALVERIFY:
      value = a == b ? 1 : 0;
      break;
    case OP_NUMNOTEQUAL:
      value = a != b ? 1 : 0;
      break;
    case OP_LESSTHAN:
      value = a < b ? 1 : 0;
      break;
    case OP_GREATERTHAN:
      value = a > b ? 1 : 0;
      break;
    case OP_LESSTHANOREQUAL:
      value = a <= b ? 1 : 0;
      break;
    case OP_GREATERTHANOREQUAL:
      value = a >= b ? 1 : 0;
      break;
    case OP_MIN:
      value = std::min(a, b);
      break;
    case OP_MAX:
      value = std::max(a, b);
      break;
    default:  // OP_MUL to OP_RSHIFT are disabled
      return ScriptError::BAD_OPCODE;
  }
  pop(2);
  push_number(value);
  if (opcode != OP_NUMEQUALVERIFY) return ScriptError::OK;
  if (value == 0) return ScriptError::NUMEQUALVERIFY;
  pop();
  return ScriptError::OK;
}

ScriptError ScriptMachine::within() {
  if (!has(3)) return ScriptError::INVALID_STACK_OPERATION;
  const Number value = number(3);
  const Number from = number(2);
  const Number below = number(1);
  if (!value || !from || !below) return ScriptError::SCRIPTNUM;
  pop(3);
  push_bool(*from <= *value && *value < *below);
  return ScriptError::OK;
}

}  // namespace twinchain::bitcoin
