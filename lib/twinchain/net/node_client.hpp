// A tool's link to a node: connects, asks, waits. Floor 6.
//
// Every wait has its end: ClientOptions::timeout_ms, or the stop descriptor. Errors are
// ExitCode::peer when the node is away, too slow or has gone (also when stopped), ExitCode::refuted
// when it is another one than was asked for or belongs to another network, ExitCode::malformed when
// it does not keep to the protocol. After an error of send() or receive() the link is of no use.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::net {

struct ClientOptions {
  std::string address;                          ///< HOST:PORT
  const ChainParameters* parameters = nullptr;  ///< none: the node is asked for them and believed
  NodeRole role = NodeRole::user;
  std::string key_file;  ///< Ed25519 node key (node_key.hpp); empty: a fresh one for this link
  std::optional<Hash256> node_key = {};  ///< the node must have this key
  std::uint16_t listen_port = 0;         ///< told to the node
  int timeout_ms = 30'000;               ///< for connecting, for send() and for ask()
  int stop_fd = -1;                      ///< readable: stop waiting. -1: none
};

/// One thread at a time.
class NodeClient {
 public:
  /// Connects, and knows the network when it returns: both have said hello.
  static Result<std::unique_ptr<NodeClient>> connect(const ClientOptions& options);
  ~NodeClient();
  NodeClient(const NodeClient&) = delete;
  NodeClient& operator=(const NodeClient&) = delete;

  [[nodiscard]] const ChainParameters& parameters() const;
  /// The node's.
  [[nodiscard]] const Hello& hello() const;
  [[nodiscard]] const Hash256& node_key() const;
  /// What both ends of this link alone know, for the short ids of the link.
  [[nodiscard]] const Hash256& link_secret() const;

  /// Returns when the network has taken all of it.
  Status send(const Message& message);
  /// Nothing when the time is over (0: what is there already; -1: no end). Pings are answered.
  Result<std::optional<Message>> receive(int timeout_ms);
  /// Sends, and waits for the next T; what else comes is forgotten.
  template <class T>
  Result<T> ask(const Message& question) {
    TWINCHAIN_TRY(send(question));
    auto answer = wait_for(message_type(T{}));
    if (!answer) return pass(answer);
    return std::get<T>(std::move(*answer));
  }
  /// To be polled by who waits for other things too; there may be messages without it being
  /// readable, so receive(0) until it gives nothing.
  [[nodiscard]] int fd() const;

 private:
  struct Parts;
  explicit NodeClient(std::unique_ptr<Parts> parts);
  Result<Message> wait_for(std::uint16_t type);
  std::unique_ptr<Parts> parts_;
};

}  // namespace twinchain::net
