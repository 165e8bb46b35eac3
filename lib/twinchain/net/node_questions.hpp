// Questions to a node over a link that is made when it is needed. Floor 6.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "twinchain/base/clock.hpp"
#include "twinchain/net/mnode_ledger.hpp"

namespace twinchain::net {

/// Not thread-safe.
class NodeQuestions {
 public:
  NodeQuestions(LinkToNode connect, const ledger::LedgerOptions& options,
                std::optional<ChainParameters> parameters)
      : connect_(std::move(connect)),
        timeout_ms_(options.timeout_ms),
        cancel_(options.cancel),
        parameters_(std::move(parameters)) {}

  /// Those that are known: given, or told by the node.
  [[nodiscard]] const std::optional<ChainParameters>& parameters() const { return parameters_; }
  Status connect() {
    if (link_) return {};
    auto linked = connect_(parameters_ ? &*parameters_ : nullptr);
    if (!linked) return pass(linked);
    if (!parameters_) parameters_ = std::move(linked->parameters);
    link_ = std::move(linked->link);
    return {};
  }
  /// The link may have been closed since the last question: one more is tried. Only questions that
  /// may be asked twice.
  template <class T>
  Result<T> ask(const Message& question) {
    const bool was_open = link_ != nullptr;
    auto answer = ask_once<T>(question);
    if (!answer && was_open && answer.error().code == ExitCode::peer && !cancelled()) {
      link_.reset();
      answer = ask_once<T>(question);
    }
    if (!answer) link_.reset();
    return answer;
  }
  /// What it said was wrong: nothing more is asked over this link.
  void drop() { link_.reset(); }

 private:
  /// While an answer is waited for, so often it is looked whether that is over.
  static constexpr int cancel_slice_ms = 200;

  [[nodiscard]] bool cancelled() const { return cancel_ != nullptr && cancel_->load(); }

  template <class T>
  Result<T> ask_once(const Message& question) {
    TWINCHAIN_TRY(connect());
    TWINCHAIN_TRY(link_->send(question));
    const std::uint64_t began_ns = system_clock().monotonic_ns();
    const std::uint64_t longest_ns = static_cast<std::uint64_t>(timeout_ms_) * 1'000'000;
    do {
      auto message = link_->receive(std::min(cancel_slice_ms, timeout_ms_));
      if (!message) return pass(message);
      if (*message && std::holds_alternative<T>(**message))
        return std::get<T>(std::move(**message));
      if (cancelled()) return fail(ExitCode::peer, "stopped while the node was asked");
    } while (system_clock().monotonic_ns() - began_ns < longest_ns);
    return fail(ExitCode::peer, "the node does not answer");
  }

  LinkToNode connect_;
  int timeout_ms_;
  const std::atomic<bool>* cancel_;
  std::optional<ChainParameters> parameters_;
  std::unique_ptr<NodeLink> link_;
};

}  // namespace twinchain::net
