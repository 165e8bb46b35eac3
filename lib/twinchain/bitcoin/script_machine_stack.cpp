// Operations that move, compare and hash items.

#include <algorithm>

#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script_machine.hpp"
#include "twinchain/crypto/digests.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::bitcoin {
namespace {

/// How many items an operation must find.
std::size_t items_needed(std::uint8_t opcode) {
  switch (opcode) {
    case OP_FROMALTSTACK:
    case OP_DEPTH:
      return 0;
    case OP_2DROP:
    case OP_2DUP:
    case OP_NIP:
    case OP_OVER:
    case OP_PICK:
    case OP_ROLL:
    case OP_SWAP:
    case OP_TUCK:
      return 2;
    case OP_3DUP:
    case OP_ROT:
      return 3;
    case OP_2OVER:
    case OP_2SWAP:
      return 4;
    case OP_2ROT:
      return 6;
    default:
      return 1;
  }
}

template <std::size_t N>
Bytes bytes_of(const std::array<std::uint8_t, N>& digest) {
  return Bytes(digest.begin(), digest.end());
}

}  // namespace

ScriptError ScriptMachine::move_items(std::uint8_t opcode) {
  // OP_CAT to OP_RIGHT lie between and are disabled, so that they never come here.
  if (!has(items_needed(opcode))) return ScriptError::INVALID_STACK_OPERATION;
  // Moves the upper `moved` of the uppermost `of` items below the others.
  const auto rotate = [this](std::size_t of, std::size_t moved) {
    std::rotate(stack_.end() - static_cast<std::ptrdiff_t>(of),
                stack_.end() - static_cast<std::ptrdiff_t>(moved), stack_.end());
  };
  switch (opcode) {
    case OP_TOALTSTACK:
      alternative_.push_back(std::move(top()));
      pop();
      break;
    case OP_FROMALTSTACK:
      if (alternative_.empty()) return ScriptError::INVALID_ALTSTACK_OPERATION;
      stack_.push_back(std::move(alternative_.back()));
      alternative_.pop_back();
      break;
    case OP_2DROP:
      pop(2);
      break;
    case OP_2ROT:
      rotate(6, 4);
      break;
    case OP_2SWAP:
      rotate(4, 2);
      break;
    case OP_DEPTH:
      push_number(static_cast<std::int64_t>(stack_.size()));
      break;
    case OP_DROP:
      pop();
      break;
    case OP_NIP:
      rotate(2, 1);
      pop();
      break;
    case OP_PICK:
    case OP_ROLL:
      return pick_or_roll(opcode == OP_ROLL);
    case OP_ROT:
      rotate(3, 2);
      break;
    case OP_SWAP:
      rotate(2, 1);
      break;
    case OP_SIZE:
      push_number(static_cast<std::int64_t>(top().size()));
      break;
    default:
      return copy_items(opcode);
  }
  return ScriptError::OK;
}

ScriptError ScriptMachine::copy_items(std::uint8_t opcode) {
  // Copies of the item so far below the top, each time counted anew.
  const auto copy = [this](std::size_t depth, std::size_t times = 1) {
    for (std::size_t i = 0; i < times; ++i) {
      Bytes item = top(depth);
      stack_.push_back(std::move(item));
    }
  };
  switch (opcode) {
    case OP_2DUP:
      copy(2, 2);
      break;
    case OP_3DUP:
      copy(3, 3);
      break;
    case OP_2OVER:
      copy(4, 2);
      break;
    case OP_IFDUP:
      if (is_true(top())) copy(1);
      break;
    case OP_DUP:
      copy(1);
      break;
    case OP_OVER:
      copy(2);
      break;
    case OP_TUCK:
      std::swap(top(1), top(2));
      copy(2);
      break;
    default:
      return ScriptError::BAD_OPCODE;
  }
  return ScriptError::OK;
}

ScriptError ScriptMachine::pick_or_roll(bool roll) {
  const Number wanted = number(1);
  if (!wanted) return ScriptError::SCRIPTNUM;
  pop();
  if (*wanted < 0 || *wanted >= static_cast<std::int64_t>(stack_.size())) {
    return ScriptError::INVALID_STACK_OPERATION;
  }
  const std::size_t depth = static_cast<std::size_t>(*wanted) + 1;
  Bytes item = roll ? std::move(top(depth)) : top(depth);
  if (roll) stack_.erase(stack_.end() - static_cast<std::ptrdiff_t>(depth));
  stack_.push_back(std::move(item));
  return ScriptError::OK;
}

ScriptError ScriptMachine::compare_bytes(bool and_verify) {
  if (!has(2)) return ScriptError::INVALID_STACK_OPERATION;
  const bool equal = top(1) == top(2);
  pop(2);
  push_bool(equal);
  if (!and_verify) return ScriptError::OK;
  if (!equal) return ScriptError::EQUALVERIFY;
  pop();
  return ScriptError::OK;
}

ScriptError ScriptMachine::hash_item(std::uint8_t opcode) {
  if (!has(1)) return ScriptError::INVALID_STACK_OPERATION;
  Bytes& item = top();
  switch (opcode) {
    case OP_RIPEMD160:
      item = bytes_of(ripemd160(item));
      break;
    case OP_SHA1:
      item = bytes_of(sha1(item));
      break;
    case OP_SHA256:
      item = bytes_of(sha256(item));
      break;
    case OP_HASH160:
      item = bytes_of(ripemd160(sha256(item)));
      break;
    default:  // OP_HASH256
      item = bytes_of(sha256d(item));
      break;
  }
  return ScriptError::OK;
}

}  // namespace twinchain::bitcoin
