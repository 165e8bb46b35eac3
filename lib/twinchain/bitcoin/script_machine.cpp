#include "twinchain/bitcoin/script_machine.hpp"

#include "twinchain/bitcoin/opcodes.hpp"

namespace twinchain::bitcoin {
namespace {

/// Switched off in 2010; a script that has one is invalid wherever it stands.
bool is_disabled(std::uint8_t opcode) {
  switch (opcode) {
    case OP_CAT:
    case OP_SUBSTR:
    case OP_LEFT:
    case OP_RIGHT:
    case OP_INVERT:
    case OP_AND:
    case OP_OR:
    case OP_XOR:
    case OP_2MUL:
    case OP_2DIV:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_LSHIFT:
    case OP_RSHIFT:
      return true;
    default:
      return false;
  }
}

/// BIP 62, rule 3: the shortest operation for what is pushed.
bool is_minimal_push(const ScriptOperation& operation) {
  const std::size_t size = operation.data.size();
  if (size == 0) return operation.opcode == OP_0;
  if (size == 1) {
    const std::uint8_t byte = operation.data[0];
    if ((byte >= 1 && byte <= 16) || byte == 0x81) return false;  // OP_1 to OP_16, OP_1NEGATE
  }
  if (size < OP_PUSHDATA1) return operation.opcode == size;
  if (size <= 0xff) return operation.opcode == OP_PUSHDATA1;
  if (size <= 0xffff) return operation.opcode == OP_PUSHDATA2;
  return true;
}

constexpr std::int64_t sequence_disable_flag = std::int64_t{1} << 31;

}  // namespace

ScriptError ScriptMachine::run() {
  if (script_.size() > max_script_size) return ScriptError::SCRIPT_SIZE;
  while (!reader_.at_end()) {
    const auto operation = reader_.next();
    if (!operation) return ScriptError::BAD_OPCODE;
    if (const ScriptError error = step(*operation); error != ScriptError::OK) return error;
    if (stack_.size() + alternative_.size() > max_script_stack_items) {
      return ScriptError::STACK_SIZE;
    }
  }
  return conditions_.empty() ? ScriptError::OK : ScriptError::UNBALANCED_CONDITIONAL;
}

ScriptError ScriptMachine::step(const ScriptOperation& operation) {
  // These hold within branches that are not taken as well.
  const std::uint8_t opcode = operation.opcode;
  if (operation.data.size() > max_script_push_size) return ScriptError::PUSH_SIZE;
  if (opcode > OP_16 && ++operations_ > max_script_operations) return ScriptError::OP_COUNT;
  if (is_disabled(opcode)) return ScriptError::DISABLED_OPCODE;
  if (opcode == OP_CODESEPARATOR && is_on(verify_const_scriptcode)) {
    return ScriptError::CODESEPARATOR;
  }
  // OP_VERIF and OP_VERNOTIF are among the conditions: invalid even where they are not executed.
  if (!conditions_.all_true() && (opcode < OP_IF || opcode > OP_ENDIF)) return ScriptError::OK;
  return opcode <= OP_PUSHDATA4 ? push_data(operation) : execute(opcode);
}

ScriptError ScriptMachine::push_data(const ScriptOperation& operation) {
  if (is_on(verify_minimaldata) && !is_minimal_push(operation)) return ScriptError::MINIMALDATA;
  stack_.emplace_back(operation.data.begin(), operation.data.end());
  return ScriptError::OK;
}

ScriptError ScriptMachine::execute(std::uint8_t opcode) {
  if (opcode == OP_1NEGATE || (opcode >= OP_1 && opcode <= OP_16)) {
    push_number(std::int64_t{opcode} - (OP_1 - 1));
    return ScriptError::OK;
  }
  if (opcode >= OP_NOP && opcode <= OP_RETURN) return flow(opcode);
  if (opcode >= OP_TOALTSTACK && opcode <= OP_SIZE) return move_items(opcode);
  if (opcode == OP_EQUAL || opcode == OP_EQUALVERIFY) {
    return compare_bytes(opcode == OP_EQUALVERIFY);
  }
  if (opcode >= OP_1ADD && opcode <= OP_0NOTEQUAL) return one_number(opcode);
  if (opcode >= OP_ADD && opcode <= OP_MAX) return two_numbers(opcode);
  if (opcode == OP_WITHIN) return within();
  if (opcode >= OP_RIPEMD160 && opcode <= OP_HASH256) return hash_item(opcode);
  if (opcode == OP_CODESEPARATOR) {
    code_begins_ = reader_.offset();
    return ScriptError::OK;
  }
  if (opcode == OP_CHECKSIG || opcode == OP_CHECKSIGVERIFY) {
    return check_signature(opcode == OP_CHECKSIGVERIFY);
  }
  if (opcode == OP_CHECKMULTISIG || opcode == OP_CHECKMULTISIGVERIFY) {
    return check_multisig(opcode == OP_CHECKMULTISIGVERIFY);
  }
  if (opcode == OP_CHECKLOCKTIMEVERIFY || opcode == OP_CHECKSEQUENCEVERIFY) {
    return lock_time(opcode == OP_CHECKSEQUENCEVERIFY);
  }
  if (opcode >= OP_NOP1 && opcode <= OP_NOP10) {
    return is_on(verify_discourage_upgradable_nops) ? ScriptError::DISCOURAGE_UPGRADABLE_NOPS
                                                    : ScriptError::OK;
  }
  return ScriptError::BAD_OPCODE;
}

ScriptError ScriptMachine::flow(std::uint8_t opcode) {
  switch (opcode) {
    case OP_NOP:
      return ScriptError::OK;
    case OP_IF:
    case OP_NOTIF:
      return begin_condition(opcode == OP_NOTIF);
    case OP_ELSE:
      if (conditions_.empty()) return ScriptError::UNBALANCED_CONDITIONAL;
      conditions_.toggle();
      return ScriptError::OK;
    case OP_ENDIF:
      if (conditions_.empty()) return ScriptError::UNBALANCED_CONDITIONAL;
      conditions_.pop();
      return ScriptError::OK;
    case OP_VERIFY:
      if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
      if (!is_true(top())) return ScriptError::VERIFY;
      pop();
      return ScriptError::OK;
    case OP_RETURN:
      return ScriptError::RETURN;
    default:  // OP_VER, OP_VERIF, OP_VERNOTIF
      return ScriptError::BAD_OPCODE;
  }
}

ScriptError ScriptMachine::begin_condition(bool negated) {
  bool value = false;
  if (conditions_.all_true()) {
    if (!has(1)) return ScriptError::UNBALANCED_CONDITIONAL;
    value = is_true(top()) != negated;
    pop();
  }
  conditions_.push(value);
  return ScriptError::OK;
}

ScriptError ScriptMachine::lock_time(bool relative) {
  // Without the rule they are what they were before it: OP_NOP2 and OP_NOP3.
  if (!is_on(relative ? verify_checksequenceverify : verify_checklocktimeverify)) {
    return ScriptError::OK;
  }
  if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
  // Five bytes: the times are unsigned 32-bit numbers, numbers of scripts have a sign.
  const Number wanted = number(1, 5);
  if (!wanted) return ScriptError::SCRIPTNUM;
  if (*wanted < 0) return ScriptError::NEGATIVE_LOCKTIME;
  if (relative && (*wanted & sequence_disable_flag) != 0) return ScriptError::OK;
  const bool reached =
      relative ? checker_.check_sequence(*wanted) : checker_.check_lock_time(*wanted);
  return reached ? ScriptError::OK : ScriptError::UNSATISFIED_LOCKTIME;
}

}  // namespace twinchain::bitcoin
