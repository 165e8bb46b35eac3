#include "twinchain/sys/faulty_fs.hpp"

#include <algorithm>
#include <mutex>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/memory_node.hpp"

namespace twinchain {

struct FaultyFs::State {
  State(Fs& below, MemoryFs* in_memory) : base(below), memory(in_memory) {}

  enum class Verdict { go_on, fail, die };

  /// Counts a write-like operation and says what becomes of it.
  Verdict count(std::string what) {
    const std::lock_guard lock(mutex);
    if (dead) return Verdict::die;
    trace.push_back(std::move(what));
    if (fault.kind == FaultKind::none || trace.size() < fault.operation) return Verdict::go_on;
    if (trace.size() > fault.operation && fault.kind != FaultKind::error_for_good) {
      return Verdict::go_on;
    }
    happened = true;
    if (fault.kind == FaultKind::error || fault.kind == FaultKind::error_for_good) {
      return Verdict::fail;
    }
    dead = true;
    return Verdict::die;
  }
  bool is_dead() {
    const std::lock_guard lock(mutex);
    return dead;
  }
  std::uint64_t random_below(std::uint64_t limit) {
    const std::lock_guard lock(mutex);
    return MemoryNode::random(random) % limit;
  }
  [[nodiscard]] std::unexpected<Error> failure(const std::string& what) const {
    return std::unexpected(errno_error("cannot " + what, fault.error_number));
  }
  static std::unexpected<Error> death() {
    return fail(ExitCode::system, "the simulated process is dead");
  }

  /// An operation that is done whole or not at all.
  Status whole(const std::string& what, const std::function<Status()>& operation) {
    switch (count(what)) {
      case Verdict::go_on:
        return operation();
      case Verdict::fail:
        return failure(what);
      case Verdict::die:
        break;
    }
    // The first to see the death is the operation it came in: it may have been done.
    if (!died_before() && random_below(2) == 1) (void)operation();
    return death();
  }
  void sync_failed(const std::string& path) {
    if (memory != nullptr && !is_dead()) memory->lose_unsynced(path);
  }
  /// True but for the operation in which the process dies.
  bool died_before() {
    const std::lock_guard lock(mutex);
    return std::exchange(death_seen, true);
  }

  Fs& base;
  MemoryFs* memory;
  std::mutex mutex;
  Fault fault;
  std::uint64_t random = 0;
  bool dead = false;
  bool death_seen = false;
  bool happened = false;
  std::vector<std::string> trace;
};

namespace {

template <class State>
class FaultyFile final : public File {
 public:
  FaultyFile(std::shared_ptr<State> state, std::unique_ptr<File> base, std::string path)
      : state_(std::move(state)), base_(std::move(base)), path_(std::move(path)) {}

  Result<std::size_t> pread(std::span<std::uint8_t> into, std::uint64_t offset) override {
    if (state_->is_dead()) return State::death();
    return base_->pread(into, offset);
  }

  Status append(std::span<const ByteView> pieces) override {
    std::uint64_t size = 0;
    for (const ByteView piece : pieces) size += piece.size();
    const std::string what = operation_on("append", path_) + " " + decimal(size) + " bytes";
    const auto verdict = state_->count(what);
    if (verdict == State::Verdict::go_on) return base_->append(pieces);
    if (verdict == State::Verdict::die && state_->died_before()) return State::death();
    std::uint64_t left = state_->random_below(size + 1);
    std::vector<ByteView> part;
    for (const ByteView piece : pieces) {
      part.push_back(piece.first(std::min<std::uint64_t>(left, piece.size())));
      left -= part.back().size();
    }
    (void)base_->append(part);
    return verdict == State::Verdict::die ? State::death() : state_->failure(what);
  }

  Status pwrite(ByteView bytes, std::uint64_t offset) override {
    const std::string what = operation_on("pwrite", path_);
    const auto verdict = state_->count(what);
    if (verdict == State::Verdict::go_on) return base_->pwrite(bytes, offset);
    if (verdict == State::Verdict::die && state_->died_before()) return State::death();
    (void)base_->pwrite(bytes.first(state_->random_below(bytes.size() + 1)), offset);
    return verdict == State::Verdict::die ? State::death() : state_->failure(what);
  }

  Status truncate(std::uint64_t size_bytes) override {
    return state_->whole(operation_on("truncate", path_) + " to " + decimal(size_bytes),
                         [&] { return base_->truncate(size_bytes); });
  }

  Status sync() override {
    auto status = state_->whole(operation_on("sync", path_), [&] { return base_->sync(); });
    if (!status) state_->sync_failed(path_);
    return status;
  }

  Result<std::uint64_t> size_bytes() override {
    if (state_->is_dead()) return State::death();
    return base_->size_bytes();
  }

 private:
  std::shared_ptr<State> state_;
  std::unique_ptr<File> base_;
  std::string path_;
};

}  // namespace

FaultyFs::FaultyFs(Fs& base) : state_(std::make_shared<State>(base, nullptr)) {}
FaultyFs::FaultyFs(MemoryFs& base) : state_(std::make_shared<State>(base, &base)) {}
FaultyFs::~FaultyFs() = default;

Result<std::unique_ptr<File>> FaultyFs::open(const std::string& path, OpenMode mode) {
  if (state_->is_dead()) return State::death();
  std::unique_ptr<File> file;
  const auto open_base = [&]() -> Status {
    auto opened = state_->base.open(path, mode);
    if (!opened) return pass(opened);
    file = std::move(*opened);
    return {};
  };
  auto there = state_->base.exists(path);
  const bool creates = mode != OpenMode::read && mode != OpenMode::read_write;
  if (creates && there && !*there) {
    TWINCHAIN_TRY(state_->whole(operation_on("create", path), open_base));
  } else {
    TWINCHAIN_TRY(open_base());
  }
  return std::make_unique<FaultyFile<State>>(state_, std::move(file), path);
}

Result<bool> FaultyFs::exists(const std::string& path) {
  if (state_->is_dead()) return State::death();
  return state_->base.exists(path);
}

Result<std::vector<std::string>> FaultyFs::list(const std::string& folder) {
  if (state_->is_dead()) return State::death();
  return state_->base.list(folder);
}

Status FaultyFs::make_folders(const std::string& folder) {
  if (state_->is_dead()) return State::death();
  if (auto there = state_->base.exists(folder); there && *there) {
    return state_->base.make_folders(folder);
  }
  return state_->whole(operation_on("make folder", folder),
                       [&] { return state_->base.make_folders(folder); });
}

Status FaultyFs::rename(const std::string& from, const std::string& to) {
  return state_->whole(operation_on("rename", from) + " to " + escape(to, 400),
                       [&] { return state_->base.rename(from, to); });
}

Status FaultyFs::remove(const std::string& path) {
  return state_->whole(operation_on("remove", path), [&] { return state_->base.remove(path); });
}

Status FaultyFs::sync_folder(const std::string& folder) {
  return state_->whole(operation_on("sync folder", folder),
                       [&] { return state_->base.sync_folder(folder); });
}

Result<std::unique_ptr<FileLock>> FaultyFs::lock(const std::string& path) {
  if (state_->is_dead()) return State::death();
  return state_->base.lock(path);
}

void FaultyFs::set_fault(const Fault& fault) {
  const std::lock_guard lock(state_->mutex);
  state_->fault = fault;
  state_->random = fault.seed;
  state_->happened = false;
  state_->dead = false;
  state_->death_seen = false;
  state_->trace.clear();
}

std::uint64_t FaultyFs::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->trace.size();
}

bool FaultyFs::happened() const {
  const std::lock_guard lock(state_->mutex);
  return state_->happened;
}

std::vector<std::string> FaultyFs::trace() const {
  const std::lock_guard lock(state_->mutex);
  return state_->trace;
}

void FaultyFs::reboot() {
  Fault fault;
  {
    const std::lock_guard lock(state_->mutex);
    fault = state_->fault;
  }
  if (state_->memory != nullptr) {
    if (fault.kind == FaultKind::power_cut) {
      state_->memory->power_cut(fault.survival, fault.seed);
    } else {
      state_->memory->kill_processes();
    }
  }
  set_fault(Fault{});
}

}  // namespace twinchain
