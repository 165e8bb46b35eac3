// twin-tx: puts the frames of a twin stream into blocks, and gets them back.

#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/net/extract_stream.hpp"
#include "twinchain/net/node_client.hpp"
#include "twinchain/net/payer_key.hpp"
#include "twinchain/net/send_frames.hpp"

namespace {

using namespace twinchain;

constexpr int connect_timeout_ms = 10'000;
constexpr int answer_timeout_ms = 60'000;
constexpr std::int64_t second_ns = 1'000'000'000;

struct Options {
  std::string input;
  std::string output;
  std::vector<std::string> to;
  std::string key = "payer.key";
  std::string state = "twin-tx.state";
  std::string network;
  bool each = false;
  std::string batch = "1MiB";
  std::string every = "1s";
  std::int64_t fee_rate = 0;
  std::uint32_t depth = 6;
  bool wait = false;
  std::string acknowledge;
  std::string patience = "60s";
  std::string command;
  // extract
  std::string source;
  std::string payer;
  std::string from;
};

class ClientLink final : public net::NodeLink {
 public:
  explicit ClientLink(std::unique_ptr<net::NodeClient> client) : client_(std::move(client)) {}
  Status send(const net::Message& message) override { return client_->send(message); }
  Result<std::optional<net::Message>> receive(int timeout_ms) override {
    return client_->receive(timeout_ms);
  }
  [[nodiscard]] const net::ChainParameters& parameters() const { return client_->parameters(); }

 private:
  std::unique_ptr<net::NodeClient> client_;
};

Result<std::optional<net::ChainParameters>> read_network(const std::string& path) {
  std::optional<net::ChainParameters> none;
  if (path.empty()) return none;
  auto text = read_file(path, net::max_parameters_file_bytes);
  if (!text) return pass(text);
  auto parameters = net::parse_parameters(*text);
  if (!parameters) {
    parameters.error().message = escape(path) + ": " + parameters.error().message;
    return pass(parameters);
  }
  return std::optional(std::move(*parameters));
}

/// The first of the addresses that answers.
Result<std::unique_ptr<ClientLink>> connect_to_one(const std::vector<std::string>& addresses,
                                                   const net::ChainParameters* parameters,
                                                   int stop_fd) {
  Result<std::unique_ptr<ClientLink>> link = fail(ExitCode::usage, "no node to connect to");
  for (const std::string& address : addresses) {
    net::ClientOptions how;
    how.address = address;
    how.parameters = parameters;
    how.timeout_ms = connect_timeout_ms;
    how.stop_fd = stop_fd;
    auto client = net::NodeClient::connect(how);
    if (client) return std::make_unique<ClientLink>(std::move(*client));
    link = pass(client);
    if (link.error().code == ExitCode::usage) return link;
    cli::detail(escape(address) + ": " + link.error().message);
  }
  return link;
}

/// As connect_to_one(), again and again until the time is over.
Result<std::unique_ptr<ClientLink>> connect_patiently(const Options& options,
                                                      const net::ChainParameters* parameters,
                                                      std::int64_t patience_ns) {
  const std::uint64_t began_ns = system_clock().monotonic_ns();
  while (true) {
    auto link = connect_to_one(options.to, parameters, cli::source_stop_fd());
    const auto waited_ns = static_cast<std::int64_t>(system_clock().monotonic_ns() - began_ns);
    if (link || link.error().code != ExitCode::peer || waited_ns >= patience_ns ||
        cli::stop_requested()) {
      return link;
    }
    TWINCHAIN_TRY(wait_readable(cli::source_stop_fd(), 500));
  }
}

Result<net::PayerOptions> payer_options(const Options& options) {
  net::PayerOptions out;
  const auto batch = parse_size_bytes(options.batch);
  if (!batch || *batch == 0)
    return fail(ExitCode::usage, "--batch: not a size: " + escape(options.batch));
  const auto every = parse_duration_ns(options.every);
  if (!every) return fail(ExitCode::usage, "--every: not a duration: " + escape(options.every));
  out.batch_bytes = std::min<std::uint64_t>(*batch, net::largest_transaction_limit_bytes);
  out.every_ns = *every;
  out.each = options.each;
  out.rate_sat = options.fee_rate;
  out.depth = options.depth;
  out.start_time_s = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(system_clock().wall_ns() / second_ns, 0, 0xffffffff));
  return out;
}

void report_counts(const net::PayerCounts& counts) {
  cli::detail(decimal(counts.frames) + " frames taken, " + decimal(counts.duplicates) +
              " had been taken before; " + decimal(counts.payments) + " transactions made, " +
              decimal(counts.buried) + " are deep in the chain");
}

Result<ExitCode> run(const Options& options) {
  if (options.to.empty()) return fail(ExitCode::usage, "--to HOST:PORT is missing");
  auto how = payer_options(options);
  if (!how) return pass(how);
  const auto patience = parse_duration_ns(options.patience);
  if (!patience) return fail(ExitCode::usage, "--patience: not a duration");
  auto key = net::read_payer_key(real_fs(), net::payer_key_path(options.key));
  if (!key) return pass(key);
  auto network = read_network(options.network);
  if (!network) return pass(network);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto first = connect_patiently(options, *network ? &**network : nullptr, *patience);
  if (!first) return pass(first);
  const net::ChainParameters parameters = (*first)->parameters();
  auto state = net::PayerState::open(real_fs(), options.state, parameters, key->public_key());
  if (!state) return pass(state);
  if ((*state)->torn_bytes() > 0) {
    cli::note("state " + escape(options.state) + ": passed over " +
              decimal((*state)->torn_bytes()) +
              " bytes that a crash had left unfinished; nothing of them had been sent");
  }
  net::FramePayer payer(parameters, *key, **state, *how,
                        [](const std::string& text) { cli::warn(text); });
  cli::Progress progress("sending", cli::regular_file_size(input->get()).value_or(0));
  net::SendFramesOptions sending;
  sending.input_fd = input->get();
  sending.stop_fd = cli::filter_stop_fd();
  sending.wait = options.wait;
  sending.patience_ns = *patience;
  net::FrameAcknowledger acknowledger(real_fs(), options.acknowledge);
  if (!options.acknowledge.empty()) sending.acknowledger = &acknowledger;
  net::SendFramesMessages messages;
  messages.warn = [](const std::string& text) { cli::warn(text); };
  messages.error = [](const Error& error) { cli::print_error(error); };
  messages.progress = [&progress](std::uint64_t done) { progress.show(done); };
  const auto connect = [&]() -> Result<std::unique_ptr<net::NodeLink>> {
    auto link = connect_to_one(options.to, &parameters, cli::filter_stop_fd());
    if (!link) return pass(link);
    return std::unique_ptr<net::NodeLink>(std::move(*link));
  };
  auto sent =
      net::send_frames(payer, system_clock(), std::move(*first), connect, sending, messages);
  report_counts(payer.counts());
  if (!sent) return pass(sent);
  return sent->verdict();
}

Status print_public_key(const EcdsaSecretKey& key) {
  return write_all(STDOUT_FILENO, as_bytes(to_hex(key.public_key()) + "\n"));
}

Result<ExitCode> run_key(const Options& options) {
  auto key = options.command == "key"
                 ? net::create_payer_key(real_fs(), net::payer_key_path(options.input))
                 : net::read_payer_key(real_fs(), net::payer_key_path(options.input));
  if (!key) return pass(key);
  TWINCHAIN_TRY(print_public_key(*key));
  return ExitCode::success;
}

Result<net::ExtractOptions> extract_options(const Options& options) {
  net::ExtractOptions out;
  auto network = read_network(options.network);
  if (!network) return pass(network);
  out.parameters = std::move(*network);
  if (!options.source.empty()) out.source = source_id(options.source);
  if (!options.payer.empty()) {
    const auto bytes = from_hex(options.payer);
    EcdsaPublicKey key{};
    if (!bytes || bytes->size() != key.size() || !is_valid_public_key(*bytes)) {
      return fail(ExitCode::usage, "--payer: not a public key: 66 hexadecimal digits are expected",
                  "twin-tx public FILE prints it");
    }
    std::ranges::copy(*bytes, key.begin());
    out.payer = key;
  }
  const char* folder = std::getenv("TMPDIR");
  if (folder != nullptr && *folder != '\0') out.temporary_folder = folder;
  out.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  out.now_s = system_clock().wall_ns() / second_ns;
  return out;
}

Result<ExitCode> run_extract(const Options& options) {
  auto how = extract_options(options);
  if (!how) return pass(how);
  UniqueFd input;
  std::unique_ptr<ClientLink> node;
  if (options.from.empty()) {
    auto opened = cli::open_input(options.input);
    if (!opened) return pass(opened);
    input = std::move(*opened);
  }
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  how->output_fd = output->fd();
  how->stop_fd = cli::source_stop_fd();
  cli::Progress progress("extracting",
                         input.valid() ? cli::regular_file_size(input.get()).value_or(0) : 0);
  net::ExtractMessages messages;
  messages.error = [](const Error& error) { cli::print_error(error); };
  messages.note = [](const std::string& text) { cli::note(text); };
  messages.detail = [](const std::string& text) { cli::detail(text); };
  messages.progress = [&progress](std::uint64_t done) { progress.show(done); };
  Result<ExitCode> done = ExitCode::success;
  if (options.from.empty()) {
    done = net::extract_stream(real_fs(), input.get(), *how, messages);
  } else {
    auto link = connect_to_one({options.from}, how->parameters ? &*how->parameters : nullptr,
                               cli::source_stop_fd());
    if (!link) return pass(link);
    how->parameters = (*link)->parameters();
    done = net::extract_from_node(real_fs(), **link, answer_timeout_ms, *how, messages);
  }
  if (done) TWINCHAIN_TRY(output->commit());
  return done;
}

void define_plain(CLI::App& app, Options& options) {
  app.add_option("FILE", options.input, "Twin stream; standard input when not given or -");
  app.add_option("--to", options.to, "Node that takes transactions; several are tried in turn")
      ->type_name("HOST:PORT")
      ->allow_extra_args(false);
  app.add_option("-k,--key", options.key, "Key that pays: NAME or NAME.key (payer.key)");
  app.add_option("--state", options.state,
                 "Folder that keeps what is on its way; made when missing (twin-tx.state)")
      ->type_name("DIR");
  app.add_option("--network", options.network,
                 "Parameters of the network (what the first node says)")
      ->type_name("FILE");
  app.add_flag("--each", options.each, "One frame a transaction");
  app.add_option("--batch", options.batch, "Gather up to so much in a transaction (1MiB)")
      ->type_name("SIZE");
  app.add_option("--every", options.every, "Gather no longer than this (1s)")->type_name("T");
  app.add_option("--fee-rate", options.fee_rate,
                 "Satoshi for 1000 bytes, when it is more than the network's")
      ->type_name("SATOSHI")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}));
  app.add_option("--depth", options.depth, "A transaction under so many blocks is safe (6)")
      ->type_name("N")
      ->check(CLI::Range(1U, 100'000U));
  app.add_flag("--wait", options.wait, "Return when all is so deep, not when a node has it");
  app.add_option("--acknowledge", options.acknowledge,
                 "Tell the recorder's spool what it need not keep any more")
      ->type_name("SPOOL");
  app.add_option("--patience", options.patience,
                 "So long without a node, at the start or the end, is an error (60s)")
      ->type_name("T");
}

void define_commands(CLI::App& app, Options& options) {
  app.require_subcommand(0, 1);
  CLI::App* key = app.add_subcommand("key", "Make a key that pays, and print its public key");
  key->callback([&options] { options.command = "key"; });
  key->add_option("NAME", options.input, "NAME.key is written")->required();
  CLI::App* shown = app.add_subcommand("public", "Print the public key of a key that pays");
  shown->callback([&options] { options.command = "public"; });
  shown->add_option("FILE", options.input, "NAME or NAME.key")->required();
  CLI::App* extract = app.add_subcommand("extract", "Get the stream back from blocks");
  extract->callback([&options] { options.command = "extract"; });
  auto* file = extract->add_option("FILE", options.input,
                                   "Twin stream with blocks; standard input when not given or -");
  auto* from = extract->add_option("--from", options.from, "Node to get the blocks from")
                   ->type_name("HOST:PORT");
  from->excludes(file);
  extract
      ->add_option("--network", options.network,
                   "Parameters of the network (what the stream or the node says)")
      ->type_name("FILE");
  extract->add_option("--source", options.source, "Frames of this source only")->type_name("NAME");
  extract->add_option("--payer", options.payer, "What this public key has paid for only")
      ->type_name("KEY");
  extract->add_option("-o,--output", options.output,
                      "Write to a file, which appears when it is complete");
}

}  // namespace

int main(int argc, char** argv) {
  // Else the allocator learns to keep freed frames of 16 MiB for itself, twice over.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  Options options;
  const cli::ToolForm form = cli::tool_form(argc, argv, {"key", "public", "extract"});
  const auto define = [&](CLI::App& app) {
    if (form != cli::ToolForm::command) define_plain(app, options);
    if (form != cli::ToolForm::plain) define_commands(app, options);
  };
  return cli::run_tool(
      argc, argv,
      {"twin-tx", "Put the frames of a twin stream into the blocks of a network, and get them back",
       "twin-tx key payer\n"
       "twin-tx --to 127.0.0.1:7001 < b.twin\n"
       "store get chain/ | twin-tx extract > b.twin"},
      define, [&] {
        if (form != cli::ToolForm::command) return run(options);
        return options.command == "extract" ? run_extract(options) : run_key(options);
      });
}
