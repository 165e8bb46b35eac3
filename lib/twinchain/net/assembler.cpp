#include "twinchain/net/assembler.hpp"

#include <atomic>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/block_emitter.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::net {
namespace {

constexpr std::int64_t emitted_save_interval_ms = 5'000;
/// Peers ask about a new block at once, or not at all.
constexpr std::int64_t quiet_ms = 300;

/// Reads the pipe beside the node and posts what it reads.
class SkeletonInput {
 public:
  SkeletonInput(int fd, NodeDaemon& daemon, const ChainParameters& parameters, int stop_fd,
                std::function<void(const Error&)> error)
      : fd_(fd),
        stop_fd_(stop_fd),
        daemon_(daemon),
        source_(network_source(parameters)),
        genesis_(genesis_hash(parameters)),
        error_(std::move(error)) {}
  SkeletonInput(const SkeletonInput&) = delete;
  SkeletonInput& operator=(const SkeletonInput&) = delete;
  ~SkeletonInput() {
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    thread_ = std::thread([this] { read(); });
  }
  /// In the node's thread. All that was read has been handed over, too.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool damaged() const { return damaged_; }
  [[nodiscard]] const std::vector<Hash256>& blocks() const { return blocks_; }

 private:
  void read() {
    StreamReader::Options how;
    how.stop_fd = stop_fd_;
    StreamReader reader(fd_, how);
    bool damaged = false;
    while (true) {
      auto event = reader.next();
      if (!event) {
        error_(event.error());
        damaged = true;
        break;
      }
      if (event->kind == StreamEventKind::finished || event->kind == StreamEventKind::stopped) {
        break;
      }
      if (event->kind == StreamEventKind::frame) {
        if (auto taken = take(event->frame); !taken) {
          taken.error().message =
              "byte " + std::to_string(event->offset) + ": " + taken.error().message;
          error_(taken.error());
          damaged = true;
        }
      } else if (event->kind != StreamEventKind::end) {
        error_(
            {ExitCode::malformed, "byte " + std::to_string(event->offset) + ": " + event->message});
        damaged = true;
      }
    }
    daemon_.server().post([this, damaged]() -> Status {
      finished_ = true;
      damaged_ = damaged_ || damaged;
      return {};
    });
  }

  Status take(const Frame& frame) {
    switch (frame.header.type) {
      case FrameType::network: {
        auto parameters = read_network_frame(frame);
        if (!parameters) return pass(parameters);
        if (genesis_hash(*parameters) != genesis_) {
          return fail(ExitCode::malformed, "NETWORK frame: another network than this node's");
        }
        return {};
      }
      case FrameType::snapshot: {
        TWINCHAIN_TRY(assembler_.add(frame.body.view()));
        auto list = assembler_.take();
        if (!list) return {};
        auto shared = std::make_shared<Snapshot>(std::move(*list));
        daemon_.server().post([this, shared]() -> Status {
          daemon_.node().take_list(std::move(*shared));
          return {};
        });
        return {};
      }
      case FrameType::skeleton: {
        auto read = read_skeleton_frame(frame, source_);
        if (!read) return pass(read);
        auto shared = std::make_shared<Skeleton>(std::move(read->skeleton));
        daemon_.server().post([this, shared]() -> Status {
          blocks_.push_back(bitcoin::block_hash(shared->header));
          return daemon_.node().take_skeleton(std::move(*shared));
        });
        return {};
      }
      default:
        return {};
    }
  }

  int fd_;
  int stop_fd_;
  NodeDaemon& daemon_;
  Id128 source_;
  Hash256 genesis_;
  std::function<void(const Error&)> error_;
  SnapshotAssembler assembler_;
  std::thread thread_;
  // Of the node's thread:
  bool finished_ = false;
  bool damaged_ = false;
  std::vector<Hash256> blocks_;
};

/// What goes to the pipe: blocks of the chain, from where an earlier run stopped.
class ChainOutput {
 public:
  ChainOutput(const AssemblerOptions& options, NodeDaemon& daemon)
      : daemon_(daemon),
        path_(options.daemon.folder + "/emitted"),
        emitter_(options.output_fd, options.daemon.parameters) {}

  Status begin(std::uint32_t repeat_blocks) {
    const HeaderNode& tip = daemon_.storage().chain().tip();
    std::uint32_t height = 0;
    auto there = real_fs().exists(path_);
    if (!there) return pass(there);
    if (*there) {
      auto text = read_whole_file(real_fs(), path_, 100);
      if (!text) return pass(text);
      const auto number = parse_decimal(as_text(*text).substr(0, as_text(*text).find('\n')));
      // A file that cannot be read costs time only: everything is written again.
      const std::uint64_t last = number.value_or(0);
      if (last > repeat_blocks && last <= tip.height) {
        height = static_cast<std::uint32_t>(last - repeat_blocks);
      }
    }
    for (++height; height <= tip.height; ++height) {
      TWINCHAIN_TRY(put(*HeaderTree::ancestor(tip, height)));
    }
    return {};
  }

  Status put(const HeaderNode& block) {
    auto raw = daemon_.storage().blocks().get(block.hash);
    if (!raw) return pass(raw);
    if (!*raw) return {};
    last_height_ = block.height;
    return emitter_.put(block.height, block.header, std::move(**raw));
  }

  /// What was put some blocks ago has been written; the next run repeats more than that.
  Status save(std::int64_t now_ms) {
    if (now_ms < saved_ms_ + emitted_save_interval_ms || last_height_ == saved_height_) return {};
    saved_ms_ = now_ms;
    saved_height_ = last_height_;
    return write_file_atomically(real_fs(), path_, as_bytes(std::to_string(last_height_) + "\n"));
  }

  Status finish(bool whole) {
    TWINCHAIN_TRY(emitter_.finish(whole));
    return save(INT64_MAX);
  }

 private:
  NodeDaemon& daemon_;
  std::string path_;
  BlockEmitter emitter_;
  std::uint32_t last_height_ = 0;
  std::uint32_t saved_height_ = 0;
  std::int64_t saved_ms_ = 0;
};

std::int64_t now_in_ms() {
  return static_cast<std::int64_t>(system_clock().monotonic_ns() / 1'000'000);
}

/// Whether a filter has done its work: nothing waits, and the peers have what they want.
class Ending {
 public:
  explicit Ending(std::int64_t linger_ms) : linger_ms_(linger_ms) {}
  bool is_over(NodeDaemon& daemon) {
    if (daemon.node().skeletons_waiting() > 0) return false;
    const std::int64_t now_ms = now_in_ms();
    if (since_ms_ == 0) since_ms_ = now_ms;
    if (now_ms >= since_ms_ + linger_ms_) return true;
    const std::int64_t last_ms = std::max(since_ms_, daemon.node().last_block_question_ms());
    return daemon.server().stats().queued_bytes == 0 && now_ms >= last_ms + quiet_ms;
  }

 private:
  std::int64_t linger_ms_;
  std::int64_t since_ms_ = 0;
};

void count_blocks(const ChainState& chain, const std::vector<Hash256>& blocks,
                  AssemblerResult& result) {
  for (const Hash256& hash : blocks) {
    ++result.skeletons;
    const HeaderNode* node = chain.headers().find(hash);
    if (node == nullptr || node->invalid) {
      ++result.invalid;
    } else if (chain.has_body(*node)) {
      ++result.assembled;
    }
  }
}

}  // namespace

ExitCode AssemblerResult::verdict() const {
  if (invalid > 0) return ExitCode::refuted;
  if (input_damaged) return ExitCode::malformed;
  if (assembled < skeletons) return ExitCode::peer;
  return ExitCode::success;
}

Result<AssemblerResult> run_assembler(AssemblerOptions options) {
  options.daemon.role = NodeRole::full;
  const ChainParameters parameters = options.daemon.parameters;
  const int stop_fd = options.daemon.stop_fd;
  const std::string folder = options.daemon.folder;
  auto opened = NodeDaemon::open(std::move(options.daemon));
  if (!opened) return pass(opened);
  NodeDaemon& daemon = **opened;
  options.daemon.folder = folder;
  options.daemon.parameters = parameters;
  AssemblerResult result;
  std::optional<ChainOutput> output;
  if (options.output_fd >= 0) {
    output.emplace(options, daemon);
    TWINCHAIN_TRY(output->begin(options.repeat_blocks));
  }
  daemon.node().on_block([&](const HeaderNode& block) -> Status {
    ++result.blocks;
    return output ? output->put(block) : Status();
  });
  std::optional<SkeletonInput> input;
  if (options.input_fd >= 0) {
    input.emplace(options.input_fd, daemon, parameters, stop_fd, options.error);
  }
  Ending ending(options.linger_ms);
  daemon.on_tick([&]() -> Status {
    if (input && input->finished() && ending.is_over(daemon)) daemon.server().stop();
    return output ? output->save(now_in_ms()) : Status();
  });
  if (options.ready) TWINCHAIN_TRY(options.ready(daemon));
  if (input) input->start();
  const Status ran = daemon.run();
  if (!ran) return std::unexpected(ran.error());
  if (input) {
    count_blocks(daemon.storage().chain(), input->blocks(), result);
    result.input_damaged = input->damaged();
  }
  if (output) TWINCHAIN_TRY(output->finish(result.verdict() != ExitCode::malformed));
  return result;
}

}  // namespace twinchain::net
