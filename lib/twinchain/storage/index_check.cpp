#include "twinchain/storage/index_check.hpp"

#include <algorithm>
#include <memory>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

// MDB_page: page number u64, pad u16, flags u16, then lower u16 and upper u16 (or the number of
// overflow pages u32), then u16 offsets of nodes.
constexpr std::size_t page_head = 16;
constexpr std::uint16_t page_branch = 0x01;
constexpr std::uint16_t page_leaf = 0x02;
constexpr std::uint16_t page_overflow = 0x04;
constexpr std::uint16_t page_meta = 0x08;
// MDB_node: low and high u16 of the size (or page), flags u16, key size u16, key, data.
constexpr std::size_t node_head = 8;
constexpr std::uint16_t node_big_data = 0x01;
constexpr std::uint16_t node_sub_database = 0x02;
// MDB_db: pad u32, flags u16, depth u16, branch, leaf and overflow pages, entries, root, all u64.
constexpr std::size_t database_size = 48;
constexpr std::uint64_t no_page = ~std::uint64_t{0};
constexpr std::uint16_t integer_key = 0x08;
constexpr unsigned max_depth = 32;
// MDB_meta in its page: magic u32, version u32, address u64, map size u64, two databases, last
// page u64, transaction u64.
constexpr std::uint32_t lmdb_magic = 0xBEEFC0DE;
constexpr std::uint32_t lmdb_version = 1;
constexpr std::uint64_t max_map_bytes = std::uint64_t{1} << 46;

/// Thrown nowhere: a string is the verdict that stops the walk.
using Verdict = std::optional<std::string>;

struct Database {
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t pages = 0;  ///< branch and leaf
  std::uint64_t root = no_page;

  explicit Database(ByteView bytes)
      : flags(load_le<std::uint16_t>(&bytes[4])),
        depth(load_le<std::uint16_t>(&bytes[6])),
        pages(load_le<std::uint64_t>(&bytes[8]) + load_le<std::uint64_t>(&bytes[16])),
        root(load_le<std::uint64_t>(&bytes[40])) {}
};

enum class Tree { free_list, main, named };

class Checker {
 public:
  Checker(File& file, std::uint64_t file_size, std::uint64_t max_bytes)
      : file_(file), file_size_(file_size), budget_(max_bytes) {}

  Result<Verdict> check();
  [[nodiscard]] std::uint64_t transaction() const { return transaction_; }

 private:
  Result<Verdict> read_meta(unsigned number, Bytes& page);
  Result<Verdict> walk_tree(const Database& database, Tree tree);
  Result<Verdict> walk_page(std::uint64_t number, unsigned depth, Tree tree);
  Result<Verdict> walk_nodes(const Bytes& page, std::uint64_t number, unsigned depth, Tree tree);
  Result<Verdict> check_leaf_node(ByteView node, Tree tree, const std::string& where);
  Result<Verdict> check_big_data(ByteView node, std::uint64_t size, Tree tree,
                                 const std::string& where);
  static Verdict check_free_list(ByteView list, std::uint64_t last_page, const std::string& where);
  Result<Bytes> read_page(std::uint64_t number);

  File& file_;
  std::uint64_t file_size_;
  std::uint64_t budget_;
  std::size_t page_size_ = 4096;
  std::uint64_t last_page_ = 0;
  std::uint64_t transaction_ = 0;
  const Database* database_ = nullptr;
  std::uint64_t pages_left_ = 0;
};

Result<Bytes> Checker::read_page(std::uint64_t number) {
  Bytes page(page_size_);
  auto count = file_.pread(page, number * page_size_);
  if (!count) return pass(count);
  if (*count < page_size_) return fail(ExitCode::malformed, "short");
  budget_ -= std::min<std::uint64_t>(budget_, page_size_);
  return page;
}

Result<Verdict> Checker::read_meta(unsigned number, Bytes& page) {
  page.resize(4096);
  auto count = file_.pread(page, number * page_size_);
  if (!count) return pass(count);
  const std::string where = "meta page " + decimal(std::uint64_t{number});
  if (*count < page.size()) return where + " is cut short";
  const std::uint8_t* meta = page.data() + page_head;
  if ((load_le<std::uint16_t>(&page[10]) & page_meta) == 0 ||
      load_le<std::uint32_t>(meta) != lmdb_magic) {
    return where + " is none";
  }
  if (load_le<std::uint32_t>(meta + 4) != lmdb_version) return where + " has another version";
  const auto size = load_le<std::uint32_t>(meta + 24);  // pad of the free list's database
  if (size < 4096 || size > 65536 || (size & (size - 1)) != 0 ||
      (number == 1 && size != page_size_)) {
    return where + " has a wrong page size";
  }
  if (load_le<std::uint16_t>(meta + 28) != integer_key) return where + " has unknown flags";
  if (load_le<std::uint64_t>(meta + 16) > max_map_bytes) return where + " has a wrong map size";
  page_size_ = size;
  return Verdict{};
}

Result<Verdict> Checker::check() {
  Bytes first;
  Bytes second;
  for (auto [number, page] : {std::pair{0U, &first}, std::pair{1U, &second}}) {
    auto verdict = read_meta(number, *page);
    if (!verdict || *verdict) return verdict;
  }
  const std::size_t at_transaction = page_head + 24 + 2 * database_size + 8;
  const auto older = load_le<std::uint64_t>(&first[at_transaction]);
  const auto newer = load_le<std::uint64_t>(&second[at_transaction]);
  const Bytes& page = older < newer ? second : first;
  transaction_ = std::max(older, newer);
  last_page_ = load_le<std::uint64_t>(&page[at_transaction - 8]);
  if (last_page_ > max_map_bytes / page_size_) return Verdict{"wrong number of the last page"};
  const ByteView databases = ByteView(page).subspan(page_head + 24);
  const Database free_list(databases.first(database_size));
  const Database main(databases.subspan(database_size, database_size));
  auto verdict = walk_tree(free_list, Tree::free_list);
  if (!verdict || *verdict) return verdict;
  return walk_tree(main, Tree::main);
}

Result<Verdict> Checker::walk_tree(const Database& database, Tree tree) {
  if (database.flags != (tree == Tree::free_list ? integer_key : 0)) {
    return Verdict{"a database has unknown flags"};
  }
  if (database.root == no_page) {
    return database.depth == 0 ? Verdict{} : Verdict{"an empty database has a depth"};
  }
  if (database.depth == 0 || database.depth > max_depth || database.pages > last_page_) {
    return Verdict{"a database has a wrong depth or number of pages"};
  }
  const Database* outer = std::exchange(database_, &database);
  const std::uint64_t outer_left = std::exchange(pages_left_, database.pages);
  auto verdict = walk_page(database.root, 1, tree);
  database_ = outer;
  pages_left_ = outer_left;
  return verdict;
}

Result<Verdict> Checker::walk_page(std::uint64_t number, unsigned depth, Tree tree) {
  if (budget_ == 0) return Verdict{};
  const std::string where = "page " + decimal(number);
  if (number < 2 || number > last_page_ || (number + 1) * page_size_ > file_size_) {
    return where + " is outside of the file";
  }
  // Ends a walk in circles, too.
  if (pages_left_ == 0) return where + " is one more than its database counts";
  --pages_left_;
  auto page = read_page(number);
  if (!page) {
    if (page.error().code == ExitCode::malformed) return where + " is outside of the file";
    return pass(page);
  }
  if (load_le<std::uint64_t>(page->data()) != number) return where + " has another number";
  const auto flags = load_le<std::uint16_t>(page->data() + 10);
  if (flags != (depth == database_->depth ? page_leaf : page_branch)) {
    return where + " is of the wrong kind";
  }
  return walk_nodes(*page, number, depth, tree);
}

Result<Verdict> Checker::walk_nodes(const Bytes& page, std::uint64_t number, unsigned depth,
                                    Tree tree) {
  const std::string where = "page " + decimal(number);
  const std::size_t lower = load_le<std::uint16_t>(&page[12]);
  const std::size_t upper = load_le<std::uint16_t>(&page[14]);
  if (lower < page_head || lower > upper || upper > page_size_ || (lower & 1) != 0) {
    return where + " has wrong bounds";
  }
  const bool branch = depth != database_->depth;
  const std::size_t count = (lower - page_head) / 2;
  if (count < (branch && tree != Tree::free_list ? 2U : 1U)) return where + " has too few nodes";
  ByteView previous;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = load_le<std::uint16_t>(&page[page_head + 2 * i]);
    if (at < upper || at + node_head > page_size_) return where + " has a node outside of it";
    const ByteView node = ByteView(page).subspan(at);
    const std::size_t key_bytes = load_le<std::uint16_t>(&node[6]);
    if (key_bytes > node.size() - node_head) return where + " has a key outside of it";
    const ByteView key = node.subspan(node_head, key_bytes);
    // The first key of a branch page stands for everything smaller and is not looked at.
    const bool looked_at = !branch || i > 0;
    if (looked_at && key.empty()) return where + " has an empty key";
    if (looked_at && tree == Tree::free_list && key.size() != 8) {
      return where + " has a key of the wrong size";
    }
    if (looked_at && tree != Tree::free_list) {
      if (!previous.empty() &&
          !std::lexicographical_compare(previous.begin(), previous.end(), key.begin(), key.end())) {
        return where + " has keys out of order";
      }
      previous = key;
    }
    Result<Verdict> verdict = Verdict{};
    if (branch) {
      const std::uint64_t child = load_le<std::uint32_t>(node.data()) |
                                  (std::uint64_t{load_le<std::uint16_t>(&node[4])} << 32);
      verdict = walk_page(child, depth + 1, tree);
    } else {
      verdict = check_leaf_node(node, tree, where);
    }
    if (!verdict || *verdict) return verdict;
  }
  return Verdict{};
}

Result<Verdict> Checker::check_leaf_node(ByteView node, Tree tree, const std::string& where) {
  const std::uint64_t size = load_le<std::uint32_t>(node.data());
  const auto flags = load_le<std::uint16_t>(&node[4]);
  const std::size_t key_bytes = load_le<std::uint16_t>(&node[6]);
  if (flags == node_big_data)
    return check_big_data(node.subspan(node_head + key_bytes), size, tree, where);
  if (size > node.size() - node_head - key_bytes) return where + " has data outside of it";
  const ByteView data = node.subspan(node_head + key_bytes, size);
  if (flags == node_sub_database && tree == Tree::main) {
    if (size != database_size) return where + " has a malformed database";
    return walk_tree(Database(data), Tree::named);
  }
  if (flags != 0 || tree == Tree::main) return where + " has a node of the wrong kind";
  if (tree == Tree::free_list) return check_free_list(data, last_page_, where);
  return Verdict{};
}

Result<Verdict> Checker::check_big_data(ByteView node, std::uint64_t size, Tree tree,
                                        const std::string& where) {
  if (node.size() < 8) return where + " has data outside of it";
  const auto first = load_le<std::uint64_t>(node.data());
  const std::uint64_t pages = (page_head + size + page_size_ - 1) / page_size_;
  if (tree == Tree::main || first < 2 || first > last_page_ || pages > last_page_ + 1 - first ||
      (first + pages) * page_size_ > file_size_) {
    return where + " has data on pages outside of the file";
  }
  Bytes bytes(pages * page_size_);
  auto count = file_.pread(bytes, first * page_size_);
  if (!count) return pass(count);
  if (*count < bytes.size() || load_le<std::uint64_t>(bytes.data()) != first ||
      load_le<std::uint16_t>(&bytes[10]) != page_overflow ||
      load_le<std::uint32_t>(&bytes[12]) != pages) {
    return where + " has data on pages of the wrong kind";
  }
  budget_ -= std::min<std::uint64_t>(budget_, bytes.size());
  if (tree != Tree::free_list) return Verdict{};
  return check_free_list(ByteView(bytes).subspan(page_head, size), last_page_, where);
}

Verdict Checker::check_free_list(ByteView list, std::uint64_t last_page, const std::string& where) {
  if (list.size() < 8) return where + " has a malformed list of free pages";
  const auto count = load_le<std::uint64_t>(list.data());
  if (count > list.size() / 8 - 1) return where + " has a malformed list of free pages";
  std::uint64_t previous = last_page + 1;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const auto page = load_le<std::uint64_t>(list.data() + 8 * i);
    if (page < 2 || page >= previous) return where + " has a malformed list of free pages";
    previous = page;
  }
  return Verdict{};
}

}  // namespace

Result<std::optional<std::string>> check_lmdb_file(const std::string& path,
                                                   std::uint64_t max_bytes) {
  auto file = real_fs().open(path, OpenMode::read);
  if (!file) return pass(file);
  // A writer at work changes pages that were reachable two commits ago: then look again.
  constexpr int attempts = 5;
  Result<Verdict> verdict = Verdict{};
  std::uint64_t previous = no_page;
  for (int i = 0; i < attempts; ++i) {
    auto size = (*file)->size_bytes();
    if (!size) return pass(size);
    Checker checker(**file, *size, max_bytes);
    verdict = checker.check();
    if (!verdict || !*verdict || checker.transaction() == previous) break;
    previous = checker.transaction();
  }
  return verdict;
}

}  // namespace twinchain::storage
