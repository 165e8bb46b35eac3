#include "twinchain/net/mine_link.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include "twinchain/base/hex.hpp"
#include "twinchain/net/node_client.hpp"
#include "twinchain/net/wake_fd.hpp"

namespace twinchain::net {
namespace {

constexpr std::chrono::milliseconds first_backoff(500);
constexpr std::chrono::milliseconds longest_backoff(30'000);
/// How long a node may take for the last block when the miner ends.
constexpr std::chrono::seconds linger(30);
/// Blocks whose skeletons others may still ask about.
constexpr std::size_t kept_blocks = 4;

class LinkMiner {
 public:
  LinkMiner(const MineLinkOptions& options, WakeFd wake)
      : options_(options), wake_(std::move(wake)), parameters_(options.parameters) {}

  Result<ExitCode> run() {
    std::chrono::milliseconds backoff = first_backoff;
    while (!finished_) {
      const auto began = std::chrono::steady_clock::now();
      Status ended = session();
      if (finished_ || stop_asked()) break;
      if (!ended && !may_mend(ended.error())) return pass(ended);
      if (!ended) options_.warn(ended.error().message);
      // A link that held for long was a good one.
      if (std::chrono::steady_clock::now() - began > longest_backoff) backoff = first_backoff;
      wait(nullptr, backoff);
      backoff = std::min(2 * backoff, longest_backoff);
    }
    return ExitCode::success;
  }

 private:
  // Another network, or options that cannot be used, stay what they are. A node that lies about its
  // lists may be followed by an honest one at its address.
  [[nodiscard]] bool may_mend(const Error& error) const {
    return connected_ || error.code == ExitCode::peer || error.code == ExitCode::malformed;
  }
  [[nodiscard]] bool stop_asked() const {
    return options_.stop_fd >= 0 && wait_readable(options_.stop_fd, 0).value_or(true);
  }

  // Until there is something from the node, from the miner, or reason to stop.
  void wait(const NodeClient* client, std::chrono::milliseconds time) const {
    std::array<pollfd, 3> waiting{{{client != nullptr ? client->fd() : -1, POLLIN, 0},
                                   {client != nullptr ? wake_.own_fd() : -1, POLLIN, 0},
                                   {options_.stop_fd, POLLIN, 0}}};
    // A failure is one that the next call on a descriptor gives.
    [[maybe_unused]] const int ready =
        ::poll(waiting.data(), waiting.size(), static_cast<int>(time.count()));
  }

  // One link, until it ends.
  Status session() {
    ClientOptions how;
    how.address = options_.address;
    how.parameters = parameters_ ? &*parameters_ : nullptr;
    how.role = NodeRole::miner;
    how.key_file = options_.key_file;
    how.stop_fd = options_.stop_fd;
    connected_ = false;
    auto client = NodeClient::connect(how);
    if (!client) return pass(client);
    connected_ = true;
    if (!parameters_) parameters_ = (*client)->parameters();
    start_miner();
    options_.detail("connected to " + options_.address);
    assembler_ = SnapshotAssembler();
    list_ = nullptr;
    TWINCHAIN_TRY((*client)->send(GetSnapshot{}));
    while (!finished_ && !stop_asked()) {
      TWINCHAIN_TRY(send_found(**client));
      auto message = (*client)->receive(0);
      if (!message) return pass(message);
      if (*message) {
        TWINCHAIN_TRY(take(**client, **message));
      } else {
        wait(client->get(), std::chrono::seconds(1));
      }
      finished_ = finished_ || is_over();
    }
    return {};
  }

  void start_miner() {
    if (miner_) return;
    miner_.emplace(
        *parameters_, options_.miner, [this](const MinedBlock& mined) { return found(mined); },
        [this](const Error& error) { options_.warn(error.message); });
  }

  // On the miner's thread, which is why it must not touch `miner_`: an optional that is reset calls
  // itself empty before the miner in it has ended.
  bool found(const MinedBlock& mined) {
    options_.detail("block " + std::to_string(mined.height) + ": " + to_hex_reversed(mined.block));
    const std::lock_guard lock(mutex_);
    unsent_.push_back(mined);
    if (unsent_.size() > kept_blocks) unsent_.pop_front();
    wake_.wake();
    return ++blocks_ != options_.count;
  }

  Status send_found(NodeClient& client) {
    wake_.clear();
    while (true) {
      MinedBlock mined;
      {
        const std::lock_guard lock(mutex_);
        if (unsent_.empty()) return {};
        mined = unsent_.front();
      }
      TWINCHAIN_TRY(client.send(mined.sender->skeleton()));
      const std::lock_guard lock(mutex_);
      if (!unsent_.empty() && unsent_.front().block == mined.block) unsent_.pop_front();
      sent_.push_back(std::move(mined));
      if (sent_.size() > kept_blocks) sent_.pop_front();
      sent_at_ = std::chrono::steady_clock::now();
      sent_all_ = options_.count > 0 && blocks_ >= options_.count && unsent_.empty();
    }
  }

  // All blocks are mined, and the node builds on the last one or had time enough.
  [[nodiscard]] bool is_over() const {
    if (!sent_all_) return false;
    return (list_ && list_->info.tip == sent_.back().block) ||
           std::chrono::steady_clock::now() - sent_at_ > linger;
  }

  Status take(NodeClient& client, const Message& message) {
    if (const auto* part = std::get_if<SnapshotPart>(&message)) {
      TWINCHAIN_TRY(assembler_.add(part->bytes));
      if (auto list = assembler_.take()) return take_list(client, std::move(*list));
    } else if (const auto* delta = std::get_if<SnapshotDelta>(&message)) {
      auto next = list_ ? apply_snapshot_delta(*list_, delta->bytes)
                        : Result<Snapshot>(fail(ExitCode::unproven, "no list to change"));
      if (next) return take_list(client, std::move(*next));
      list_ = nullptr;
      return client.send(GetSnapshot{});
    } else if (const auto* symbols = std::get_if<SymbolRequest>(&message)) {
      SkeletonSender* sender = sender_of(symbols->block);
      if (sender == nullptr) return {};
      auto range = sender->symbols(*symbols);
      if (range) return client.send(Symbols{symbols->block, std::move(*range)});
    } else if (const auto* ids = std::get_if<GetShortIds>(&message)) {
      if (const SkeletonSender* sender = sender_of(ids->block)) {
        return client.send(sender->short_ids());
      }
    } else if (const auto* bodies = std::get_if<TransactionRequest>(&message)) {
      // A miner has hashes only.
      return client.send(BlockTransactions{bodies->block, true, {}});
    } else if (const auto* whole = std::get_if<GetBlock>(&message)) {
      return client.send(NoBlock{whole->block});
    }
    return {};
  }

  Status take_list(NodeClient& client, Snapshot list) {
    options_.detail("list " + std::to_string(list.info.id) + " for block " +
                    std::to_string(list.info.height) + ": " + std::to_string(list.info.count) +
                    " transactions");
    list_ = std::make_shared<const Snapshot>(std::move(list));
    miner_->set_list(list_);
    return client.send(GetSnapshot{list_->info.id, true});
  }

  SkeletonSender* sender_of(const Hash256& block) {
    const auto found = std::find_if(sent_.begin(), sent_.end(),
                                    [&](const MinedBlock& one) { return one.block == block; });
    return found != sent_.end() ? found->sender.get() : nullptr;
  }

  const MineLinkOptions& options_;
  WakeFd wake_;
  std::optional<ChainParameters> parameters_;
  SnapshotAssembler assembler_;
  std::shared_ptr<const Snapshot> list_;
  std::deque<MinedBlock> sent_;
  std::chrono::steady_clock::time_point sent_at_{};
  bool sent_all_ = false;
  bool connected_ = false;  ///< in this session
  bool finished_ = false;
  std::mutex mutex_;  ///< of the next two
  std::deque<MinedBlock> unsent_;
  std::uint64_t blocks_ = 0;
  std::optional<BlockMiner> miner_;
};

}  // namespace

Result<ExitCode> mine_for_node(const MineLinkOptions& options) {
  auto wake = WakeFd::open(-1);
  if (!wake) return pass(wake);
  return LinkMiner(options, std::move(*wake)).run();
}

}  // namespace twinchain::net
