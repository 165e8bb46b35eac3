// The inside of the interpreter: what runs one script. Floor 2.
//
// For interpreter.cpp and script_machine_*.cpp only; use interpreter.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/bitcoin/script.hpp"

namespace twinchain::bitcoin {

/// Which branches of nested conditions are taken. Only how many there are and the outermost one
/// that is false need to be known.
class ScriptConditions {
 public:
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] bool all_true() const { return outermost_false_ == 0; }
  void push(bool value) {
    ++count_;
    if (!value && outermost_false_ == 0) outermost_false_ = count_;
  }
  /// Not when empty.
  void pop() {
    if (outermost_false_ == count_) outermost_false_ = 0;
    --count_;
  }
  /// Within a branch that is not taken, the innermost may be what it will: nothing of it runs.
  void toggle() {
    if (outermost_false_ == 0) {
      outermost_false_ = count_;
    } else if (outermost_false_ == count_) {
      outermost_false_ = 0;
    }
  }

 private:
  std::size_t count_ = 0;
  std::size_t outermost_false_ = 0;  ///< counted from 1; 0: none
};

class ScriptMachine {
 public:
  ScriptMachine(std::vector<Bytes>& stack, ByteView script, ScriptFlags flags,
                const SignatureChecker& checker)
      : stack_(stack), script_(script), flags_(flags), checker_(checker), reader_(script) {}

  ScriptError run();

 private:
  using Number = std::optional<std::int64_t>;

  ScriptError step(const ScriptOperation& operation);
  ScriptError execute(std::uint8_t opcode);

  // script_machine.cpp
  ScriptError push_data(const ScriptOperation& operation);
  ScriptError flow(std::uint8_t opcode);
  ScriptError begin_condition(bool negated);
  ScriptError lock_time(bool relative);
  // script_machine_stack.cpp
  ScriptError move_items(std::uint8_t opcode);
  ScriptError copy_items(std::uint8_t opcode);
  ScriptError pick_or_roll(bool roll);
  ScriptError compare_bytes(bool and_verify);
  ScriptError hash_item(std::uint8_t opcode);
  // script_machine_number.cpp
  ScriptError one_number(std::uint8_t opcode);
  ScriptError two_numbers(std::uint8_t opcode);
  ScriptError within();
  // script_machine_signature.cpp
  ScriptError check_signature(bool and_verify);
  ScriptError check_multisig(bool and_verify);
  ScriptError match_signatures(std::size_t keys, std::size_t signatures, ByteView script_code,
                               bool& all_matched) const;
  ScriptError without_signature(std::optional<Bytes>& shorter, ByteView signature) const;

  [[nodiscard]] bool has(std::size_t count) const { return stack_.size() >= count; }
  [[nodiscard]] bool is_on(ScriptFlags flag) const { return (flags_ & flag) != 0; }
  /// Counted from the top, which is 1; the caller knows that it is there.
  [[nodiscard]] Bytes& top(std::size_t depth = 1) { return stack_[stack_.size() - depth]; }
  [[nodiscard]] const Bytes& top(std::size_t depth = 1) const {
    return stack_[stack_.size() - depth];
  }
  [[nodiscard]] Number number(std::size_t depth, std::size_t max_size = 4) const;
  void pop(std::size_t count = 1) { stack_.resize(stack_.size() - count); }
  void push_bool(bool value) { stack_.push_back(value ? Bytes{1} : Bytes{}); }
  void push_number(std::int64_t value) { stack_.push_back(encode_script_number(value)); }

  std::vector<Bytes>& stack_;
  std::vector<Bytes> alternative_;
  ByteView script_;
  ScriptFlags flags_;
  const SignatureChecker& checker_;
  ScriptReader reader_;
  ScriptConditions conditions_;
  std::size_t code_begins_ = 0;  ///< behind the last OP_CODESEPARATOR that was executed
  int operations_ = 0;
};

}  // namespace twinchain::bitcoin
