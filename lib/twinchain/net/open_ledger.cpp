#include "twinchain/base/text.hpp"
#include "twinchain/net/mnode_ledger.hpp"
#include "twinchain/net/node_client.hpp"

namespace twinchain::net {
namespace {

class ClientNodeLink final : public NodeLink {
 public:
  explicit ClientNodeLink(std::unique_ptr<NodeClient> client) : client_(std::move(client)) {}
  Status send(const Message& message) override { return client_->send(message); }
  Result<std::optional<Message>> receive(int timeout_ms) override {
    return client_->receive(timeout_ms);
  }

 private:
  std::unique_ptr<NodeClient> client_;
};

Result<LinkedNode> connect_client(const std::string& address, int timeout_ms,
                                  const ChainParameters* parameters) {
  ClientOptions how;
  how.address = address;
  how.parameters = parameters;
  how.timeout_ms = timeout_ms;
  auto client = NodeClient::connect(how);
  if (!client) {
    // Another network than was asked for: trying again does not help.
    if (client.error().code == ExitCode::refuted) client.error().code = ExitCode::usage;
    client.error().message = escape(address) + ": " + client.error().message;
    return pass(client);
  }
  LinkedNode linked{nullptr, (*client)->parameters()};
  linked.link = std::make_unique<ClientNodeLink>(std::move(*client));
  return linked;
}

}  // namespace

Result<std::unique_ptr<ledger::Ledger>> open_ledger(const std::string& url,
                                                    const ledger::LedgerOptions& ledger_options,
                                                    const MnodeLedgerOptions& options,
                                                    bool create) {
  constexpr std::string_view scheme = "mnode:";
  if (!url.starts_with(scheme)) return ledger::open_ledger(url, ledger_options, create);
  const std::string address = url.substr(scheme.size());
  const std::size_t colon = address.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::nullopt
                        : parse_decimal(std::string_view(address).substr(colon + 1));
  if (!port || *port == 0 || *port > 0xffff || colon == 0) {
    return fail(ExitCode::usage, "not a ledger: " + escape(url), "mnode:HOST:PORT");
  }
  const int timeout_ms = ledger_options.timeout_ms;
  return make_mnode_ledger(
      escape(url),
      [address, timeout_ms](const ChainParameters* parameters) {
        return connect_client(address, timeout_ms, parameters);
      },
      system_clock(), ledger_options, options);
}

}  // namespace twinchain::net
