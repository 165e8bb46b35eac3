#include "twinchain/bitcoin/merkle_block.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/block.hpp"
#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"

namespace twinchain::bitcoin {
namespace {

// Bitcoin's own bound: no transaction is shorter than 60 bytes.
constexpr std::uint32_t max_transactions = max_block_size / 60;

std::unexpected<Error> bad(std::string_view what) {
  std::string message = "merkle block: ";
  message += what;
  return fail(ExitCode::malformed, std::move(message));
}

// Nodes of a row: row 0 is the txids.
std::uint32_t row_width(std::uint32_t transaction_count, unsigned row) {
  const std::uint64_t below = (std::uint64_t{1} << row) - 1;
  return static_cast<std::uint32_t>((transaction_count + below) >> row);
}

class PartialTree {
 public:
  PartialTree(std::uint32_t count, std::vector<Hash256> hashes, ByteView flag_bytes,
              std::size_t max_matches)
      : count_(count),
        hashes_(std::move(hashes)),
        flag_bytes_(flag_bytes),
        max_matches_(max_matches) {}

  // Depth-first as the sender wrote it. The recursion is as deep as the tree: 17 at most.
  Result<Hash256> traverse(unsigned row, std::uint32_t position) {
    if (bits_used_ >= flag_bytes_.size() * 8) return bad("too few flag bits");
    const bool parent_of_match = (flag_bytes_[bits_used_ / 8] >> (bits_used_ % 8) & 1) != 0;
    ++bits_used_;
    if (row == 0 || !parent_of_match) {
      if (hashes_used_ >= hashes_.size()) return bad("too few hashes");
      const Hash256 hash = hashes_[hashes_used_++];
      if (row == 0 && parent_of_match) {
        if (matches_.size() >= max_matches_) return bad("too many matches");
        matches_.push_back({hash, position, {}});
      }
      return hash;
    }
    const std::size_t first_match = matches_.size();
    auto left = traverse(row - 1, position * 2);
    if (!left) return left;
    const std::size_t first_right_match = matches_.size();
    Hash256 right_hash = *left;
    if (position * 2 + 1 < row_width(count_, row - 1)) {
      auto right = traverse(row - 1, position * 2 + 1);
      if (!right) return right;
      right_hash = *right;
      // Two equal halves can only be the trick of CVE-2012-2459.
      if (right_hash == *left) return bad("duplicated subtree");
    }
    for (std::size_t i = first_match; i < matches_.size(); ++i) {
      matches_[i].branch.push_back(i < first_right_match ? right_hash : *left);
    }
    return merkle_parent(*left, right_hash);
  }

  [[nodiscard]] bool all_used() const {
    if (hashes_used_ != hashes_.size()) return false;
    if ((bits_used_ + 7) / 8 != flag_bytes_.size()) return false;
    // Bitcoin lets the padding be anything; here one proof has one form.
    return bits_used_ % 8 == 0 || (flag_bytes_.back() >> (bits_used_ % 8)) == 0;
  }
  std::vector<MatchedTransaction> take_matches() { return std::move(matches_); }

 private:
  std::uint32_t count_;
  std::vector<Hash256> hashes_;
  ByteView flag_bytes_;
  std::size_t max_matches_;
  std::size_t bits_used_ = 0;
  std::size_t hashes_used_ = 0;
  std::vector<MatchedTransaction> matches_;
};

// Writes what traverse() reads.
class PartialTreeWriter {
 public:
  PartialTreeWriter(const std::vector<Hash256>& txids, const std::vector<bool>& matches) {
    rows_.push_back(txids);
    marks_.push_back(matches);
    while (rows_.back().size() > 1) {
      const auto& below = rows_.back();
      const auto& marks_below = marks_.back();
      std::vector<Hash256> row;
      std::vector<bool> marks;
      for (std::size_t i = 0; i < below.size(); i += 2) {
        const std::size_t right = std::min(i + 1, below.size() - 1);
        row.push_back(merkle_parent(below[i], below[right]));
        marks.push_back(marks_below[i] || marks_below[right]);
      }
      rows_.push_back(std::move(row));
      marks_.push_back(std::move(marks));
    }
    write(rows_.size() - 1, 0);
  }
  [[nodiscard]] const std::vector<Hash256>& hashes() const { return hashes_; }
  [[nodiscard]] const std::vector<bool>& flags() const { return flags_; }

 private:
  void write(std::size_t row, std::size_t position) {
    const bool parent_of_match = marks_[row][position];
    flags_.push_back(parent_of_match);
    if (row == 0 || !parent_of_match) {
      hashes_.push_back(rows_[row][position]);
      return;
    }
    write(row - 1, position * 2);
    if (position * 2 + 1 < rows_[row - 1].size()) write(row - 1, position * 2 + 1);
  }

  std::vector<std::vector<Hash256>> rows_;
  std::vector<std::vector<bool>> marks_;
  std::vector<Hash256> hashes_;
  std::vector<bool> flags_;
};

}  // namespace

Result<MerkleBlock> parse_merkle_block(ByteView bytes, std::size_t max_matches) {
  ByteCursor cursor(bytes);
  MerkleBlock block;
  block.header = read_header(cursor);
  block.transaction_count = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return bad("shorter than its header");
  if (block.transaction_count == 0) return bad("no transactions");
  if (block.transaction_count > max_transactions)
    return bad("more transactions than a block holds");
  const auto hash_count = read_compact_size(cursor, block.transaction_count);
  if (!hash_count || *hash_count > cursor.remaining() / sizeof(Hash256)) {
    return bad("more hashes than transactions or bytes");
  }
  std::vector<Hash256> hashes(static_cast<std::size_t>(*hash_count));
  for (Hash256& hash : hashes) hash = cursor.read_array<32>();
  const auto flag_size = read_compact_size(cursor, bytes.size());
  if (!flag_size) return bad("bad count of flag bytes");
  const ByteView flags = cursor.read_view(static_cast<std::size_t>(*flag_size));
  if (!cursor.ok()) return bad("ends within the flag bytes");
  if (!cursor.at_end()) return bad("bytes after the flag bytes");

  PartialTree tree(block.transaction_count, std::move(hashes), flags, max_matches);
  const auto height = static_cast<unsigned>(branch_length(block.transaction_count));
  auto root = tree.traverse(height, 0);
  if (!root) return pass(root);
  if (!tree.all_used()) return bad("hashes or flag bits left over");
  if (*root != block.header.merkle_root) return bad("root is not the header's");
  block.matches = tree.take_matches();
  return block;
}

Bytes make_merkle_block(const BlockHeader& header, const std::vector<Hash256>& txids,
                        const std::vector<bool>& matches) {
  Bytes out;
  append(out, serialize(header));
  append_le(out, static_cast<std::uint32_t>(txids.size()));
  if (txids.empty() || matches.size() != txids.size()) {
    // No proof of nothing: both lists empty, which no reader accepts.
    append_compact_size(out, 0);
    append_compact_size(out, 0);
    return out;
  }
  const PartialTreeWriter writer(txids, matches);
  append_compact_size(out, writer.hashes().size());
  for (const Hash256& hash : writer.hashes()) append(out, hash);
  Bytes flag_bytes((writer.flags().size() + 7) / 8);
  for (std::size_t i = 0; i < writer.flags().size(); ++i) {
    if (writer.flags()[i]) flag_bytes[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
  }
  append_compact_size(out, flag_bytes.size());
  append(out, flag_bytes);
  return out;
}

}  // namespace twinchain::bitcoin
