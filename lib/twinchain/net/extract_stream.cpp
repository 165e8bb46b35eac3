#include "twinchain/net/extract_stream.hpp"

#include <unistd.h>

#include <chrono>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/block_parts.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::net {
namespace {

/// The extractor with what it stands on, made when the rules are known.
class Extraction {
 public:
  Extraction(Fs& fs, const ExtractOptions& options, const ExtractMessages& messages)
      : fs_(fs),
        options_(options),
        messages_(messages),
        workers_(options.threads, [](std::function<void()>& work) { work(); }) {}

  [[nodiscard]] bool begun() const { return extractor_.has_value(); }

  Status begin(const ChainParameters& parameters) {
    const std::string path =
        options_.temporary_folder + "/twin-tx-" + to_hex(random_array<8>()) + ".tmp";
    auto file = fs_.open(path, OpenMode::create_secret);
    if (!file) return pass(file);
    spill_ = std::move(*file);
    TWINCHAIN_TRY(fs_.remove(path));
    extractor_.emplace(parameters, *spill_, workers_, options_.now_s);
    return {};
  }

  /// False for damage, which has been reported.
  Status add(ByteView raw) {
    const Status status = extractor_->add_block(raw);
    if (status || status.error().code != ExitCode::malformed) return status;
    damage(status.error().message);
    return {};
  }
  void damage(const std::string& what) {
    damaged_ = true;
    messages_.error({ExitCode::malformed, what, {}});
  }
  void missing(const std::string& what) {
    missing_ = true;
    messages_.error({ExitCode::loss, what, {}});
  }

  Result<ExitCode> write() {
    for (const std::string& line : extractor_->finish()) missing(line);
    StreamWriter writer(options_.output_fd);
    TWINCHAIN_TRY(writer.start());
    auto counts = extractor_->write(
        {options_.payer, options_.source},
        [&](const FrameHeader& header, ByteView body) {
          return writer.write_unchanged(header, body);
        },
        messages_.note);
    if (!counts) return pass(counts);
    messages_.detail(decimal(counts->frames) + " frames in " + decimal(counts->transactions) +
                     " transactions of " + decimal(counts->payers) + " payers, up to block " +
                     decimal(std::uint64_t{counts->height}) + "; left out: " +
                     decimal(counts->duplicates) + " frames that were sent twice, " +
                     decimal(counts->abandoned_blocks) + " blocks of abandoned branches");
    if (damaged_) return ExitCode::malformed;
    if (missing_) return ExitCode::loss;
    TWINCHAIN_TRY(writer.finish());
    return ExitCode::success;
  }

 private:
  Fs& fs_;
  const ExtractOptions& options_;
  const ExtractMessages& messages_;
  WorkPool workers_;
  std::unique_ptr<File> spill_;
  std::optional<FrameExtractor> extractor_;
  bool damaged_ = false;
  bool missing_ = false;
};

/// BLOCK frames of a stream into an extraction.
class BlockStream {
 public:
  BlockStream(Extraction& extraction, const std::optional<ChainParameters>& parameters)
      : extraction_(extraction) {
    if (parameters) pinned_ = *parameters;
  }

  Status begin() {
    if (!pinned_) return {};
    return begin(*pinned_);
  }

  Status take(const Frame& frame) {
    switch (frame.header.type) {
      case FrameType::network:
        return take_network(frame);
      case FrameType::block:
        return take_block(frame);
      default:
        break;
    }
    if (frame.header.critical() && !is_known_frame_type(frame.header.type)) {
      extraction_.damage("input at byte " + decimal(frame.offset) + ": frame of unknown " +
                         frame_type_name(frame.header.type) + " that must be understood");
    }
    return {};
  }

  Status finish() {
    if (!reader_) {
      return fail(ExitCode::usage, "no NETWORK frame says whose blocks these are",
                  "--network FILE names the network");
    }
    reader_->finish();
    report_losses();
    return {};
  }

 private:
  Status begin(const ChainParameters& parameters) {
    genesis_ = genesis_hash(parameters);
    reader_.emplace(network_source(parameters), parameters.block_limit_bytes);
    return extraction_.begin(parameters);
  }

  Status take_network(const Frame& frame) {
    auto parameters = read_network_frame(frame);
    if (!parameters) {
      extraction_.damage("input at byte " + decimal(frame.offset) + ": " +
                         parameters.error().message);
      return {};
    }
    if (!reader_) return begin(*parameters);
    if (genesis_hash(*parameters) != genesis_) {
      return fail(ExitCode::usage, "input at byte " + decimal(frame.offset) +
                                       ": blocks of another network, " +
                                       to_hex_reversed(genesis_hash(*parameters)));
    }
    return {};
  }

  Status take_block(const Frame& frame) {
    if (!reader_) {
      return fail(ExitCode::usage, "no NETWORK frame before the first block",
                  "--network FILE names the network");
    }
    auto block = reader_->add(frame);
    report_losses();
    if (!block) {
      extraction_.damage("input at byte " + decimal(frame.offset) + ": " + block.error().message);
      return {};
    }
    return *block ? extraction_.add((*block)->raw) : Status{};
  }

  void report_losses() {
    for (const std::string& line : reader_->take_losses()) extraction_.damage(line);
  }

  Extraction& extraction_;
  std::optional<ChainParameters> pinned_;
  Hash256 genesis_{};
  std::optional<BlockFrameReader> reader_;
};

/// Questions to a node that is not quite trusted.
class BlockFetcher {
 public:
  BlockFetcher(NodeLink& node, int timeout_ms, const ChainParameters& parameters,
               std::int64_t now_s)
      : node_(node),
        timeout_ms_(timeout_ms),
        parameters_(parameters),
        now_s_(now_s),
        tree_(parameters) {}

  Status fetch_headers() {
    while (true) {
      TWINCHAIN_TRY(node_.send(GetHeaders{tree_.locator()}));
      auto headers = wait_for<Headers>();
      if (!headers) return pass(headers);
      const std::uint32_t height = tree_.best().height;
      for (const bitcoin::BlockHeader& header : headers->headers) {
        const Verdict verdict = tree_.accept(header, now_s_).verdict;
        if (verdict.outcome != Outcome::accepted && verdict.outcome != Outcome::known) {
          return fail(ExitCode::malformed, "the node's headers: " + escape(verdict.reason, 200));
        }
      }
      if (tree_.best().height == height) return {};
    }
  }

  [[nodiscard]] std::vector<Hash256> branch() const {
    std::vector<Hash256> hashes;
    for (const HeaderNode* node = &tree_.best(); node->parent != nullptr; node = node->parent) {
      hashes.push_back(node->hash);
    }
    std::ranges::reverse(hashes);
    return hashes;
  }

  /// Nothing when the node does not have it.
  Result<std::optional<Bytes>> fetch(const Hash256& hash) {
    TWINCHAIN_TRY(node_.send(GetBlock{hash}));
    BlockParts parts(hash, parameters_.block_limit_bytes);
    auto end = deadline();
    while (std::chrono::steady_clock::now() < end) {
      auto message = next();
      if (!message) return pass(message);
      if (const auto* none = std::get_if<NoBlock>(&*message); none && none->block == hash) {
        return std::optional<Bytes>();
      }
      const auto* part = std::get_if<BlockPart>(&*message);
      if (part == nullptr || part->block != hash) continue;
      switch (parts.take(*part)) {
        case BlockParts::Taken::more:
          end = deadline();
          break;
        case BlockParts::Taken::whole:
          return std::optional<Bytes>(parts.take_bytes());
        case BlockParts::Taken::misfit:
          return fail(ExitCode::malformed, "the node's block " + to_hex_reversed(hash) +
                                               ": parts that do not fit each other");
      }
    }
    return fail(ExitCode::peer, "the node does not answer");
  }

 private:
  [[nodiscard]] std::chrono::steady_clock::time_point deadline() const {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms_);
  }
  Result<Message> next() {
    auto message = node_.receive(timeout_ms_);
    if (!message) return pass(message);
    if (!*message) return fail(ExitCode::peer, "the node does not answer");
    return std::move(**message);
  }
  template <class T>
  Result<T> wait_for() {
    const auto end = deadline();
    while (std::chrono::steady_clock::now() < end) {
      auto message = next();
      if (!message) return pass(message);
      if (auto* wanted = std::get_if<T>(&*message)) return std::move(*wanted);
    }
    return fail(ExitCode::peer, "the node does not answer");
  }

  NodeLink& node_;
  int timeout_ms_;
  ChainParameters parameters_;
  std::int64_t now_s_;
  HeaderTree tree_;
};

}  // namespace

Result<ExitCode> extract_stream(Fs& fs, int input_fd, const ExtractOptions& options,
                                const ExtractMessages& messages) {
  Extraction extraction(fs, options, messages);
  BlockStream blocks(extraction, options.parameters);
  TWINCHAIN_TRY(blocks.begin());
  StreamReader::Options how;
  how.stop_fd = options.stop_fd;
  StreamReader reader(input_fd, how);
  while (true) {
    auto event = reader.next();
    if (!event) return pass(event);
    if (event->kind == StreamEventKind::finished) break;
    if (event->kind == StreamEventKind::stopped) return fail(ExitCode::loss, "stopped");
    if (event->kind == StreamEventKind::frame) {
      TWINCHAIN_TRY(blocks.take(event->frame));
      reader.recycle(std::move(event->frame.body));
      if (messages.progress) messages.progress(reader.offset());
    } else if (event->kind != StreamEventKind::end) {
      extraction.damage("input at byte " + decimal(event->offset) + ": " + event->message);
    }
  }
  TWINCHAIN_TRY(blocks.finish());
  return extraction.write();
}

Result<ExitCode> extract_from_node(Fs& fs, NodeLink& node, int timeout_ms,
                                   const ExtractOptions& options, const ExtractMessages& messages) {
  Extraction extraction(fs, options, messages);
  TWINCHAIN_TRY(extraction.begin(*options.parameters));
  BlockFetcher fetcher(node, timeout_ms, *options.parameters, options.now_s);
  TWINCHAIN_TRY(fetcher.fetch_headers());
  std::uint64_t done_bytes = 0;
  for (const Hash256& hash : fetcher.branch()) {
    auto raw = fetcher.fetch(hash);
    if (!raw) return pass(raw);
    if (!*raw) {
      extraction.missing("the node does not have block " + to_hex_reversed(hash));
      continue;
    }
    done_bytes += (*raw)->size();
    if (messages.progress) messages.progress(done_bytes);
    TWINCHAIN_TRY(extraction.add(**raw));
  }
  return extraction.write();
}

}  // namespace twinchain::net
