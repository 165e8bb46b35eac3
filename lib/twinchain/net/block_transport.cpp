#include "twinchain/net/block_transport.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "twinchain/base/text.hpp"
#include "twinchain/net/block_parts.hpp"
#include "twinchain/net/node_client.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::net {
namespace {

using TransportTime = std::chrono::steady_clock;

/// What the slowest node that is waited for takes or gives.
constexpr std::uint64_t slowest_bytes_a_ms = 1'000;

class LinkTransport final : public BlockTransport {
 public:
  LinkTransport(const ChainParameters& parameters, TransportOptions options, UniqueFd stopped)
      : parameters_(parameters), options_(std::move(options)), stopped_(std::move(stopped)) {}

  [[nodiscard]] std::size_t nodes() const override { return options_.nodes.size(); }
  [[nodiscard]] std::string name(std::size_t node) const override {
    return escape(options_.nodes[node].address);
  }

  Status push(std::size_t node, const Hash256& block, ByteView raw) override {
    auto client = connect(node, stopped_.get());
    if (!client) return pass(client);
    for (std::size_t offset = 0; offset < raw.size(); offset += block_part_bytes) {
      // It may know the block already, or have no room: then the rest need not be sent.
      auto done = is_stored(**client, node, block, 0);
      if (!done) return pass(done);
      if (*done) return {};
      const ByteView piece = raw.subspan(offset, std::min(block_part_bytes, raw.size() - offset));
      const BlockPart part{block, raw.size(), offset, {piece.begin(), piece.end()}};
      TWINCHAIN_TRY((*client)->send(part));
    }
    auto done = is_stored(**client, node, block, time_for(raw.size()));
    if (!done) return pass(done);
    return *done ? Status() : away(node, "does not say that it has stored a block");
  }

  Result<std::optional<Bytes>> fetch(std::size_t node, const Hash256& block,
                                     std::uint64_t size_bytes) override {
    const auto end = TransportTime::now() + std::chrono::milliseconds(time_for(size_bytes));
    auto client = connect(node, options_.stop_fd);
    if (!client) return pass(client);
    TWINCHAIN_TRY((*client)->send(GetBlock{block}));
    BlockParts parts(block, size_bytes);
    while (true) {
      auto message = receive_until(**client, end);
      if (!message) return pass(message);
      if (!*message) return away(node, "does not give a block in time");
      if (const auto* none = std::get_if<NoBlock>(&**message)) {
        if (none->block == block) return std::nullopt;
      }
      const auto* part = std::get_if<BlockPart>(&**message);
      if (part == nullptr || part->block != block) continue;
      const auto taken = parts.take(*part);
      if (taken == BlockParts::Taken::misfit || parts.size_bytes() != size_bytes) {
        return away(node, "gives parts of a block that do not fit");
      }
      if (taken == BlockParts::Taken::whole) return parts.take_bytes();
    }
  }

  void stop() override {
    const std::uint64_t one = 1;
    // Cannot fail: the counter is far from its end.
    [[maybe_unused]] const auto written = ::write(stopped_.get(), &one, sizeof one);
  }

 private:
  [[nodiscard]] int time_for(std::uint64_t size_bytes) const {
    return options_.timeout_ms + static_cast<int>(size_bytes / slowest_bytes_a_ms);
  }
  [[nodiscard]] std::unexpected<Error> away(std::size_t node, const std::string& why) const {
    return fail(ExitCode::peer, "storage node " + name(node) + ": " + why);
  }

  Result<std::unique_ptr<NodeClient>> connect(std::size_t node, int stop_fd) const {
    const ServerPeer& peer = options_.nodes[node];
    ClientOptions options;
    options.address = peer.address;
    options.parameters = &parameters_;
    options.role = NodeRole::full;
    options.key_file = options_.key_file;
    options.node_key = peer.node_key;
    options.timeout_ms = options_.timeout_ms;
    options.stop_fd = stop_fd;
    auto client = NodeClient::connect(options);
    if (client && (*client)->hello().role != NodeRole::storage) {
      return away(node, "is no storage node");
    }
    return client;
  }

  static Result<std::optional<Message>> receive_until(NodeClient& client,
                                                      TransportTime::time_point end) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - TransportTime::now()).count();
    return client.receive(static_cast<int>(std::max<std::int64_t>(left, 0)));
  }

  /// Whether it has said so; false when it has said nothing yet.
  Result<bool> is_stored(NodeClient& client, std::size_t node, const Hash256& block,
                         int timeout_ms) const {
    const auto end = TransportTime::now() + std::chrono::milliseconds(timeout_ms);
    while (true) {
      auto message = receive_until(client, end);
      if (!message) return pass(message);
      if (!*message) return false;
      const auto* stored = std::get_if<BlockStored>(&**message);
      if (stored != nullptr && stored->block == block) return true;
      const auto* none = std::get_if<NoBlock>(&**message);
      if (none != nullptr && none->block == block) return away(node, "does not take a block");
    }
  }

  const ChainParameters& parameters_;
  TransportOptions options_;
  UniqueFd stopped_;
};

}  // namespace

Result<std::unique_ptr<BlockTransport>> open_block_transport(const ChainParameters& parameters,
                                                             TransportOptions options) {
  UniqueFd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped.valid()) return std::unexpected(errno_error("cannot make an event", errno));
  return std::make_unique<LinkTransport>(parameters, std::move(options), std::move(stopped));
}

}  // namespace twinchain::net
