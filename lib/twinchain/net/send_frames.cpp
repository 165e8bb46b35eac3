#include "twinchain/net/send_frames.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "twinchain/base/text.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::net {
namespace {

constexpr int answer_wait_ms = 10;
constexpr int idle_wait_ms = 50;
constexpr std::int64_t longest_reconnect_ns = 30'000'000'000;
/// Between two acknowledgements: each makes the state durable.
constexpr std::int64_t acknowledge_every_ns = 100'000'000;
constexpr std::int64_t look_while_waiting_ns = 2'000'000'000;
/// Messages taken from a node in one go, so that input is read while a node talks without end.
constexpr int messages_in_one_go = 100;

class FrameSender {
 public:
  FrameSender(FramePayer& payer, Clock& clock, std::unique_ptr<NodeLink> link,
              const ConnectFunction& connect, const SendFramesOptions& options,
              const SendFramesMessages& messages)
      : payer_(payer),
        clock_(clock),
        link_(std::move(link)),
        connect_(connect),
        options_(options),
        messages_(messages) {
    away_since_ns_ = now();
    heard_ns_ = now();
    if (link_) payer_.connected(now());
  }

  Result<SendFramesResult> run() {
    StreamReader reader([this](std::span<std::uint8_t> into) { return read(into); },
                        StreamReader::Options{});
    Status status;
    for (bool more = true; more && status;) {
      auto event = reader.next();
      if (event) {
        more = event->kind != StreamEventKind::finished;
        status = handle(*event, reader);
      } else {
        status = pass(event);
      }
    }
    if (!status && status.error().code != ExitCode::malformed) return pass(status);
    // What came before the fault is sent.
    payer_.flush();
    auto sent = finish();
    // Also of what no node has yet: it is durable here.
    TWINCHAIN_TRY(acknowledge());
    if (!sent) return pass(sent);
    if (!status && !result_.stopped) return pass(status);
    return result_;
  }

 private:
  [[nodiscard]] std::int64_t now() { return static_cast<std::int64_t>(clock_.monotonic_ns()); }

  Result<bool> stop_requested() {
    if (options_.stop_fd < 0) return false;
    return wait_readable(options_.stop_fd, 0);
  }

  /// The next bytes of the input. Until there are any it talks with the node.
  Result<std::size_t> read(std::span<std::uint8_t> into) {
    while (true) {
      auto stop = stop_requested();
      if (!stop) return pass(stop);
      if (*stop) {
        result_.stopped = true;
        return std::size_t{0};
      }
      TWINCHAIN_TRY(pump(0));
      const bool wanted = payer_.wants_frames();
      const bool waits_for_node = link_ != nullptr && payer_.unanswered_bytes() > 0;
      if (wanted) {
        auto ready = wait_readable(options_.input_fd, waits_for_node ? 0 : idle_wait_ms);
        if (!ready) return pass(ready);
        if (*ready) return read_some(options_.input_fd, into);
      }
      if (waits_for_node) TWINCHAIN_TRY(pump(answer_wait_ms));
      if (!wanted && link_ == nullptr) TWINCHAIN_TRY(pause());
    }
  }

  /// Nothing to be done but to wait for a node.
  Status pause() {
    if (options_.stop_fd < 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(answer_wait_ms));
      return {};
    }
    auto ready = wait_readable(options_.stop_fd, answer_wait_ms);
    if (!ready) return pass(ready);
    return {};
  }

  Status handle(StreamEvent& event, StreamReader& reader) {
    switch (event.kind) {
      case StreamEventKind::frame:
        input_ended_ = false;
        TWINCHAIN_TRY(payer_.take(event.frame.header, event.frame.body.view(), now()));
        if (options_.acknowledger) TWINCHAIN_TRY(options_.acknowledger->saw(event.frame.header));
        TWINCHAIN_TRY(pump(0));
        reader.recycle(std::move(event.frame.body));
        if (messages_.progress) messages_.progress(reader.offset());
        return wait_for_room();
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        input_ended_ = false;
        complain(event);
        return {};
      case StreamEventKind::end:
        input_ended_ = true;
        break;
      case StreamEventKind::finished:
      case StreamEventKind::stopped:
        break;
    }
    return {};
  }

  /// The reader holds several frames: none of them is taken beyond the window.
  Status wait_for_room() {
    while (!payer_.wants_frames()) {
      auto stop = stop_requested();
      if (!stop) return pass(stop);
      // The frames that were read stay upstream's: they come again.
      if (*stop) {
        result_.stopped = true;
        return fail(ExitCode::malformed, "stopped");
      }
      TWINCHAIN_TRY(pump(answer_wait_ms));
      if (link_ == nullptr) TWINCHAIN_TRY(pause());
    }
    return {};
  }

  void complain(const StreamEvent& event) {
    // When it was stopped between frames nothing is cut.
    if (result_.stopped && event.kind == StreamEventKind::truncated) return;
    ++result_.damaged_places;
    std::string message = "input at byte " + decimal(event.offset) + ": " + event.message;
    if (event.size_bytes > 0) message += ", " + decimal(event.size_bytes) + " bytes left out";
    messages_.error({ExitCode::malformed, std::move(message), {}});
  }

  Status finish() {
    std::int64_t looked_ns = now();
    away_since_ns_ = std::max(away_since_ns_, now());
    while (options_.wait && !result_.stopped ? !payer_.buried() : !payer_.settled()) {
      auto stop = stop_requested();
      if (!stop) return pass(stop);
      const bool first_stop = *stop && !result_.stopped;
      if (first_stop) stopping_since_ns_ = now();
      if (*stop) result_.stopped = true;
      if (result_.stopped && now() - stopping_since_ns_ > look_while_waiting_ns) return {};
      if (options_.wait && payer_.settled() && now() - looked_ns >= look_while_waiting_ns) {
        looked_ns = now();
        payer_.look(now());
      }
      TWINCHAIN_TRY(pump(answer_wait_ms));
      if (link_ != nullptr) continue;
      if (now() - away_since_ns_ > options_.patience_ns) {
        return fail(ExitCode::peer, "no node to give the rest to",
                    "what was read is in the state; the same command goes on with it");
      }
      TWINCHAIN_TRY(pause());
    }
    return {};
  }

  /// Sends what is to be sent, and hears the node.
  Status pump(int timeout_ms) {
    TWINCHAIN_TRY(payer_.tick(now()));
    if (now() - acknowledged_ns_ >= acknowledge_every_ns) TWINCHAIN_TRY(acknowledge());
    if (link_ == nullptr && !reconnect()) return {};
    auto outgoing = payer_.take_messages(now());
    if (!outgoing) return pass(outgoing);
    for (const Message& message : *outgoing) {
      if (auto status = link_->send(message); !status) {
        lose_link(status.error());
        return {};
      }
    }
    for (int count = 0; count < messages_in_one_go; ++count) {
      auto incoming = link_->receive(count == 0 ? timeout_ms : 0);
      if (!incoming) {
        lose_link(incoming.error());
        return {};
      }
      if (!*incoming) break;
      heard_ns_ = now();
      const Status status = payer_.receive(**incoming, now());
      if (!status && status.error().code == ExitCode::malformed) {
        lose_link(status.error());
        return {};
      }
      if (!status) return status;
    }
    if (!payer_.waits_for_answer()) heard_ns_ = now();
    if (now() - heard_ns_ > options_.answer_ns) {
      lose_link({ExitCode::peer, "the node does not answer", {}});
    }
    return {};
  }

  Status acknowledge() {
    if (options_.acknowledger == nullptr) return {};
    acknowledged_ns_ = now();
    auto durable = payer_.durable_frames();
    if (!durable) return pass(durable);
    return options_.acknowledger->update(*durable, input_ended_ && result_.damaged_places == 0);
  }

  void lose_link(const Error& error) {
    messages_.warn(error.message);
    link_.reset();
    payer_.disconnected();
    away_since_ns_ = now();
    connect_again_ns_ = now();
    reconnect_wait_ns_ = 250'000'000;
  }

  bool reconnect() {
    if (now() < connect_again_ns_) return false;
    auto link = connect_();
    if (!link) {
      // Each minute or so, and not for each attempt.
      if (reconnect_wait_ns_ >= longest_reconnect_ns / 2) messages_.warn(link.error().message);
      reconnect_wait_ns_ = std::min(reconnect_wait_ns_ * 2, longest_reconnect_ns);
      connect_again_ns_ = now() + reconnect_wait_ns_;
      return false;
    }
    link_ = std::move(*link);
    payer_.connected(now());
    heard_ns_ = now();
    return true;
  }

  FramePayer& payer_;
  Clock& clock_;
  std::unique_ptr<NodeLink> link_;
  const ConnectFunction& connect_;
  const SendFramesOptions& options_;
  const SendFramesMessages& messages_;
  SendFramesResult result_;
  bool input_ended_ = false;  ///< the last thing read was an END
  std::int64_t acknowledged_ns_ = 0;
  std::int64_t away_since_ns_ = 0;
  std::int64_t heard_ns_ = 0;
  std::int64_t stopping_since_ns_ = 0;
  std::int64_t connect_again_ns_ = 0;
  std::int64_t reconnect_wait_ns_ = 250'000'000;
};

}  // namespace

ExitCode SendFramesResult::verdict() const {
  if (damaged_places > 0) return ExitCode::malformed;
  return stopped ? ExitCode::loss : ExitCode::success;
}

Result<SendFramesResult> send_frames(FramePayer& payer, Clock& clock,
                                     std::unique_ptr<NodeLink> link, const ConnectFunction& connect,
                                     const SendFramesOptions& options,
                                     const SendFramesMessages& messages) {
  FrameSender sender(payer, clock, std::move(link), connect, options, messages);
  return sender.run();
}

}  // namespace twinchain::net
