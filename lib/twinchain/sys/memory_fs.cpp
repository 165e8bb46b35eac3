#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/memory_node.hpp"

namespace twinchain {
namespace {

std::string normal(const std::string& path) {
  std::string out;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

std::string folder_of(const std::string& normal_path) {
  const std::size_t slash = normal_path.find_last_of('/');
  return slash == std::string::npos ? "" : normal_path.substr(0, slash);
}

std::unexpected<Error> refuse(const char* operation, const std::string& path, int error_number) {
  std::string what = operation;
  what += ' ';
  what += escape(path, 400);
  return std::unexpected(errno_error(what, error_number));
}

using Node = MemoryNode;
using NodePointer = std::shared_ptr<Node>;

/// A change of names that is not durable yet.
struct NameChange {
  std::string removed;  ///< empty: none
  std::string added;    ///< empty: none
  NodePointer node;     ///< of `added`

  void apply(std::map<std::string, NodePointer>& names) const {
    if (!removed.empty()) names.erase(removed);
    if (!added.empty()) names[added] = node;
  }
  [[nodiscard]] bool concerns(const std::string& folder) const {
    return (!added.empty() && folder_of(added) == folder) ||
           (!removed.empty() && folder_of(removed) == folder);
  }
};

}  // namespace

std::uint64_t MemoryNode::random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void MemoryNode::apply(const Change& change, Bytes& to) {
  if (change.truncates) {
    to.resize(change.offset);
    return;
  }
  const std::size_t end = change.offset + change.bytes.size();
  if (to.size() < end) to.resize(end);  // zeros where a lost write has been
  if (!change.lost && !change.bytes.empty()) {
    std::copy(change.bytes.begin(), change.bytes.end(),
              to.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
}

void MemoryNode::change(Change change) {
  apply(change, content);
  pending.push_back(std::move(change));
}

void MemoryNode::sync() {
  for (const Change& change : pending) apply(change, durable);
  pending.clear();
}

void MemoryNode::lose_pending() {
  for (Change& change : pending) change.lost = true;
}

void MemoryNode::power_cut(Survival survival, std::uint64_t& seed) {
  std::size_t kept = 0;
  if (survival == Survival::everything) kept = pending.size();
  if (survival == Survival::seeded) kept = random(seed) % (pending.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) apply(pending[i], durable);
  if (survival == Survival::seeded && kept < pending.size() && !pending[kept].truncates) {
    Change torn = pending[kept];
    const std::size_t good = random(seed) % (torn.bytes.size() + 1);
    switch (random(seed) % 3) {
      case 0:  // the file ends early
        torn.bytes.resize(good);
        break;
      case 1:  // its size came to the disk before its content
        std::fill(torn.bytes.begin() + static_cast<std::ptrdiff_t>(good), torn.bytes.end(),
                  std::uint8_t{0});
        break;
      default:  // old content of a reused block
        for (std::size_t i = good; i < torn.bytes.size(); ++i) {
          torn.bytes[i] = static_cast<std::uint8_t>(random(seed));
        }
        break;
    }
    apply(torn, durable);
  }
  pending.clear();
  content = durable;
}

struct MemoryFs::State {
  std::mutex mutex;
  std::uint64_t boot = 0;  ///< handles of an earlier boot are dead
  std::set<std::string> folders{""};
  std::map<std::string, NodePointer> names;
  std::map<std::string, NodePointer> durable_names;
  std::vector<NameChange> pending;
  std::map<std::string, std::uint64_t> locks;  ///< path -> token
  std::uint64_t next_token = 0;

  void record(NameChange change) {
    change.apply(names);
    pending.push_back(std::move(change));
  }
};

namespace {

class MemoryFile final : public File {
 public:
  MemoryFile(NodePointer node, std::string path, bool writable, std::mutex& mutex,
             const std::uint64_t& boot, std::shared_ptr<void> keep_alive)
      : node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        mutex_(mutex),
        current_boot_(boot),
        boot_(boot),
        keep_alive_(std::move(keep_alive)) {}

  Result<std::size_t> pread(std::span<std::uint8_t> into, std::uint64_t offset) override {
    const std::lock_guard lock(mutex_);
    if (boot_ != current_boot_) return refuse("cannot read", path_, EIO);
    const Bytes& content = node_->content;
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t count = std::min(into.size(), content.size() - offset);
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    return count;
  }
  Status append(std::span<const ByteView> pieces) override {
    const std::lock_guard lock(mutex_);
    TWINCHAIN_TRY(check("cannot write"));
    MemoryNode::Change change;
    change.offset = node_->content.size();
    for (const ByteView piece : pieces) twinchain::append(change.bytes, piece);
    node_->change(std::move(change));
    return {};
  }
  Status pwrite(ByteView bytes, std::uint64_t offset) override {
    const std::lock_guard lock(mutex_);
    TWINCHAIN_TRY(check("cannot write"));
    MemoryNode::Change change;
    change.offset = offset;
    change.bytes.assign(bytes.begin(), bytes.end());
    node_->change(std::move(change));
    return {};
  }
  Status truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock(mutex_);
    TWINCHAIN_TRY(check("cannot truncate"));
    MemoryNode::Change change;
    change.offset = size_bytes;
    change.truncates = true;
    node_->change(std::move(change));
    return {};
  }
  Status sync() override {
    const std::lock_guard lock(mutex_);
    if (boot_ != current_boot_) return refuse("cannot sync", path_, EIO);
    node_->sync();
    return {};
  }
  Result<std::uint64_t> size_bytes() override {
    const std::lock_guard lock(mutex_);
    if (boot_ != current_boot_) return refuse("cannot stat", path_, EIO);
    return std::uint64_t{node_->content.size()};
  }

 private:
  Status check(const char* operation) const {
    if (boot_ != current_boot_) return refuse(operation, path_, EIO);
    if (!writable_) return refuse(operation, path_, EBADF);
    return {};
  }

  NodePointer node_;
  std::string path_;
  bool writable_;
  std::mutex& mutex_;
  const std::uint64_t& current_boot_;
  std::uint64_t boot_;
  std::shared_ptr<void> keep_alive_;  ///< owns mutex_ and current_boot_
};

class MemoryLock final : public FileLock {
 public:
  explicit MemoryLock(std::function<void()> release) : release_(std::move(release)) {}
  ~MemoryLock() override { release_(); }

 private:
  std::function<void()> release_;
};

}  // namespace

MemoryFs::MemoryFs() : state_(std::make_shared<State>()) {}
MemoryFs::~MemoryFs() = default;

Result<std::unique_ptr<File>> MemoryFs::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(path);
  const bool creates = mode != OpenMode::read && mode != OpenMode::read_write;
  const auto found = state_->names.find(name);
  NodePointer node;
  if (state_->folders.contains(name)) return refuse("cannot open", path, EISDIR);
  if (found != state_->names.end()) {
    if (creates && mode != OpenMode::create) return refuse("cannot open", path, EEXIST);
    node = found->second;
  } else {
    if (!creates || !state_->folders.contains(folder_of(name))) {
      return refuse("cannot open", path, ENOENT);
    }
    node = std::make_shared<Node>();
    state_->record({.removed = {}, .added = name, .node = node});
  }
  return std::make_unique<MemoryFile>(std::move(node), path, mode != OpenMode::read, state_->mutex,
                                      state_->boot, state_);
}

Result<bool> MemoryFs::exists(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(path);
  return state_->names.contains(name) || state_->folders.contains(name);
}

Result<std::vector<std::string>> MemoryFs::list(const std::string& folder) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(folder);
  if (!state_->folders.contains(name)) return refuse("cannot list", folder, ENOENT);
  std::set<std::string> found;
  const auto take = [&](const std::string& path) {
    if (!path.empty() && folder_of(path) == name) found.insert(path.substr(path.rfind('/') + 1));
  };
  for (const auto& [path, node] : state_->names) take(path);
  for (const std::string& path : state_->folders) take(path);
  return std::vector<std::string>(found.begin(), found.end());
}

Status MemoryFs::make_folders(const std::string& folder) {
  const std::lock_guard lock(state_->mutex);
  for (std::string name = normal(folder); !name.empty(); name = folder_of(name)) {
    if (state_->names.contains(name)) return refuse("cannot make folder", folder, ENOTDIR);
    state_->folders.insert(name);
  }
  return {};
}

Status MemoryFs::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  const std::string old_name = normal(from);
  const std::string new_name = normal(to);
  const auto found = state_->names.find(old_name);
  if (found == state_->names.end() || !state_->folders.contains(folder_of(new_name))) {
    return refuse("cannot rename to", to, ENOENT);
  }
  if (state_->folders.contains(new_name)) return refuse("cannot rename to", to, EISDIR);
  if (old_name != new_name) {
    state_->record({.removed = old_name, .added = new_name, .node = found->second});
  }
  return {};
}

Status MemoryFs::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(path);
  if (!state_->names.contains(name)) {
    return refuse("cannot remove", path, state_->folders.contains(name) ? EISDIR : ENOENT);
  }
  state_->record({.removed = name, .added = {}, .node = nullptr});
  return {};
}

Status MemoryFs::sync_folder(const std::string& folder) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(folder);
  if (!state_->folders.contains(name)) return refuse("cannot open", folder, ENOENT);
  std::vector<NameChange> others;
  for (NameChange& change : state_->pending) {
    if (change.concerns(name)) {
      change.apply(state_->durable_names);
    } else {
      others.push_back(std::move(change));
    }
  }
  state_->pending = std::move(others);
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFs::lock(const std::string& path) {
  if (auto file = open(path, OpenMode::create); !file) return pass(file);
  const std::lock_guard lock(state_->mutex);
  const std::string name = normal(path);
  if (state_->locks.contains(name)) {
    return fail(ExitCode::system,
                escape(parent_folder(path), 400) + " is in use by another process",
                "only one writer at a time; wait for it or stop it");
  }
  const std::uint64_t token = ++state_->next_token;
  state_->locks[name] = token;
  return std::make_unique<MemoryLock>([state = state_, name, token] {
    const std::lock_guard release(state->mutex);
    const auto held = state->locks.find(name);
    if (held != state->locks.end() && held->second == token) state->locks.erase(held);
  });
}

void MemoryFs::power_cut(Survival survival, std::uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  std::size_t kept = 0;
  if (survival == Survival::everything) kept = state_->pending.size();
  if (survival == Survival::seeded) kept = MemoryNode::random(seed) % (state_->pending.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) state_->pending[i].apply(state_->durable_names);
  state_->pending.clear();
  state_->names = state_->durable_names;
  std::set<NodePointer> seen;
  for (const auto& [path, node] : state_->names) {
    if (seen.insert(node).second) node->power_cut(survival, seed);
  }
  state_->locks.clear();
  ++state_->boot;
}

void MemoryFs::kill_processes() {
  const std::lock_guard lock(state_->mutex);
  state_->locks.clear();
  ++state_->boot;
}

Bytes* MemoryFs::content(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(normal(path));
  return found == state_->names.end() ? nullptr : &found->second->content;
}

void MemoryFs::lose_unsynced(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(normal(path));
  if (found != state_->names.end()) found->second->lose_pending();
}

}  // namespace twinchain
