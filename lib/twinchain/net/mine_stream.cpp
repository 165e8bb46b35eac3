#include "twinchain/net/mine_stream.hpp"

#include <mutex>

#include "twinchain/base/hex.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/net/wake_fd.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::net {
namespace {

class StreamMiner {
 public:
  StreamMiner(const MineStreamOptions& options, WakeFd wake)
      : options_(options), wake_(std::move(wake)), writer_(options.output_fd) {}

  Result<ExitCode> run() {
    if (options_.parameters) TWINCHAIN_TRY(begin(*options_.parameters));
    StreamReader::Options reading;
    reading.stop_fd = wake_.fd();
    StreamReader reader(options_.input_fd, reading);
    while (true) {
      auto event = reader.next();
      if (!event) return pass(event);
      if (event->kind == StreamEventKind::stopped) return end(true);
      if (event->kind == StreamEventKind::finished) break;
      TWINCHAIN_TRY(take(*event));
      reader.recycle(std::move(event->frame.body));
    }
    if (miner_) miner_->finish();
    while (miner_ && !miner_->wait_done(100)) {
      auto stopped = wait_readable(wake_.fd(), 0);
      if (!stopped) return pass(stopped);
      if (*stopped) return end(true);
    }
    return end(false);
  }

 private:
  Status take(const StreamEvent& event) {
    switch (event.kind) {
      case StreamEventKind::frame:
        return take_frame(event.frame);
      case StreamEventKind::damage:
        damaged_ = true;
        options_.warn("input byte " + std::to_string(event.offset) + ": " + event.message);
        return {};
      case StreamEventKind::truncated:
        return fail(ExitCode::malformed,
                    "input byte " + std::to_string(event.offset) + ": " + event.message);
      default:
        return {};
    }
  }

  Status take_frame(const Frame& frame) {
    if (frame.header.type == FrameType::network) {
      auto parameters = read_network_frame(frame);
      if (!parameters) return pass(parameters);
      if (!miner_) return begin(*parameters);
      if (network_source(*parameters) != source_) {
        return fail(ExitCode::refuted, "the input is of another network: " + parameters->name);
      }
      return {};
    }
    if (frame.header.type != FrameType::snapshot) {
      const std::lock_guard lock(mutex_);
      return writer_.write_unchanged(frame.header, frame.body.view());
    }
    if (!miner_) {
      return fail(ExitCode::malformed, "a list of transactions before the network's rules",
                  "give the network's file with --network");
    }
    if (frame.header.source != source_) {
      return fail(ExitCode::refuted, "a list of transactions of another network");
    }
    TWINCHAIN_TRY(assembler_.add(frame.body.view()));
    if (auto list = assembler_.take()) {
      options_.detail("list " + std::to_string(list->info.id) + " for block " +
                      std::to_string(list->info.height) + ": " + std::to_string(list->info.count) +
                      " transactions");
      miner_->set_list(std::make_shared<const Snapshot>(std::move(*list)));
    }
    return {};
  }

  Status begin(const ChainParameters& parameters) {
    parameters_ = parameters;
    source_ = network_source(parameters);
    const NetworkFrame frame = network_frame(parameters);
    TWINCHAIN_TRY(writer_.write(frame.header, frame.body));
    miner_.emplace(
        parameters, options_.miner, [this](const MinedBlock& mined) { return found(mined); },
        [this](const Error& error) { options_.warn(error.message); });
    return {};
  }

  // On the miner's thread, which is why it must not touch `miner_`: an optional that is reset calls
  // itself empty before the miner in it has ended.
  bool found(const MinedBlock& mined) {
    options_.detail("block " + std::to_string(mined.height) + ": " + to_hex_reversed(mined.block));
    const NetworkFrame frame = skeleton_frame(parameters_, mined.height, mined.sender->skeleton());
    const std::lock_guard lock(mutex_);
    // Behind a pipe nobody else has the list, and nobody can be asked for more symbols.
    for (const NetworkFrame& part : snapshot_frames(parameters_, *mined.list)) {
      if (written_) written_ = writer_.write(part.header, part.body);
    }
    if (written_) written_ = writer_.write(frame.header, frame.body);
    if (written_ && ++blocks_ != options_.count) return true;
    enough_ = written_.has_value();
    wake_.wake();
    return false;
  }

  // The input has ended and the work is done, or there was reason to stop before.
  Result<ExitCode> end(bool stopped) {
    miner_.reset();
    if (!written_) return std::unexpected(written_.error());
    if (stopped && !enough_) {
      return fail(ExitCode::loss, "stopped by a signal before the input ended");
    }
    TWINCHAIN_TRY(writer_.finish());
    return damaged_ ? ExitCode::loss : ExitCode::success;
  }

  const MineStreamOptions& options_;
  WakeFd wake_;
  ChainParameters parameters_;
  Id128 source_{};
  SnapshotAssembler assembler_;
  bool damaged_ = false;
  std::mutex mutex_;  ///< of all up to miner_
  StreamWriter writer_;
  Status written_;
  std::uint64_t blocks_ = 0;
  bool enough_ = false;
  std::optional<BlockMiner> miner_;
};

}  // namespace

Result<ExitCode> mine_stream(const MineStreamOptions& options) {
  auto wake = WakeFd::open(options.stop_fd);
  if (!wake) return pass(wake);
  return StreamMiner(options, std::move(*wake)).run();
}

}  // namespace twinchain::net
