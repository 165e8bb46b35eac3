#include "twinchain/net/node_client.hpp"

#include <unistd.h>

#include <atomic>

#include "../temporary_folder.hpp"
#include "pipe_for_tests.hpp"
#include "server_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// Says hello and answers some questions; each test spoils something.
class AnsweringNode : public SpeakingNode {
 public:
  Hello hello = {.version = wire_version,
                 .role = NodeRole::mnode,
                 .listen_port = 0,
                 .genesis = genesis_hash(parameters),
                 .height = 12,
                 .tip = {},
                 .agent = "test"};
  bool says_hello = true;
  bool answers = true;

  void connected(PeerId peer, const LinkInfo& link) override {
    RecordingNode::connected(peer, link);
    if (says_hello) say(peer, hello);
  }
  Status received(PeerId peer, std::uint16_t type, ByteView body) override {
    auto message = parse_message(type, body);
    if (!message) return fail(ExitCode::bug, message.error().message);
    if (answers) answer(peer, *message);
    return RecordingNode::received(peer, type, body);
  }

 private:
  void answer(PeerId peer, const Message& message) {
    if (std::holds_alternative<GetParameters>(message)) {
      say(peer, Announce{{Hash256{1}}});  // something else comes in between
      say(peer, Ping{5});
      say(peer, ParametersText{format_parameters(parameters)});
    } else if (std::holds_alternative<GetStatus>(message)) {
      say(peer, Ping{6});
      say(peer, StatusText{"{}"});
    } else if (const auto* const submit = std::get_if<Submit>(&message)) {
      Verdicts verdicts;
      for (const Bytes& transaction : submit->transactions) {
        verdicts.verdicts.push_back({{}, Outcome::accepted, std::to_string(transaction.size())});
      }
      say(peer, verdicts);
    }
  }
};

ClientOptions client_of(const RunningServer& server) {
  ClientOptions options;
  options.address = server.address();
  return options;
}

ExitCode code_of(const ClientOptions& options) {
  const auto client = NodeClient::connect(options);
  return client ? ExitCode::success : client.error().code;
}

}  // namespace

TEST_CASE("node client: learns the network from the node") {
  AnsweringNode node;
  const RunningServer server(options_for_tests(1), node);
  auto client = NodeClient::connect(client_of(server));
  REQUIRE_MESSAGE(client, (client ? "" : client.error().message));
  CHECK((*client)->parameters() == node.parameters);
  CHECK((*client)->hello() == node.hello);
  CHECK((*client)->node_key() == key_for_tests(1).public_key());
  const auto status = (*client)->ask<StatusText>(GetStatus{});
  REQUIRE(status);
  CHECK(status->json == "{}");
  // The first message was a hello without a network; the pings were answered.
  REQUIRE(node.wait([&] { return node.messages.size() == 5; }));
  node.read([&] {
    CHECK((*client)->link_secret() == node.links[0].second.link_secret);
    std::vector<std::uint16_t> types;
    for (const auto& message : node.messages) types.push_back(message.type);
    CHECK(types == std::vector<std::uint16_t>{message_type(Hello{}), message_type(GetParameters{}),
                                              message_type(Pong{}), message_type(GetStatus{}),
                                              message_type(Pong{})});
    const auto hello = std::get<Hello>(*parse_message(1, node.messages[0].body));
    CHECK(hello.genesis == Hash256{});
    CHECK(hello.role == NodeRole::user);
    CHECK(std::get<Pong>(*parse_message(3, node.messages[2].body)).nonce == 5);
  });
}

TEST_CASE("node client: knows the network, the node, and has a key of its own") {
  AnsweringNode node;
  const RunningServer server(options_for_tests(1), node);
  const TemporaryFolder folder;
  ClientOptions options = client_of(server);
  options.parameters = &node.parameters;
  options.role = NodeRole::miner;
  options.listen_port = 7001;
  options.key_file = folder / "miner.key";
  options.node_key = key_for_tests(1).public_key();
  for (int i = 0; i < 2; ++i) REQUIRE(NodeClient::connect(options));
  REQUIRE(node.wait([&] { return node.messages.size() == 2; }));
  node.read([&] {
    const auto hello = std::get<Hello>(*parse_message(1, node.messages[0].body));
    CHECK(hello.genesis == node.hello.genesis);
    CHECK(hello.role == NodeRole::miner);
    CHECK(hello.listen_port == 7001);
    CHECK(node.links[0].second.node_key == node.links[1].second.node_key);
  });
  options.node_key = key_for_tests(2).public_key();
  CHECK(code_of(options) == ExitCode::refuted);
}

TEST_CASE("node client: large questions and answers, and time that is over") {
  AnsweringNode node;
  const RunningServer server(options_for_tests(1), node);
  auto client = NodeClient::connect(client_of(server));
  REQUIRE(client);
  const Submit submit{{Bytes(20 << 20, 1)}};
  for (int i = 0; i < 3; ++i) {
    const auto verdicts = (*client)->ask<Verdicts>(submit);
    REQUIRE_MESSAGE(verdicts, (verdicts ? "" : verdicts.error().message));
    CHECK(verdicts->verdicts.at(0).reason == std::to_string(20 << 20));
  }
  const auto nothing = (*client)->receive(0);
  REQUIRE(nothing);
  CHECK_FALSE(nothing->has_value());
  CHECK_FALSE(*(*client)->receive(20));
  // Still of use after that.
  REQUIRE((*client)->send(GetStatus{}));
  const auto status = (*client)->receive(-1);
  REQUIRE((status && *status));
  CHECK(std::holds_alternative<StatusText>(**status));
}

TEST_CASE("node client: nodes that are not what they should be") {
  AnsweringNode node;
  ServerOptions server_options = options_for_tests(1);
  const ChainParameters ours = parameters_for_tests();
  bool with_parameters = false;
  ExitCode expected = ExitCode::malformed;
  SUBCASE("another network, by its magic") {
    node.magic += 1;
    server_options.magic += 1;
    with_parameters = true;
    expected = ExitCode::refuted;
  }
  SUBCASE("another network, by its genesis block") {
    node.hello.genesis[0] ^= 1;
    with_parameters = true;
    expected = ExitCode::refuted;
  }
  SUBCASE("parameters of another network") {
    node.hello.genesis[0] ^= 1;
  }
  SUBCASE("parameters with another magic than it uses") {
    node.parameters.magic += 1;
    mine_genesis(node.parameters, [] { return false; });
    node.hello.genesis = genesis_hash(node.parameters);
  }
  SUBCASE("another version") {
    node.hello.version = 2;
  }
  SUBCASE("a hello that is none") {
    node.hello.agent = "\n";
  }
  SUBCASE("silence") {
    node.says_hello = false;
    expected = ExitCode::peer;
  }
  SUBCASE("no answers") {
    node.answers = false;
    expected = ExitCode::peer;
  }
  const RunningServer server(server_options, node);
  ClientOptions options = client_of(server);
  if (with_parameters) options.parameters = &ours;
  options.timeout_ms = expected == ExitCode::peer ? 300 : 30'000;
  CHECK(code_of(options) == expected);
}

TEST_CASE("node client: nobody there, and no node there") {
  ClientOptions options;
  for (const char* const wrong : {"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x"}) {
    options.address = wrong;
    CHECK(code_of(options) == ExitCode::usage);
  }
  // A port that nobody listens at: bound, but not listening.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&where), size) == 0);
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&where), &size) == 0);
  options.address = join_host_port("127.0.0.1", ntohs(where.sin_port));
  CHECK(code_of(options) == ExitCode::peer);
  // Nobody accepts: the handshake has no end.
  REQUIRE(::listen(listener.get(), 5) == 0);
  options.timeout_ms = 100;
  CHECK(code_of(options) == ExitCode::peer);
  // Stopped while waiting.
  const Pipe stop;
  REQUIRE(write_all(stop.to.get(), Bytes{1}));
  options.stop_fd = stop.from.get();
  options.timeout_ms = 1'000'000'000;
  CHECK(code_of(options) == ExitCode::peer);
}

TEST_CASE("node client: a node that ends the link") {
  AnsweringNode node;
  std::unique_ptr<NodeClient> client;
  {
    const RunningServer server(options_for_tests(1), node);
    auto connected = NodeClient::connect(client_of(server));
    REQUIRE(connected);
    client = std::move(*connected);
  }
  const auto message = client->receive(30'000);
  REQUIRE_FALSE(message);
  CHECK(message.error().code == ExitCode::peer);
  CHECK_FALSE(client->ask<StatusText>(GetStatus{}));
}
