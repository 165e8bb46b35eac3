#include "twinchain/ledger/anchor_filter.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "twinchain/base/text.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::ledger {
namespace {

/// Chains in one stream; a record of some kilobytes is kept of each.
constexpr std::size_t max_chains = max_fleet_size;
constexpr std::size_t max_sources = 65536;
constexpr std::uint64_t note_wait_after_ns = 2'000'000'000;
constexpr std::uint64_t call_grace_ns = 500'000'000;

/// What the reading thread knows and the working thread has not taken yet.
class Mailbox {
 public:
  struct Letter {
    std::vector<Id128> sources;
    std::vector<LinkReference> links;
    std::vector<Receipt> receipts;
    std::vector<Hash256> again;
    bool input_ended = false;
    bool stop = false;
  };

  void put_source(const Id128& source) {
    const std::lock_guard lock(mutex_);
    letter_.sources.push_back(source);
    wake_.notify_one();
  }
  /// False: too many chains.
  bool put_link(const LinkReference& link) {
    const std::lock_guard lock(mutex_);
    const ChainKey key{link.header.source, link.record};
    auto at = newest_.find(key);
    if (at == newest_.end()) {
      if (newest_.size() >= max_chains) return false;
      at = newest_.try_emplace(key).first;
    } else if (link.header.sequence < at->second.link.header.sequence ||
               link.hash == at->second.link.hash) {
      return true;
    }
    at->second = Newest{link, std::nullopt, true};
    if (wake_on_link_) {
      wake_on_link_ = false;
      wake_.notify_one();
    }
    return true;
  }
  void put_receipt(const Id128& source, Receipt receipt) {
    const std::lock_guard lock(mutex_);
    for (auto at = newest_.lower_bound({source, Id128{}});
         at != newest_.end() && at->first.source == source; ++at) {
      if (at->second.link.hash != receipt.link_hash) continue;
      at->second.receipt = std::move(receipt);
      return;
    }
  }
  void put_again(const Hash256& link_hash) {
    const std::lock_guard lock(mutex_);
    letter_.again.push_back(link_hash);
    wake_.notify_one();
  }
  void end_input() {
    const std::lock_guard lock(mutex_);
    letter_.input_ended = true;
    wake_.notify_one();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    letter_.stop = true;
    wake_.notify_one();
  }

  Letter take() {
    const std::lock_guard lock(mutex_);
    Letter letter = std::move(letter_);
    letter_ = {};
    letter_.input_ended = letter.input_ended;
    letter_.stop = letter.stop;
    for (auto& [key, newest] : newest_) {
      if (newest.changed) letter.links.push_back(newest.link);
      if (newest.receipt) letter.receipts.push_back(std::move(*newest.receipt));
      newest.changed = false;
      newest.receipt.reset();
    }
    return letter;
  }
  /// Until something other than a further link is there, or the time is over.
  void wait(std::uint64_t duration_ns, bool wake_on_link, bool knows_end) {
    // Nothing here is worth more than an hour, and chrono would overflow.
    const auto longest = std::chrono::hours(1);
    const auto duration = duration_ns < 3'600'000'000'000
                              ? std::chrono::nanoseconds(static_cast<std::int64_t>(duration_ns))
                              : std::chrono::nanoseconds(longest);
    std::unique_lock lock(mutex_);
    if (wake_on_link && std::any_of(newest_.begin(), newest_.end(),
                                    [](const auto& entry) { return entry.second.changed; })) {
      return;
    }
    wake_on_link_ = wake_on_link;
    wake_.wait_for(lock, duration, [&] {
      return letter_.stop || (letter_.input_ended && !knows_end) || !letter_.sources.empty() ||
             !letter_.again.empty() || (wake_on_link && !wake_on_link_);
    });
    wake_on_link_ = false;
  }

 private:
  struct Newest {
    LinkReference link;
    std::optional<Receipt> receipt;
    bool changed = false;
  };

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<ChainKey, Newest> newest_;
  Letter letter_;
  bool wake_on_link_ = false;
};

/// Frames of both threads, one after the other.
class SharedWriter {
 public:
  explicit SharedWriter(int fd) : writer_(fd) {}
  Status write_unchanged(const FrameHeader& header, ByteView body) {
    const std::lock_guard lock(mutex_);
    return writer_.write_unchanged(header, body);
  }
  Status write_anchor(const LinkReference& link, ByteView receipt) {
    const std::lock_guard lock(mutex_);
    return writer_.write(anchor_frame_header(link.header), receipt);
  }
  Status finish() {
    const std::lock_guard lock(mutex_);
    return writer_.finish();
  }

 private:
  std::mutex mutex_;
  StreamWriter writer_;
};

class Filter {
 public:
  Filter(int input_fd, int output_fd, Ledger& ledger, AnchorJournal& journal, Clock& clock,
         const AnchorFilterOptions& options)
      : input_fd_(input_fd),
        clock_(clock),
        options_(options),
        writer_(output_fd),
        engine_(ledger, journal, clock, settings_of(options, input_fd),
                {[this](const LinkReference& link, ByteView receipt) {
                   return writer_.write_anchor(link, receipt);
                 },
                 [this](Notice notice, const std::string& line) {
                   // What fails because we were told to stop is no news.
                   if (!cancelled()) tell(notice, line);
                 }}) {
    for (const auto& [hash, record] : journal.records()) {
      if (!record.emitted) continue;
      for (const LinkReference& link : record.links()) emitted_before_.insert(link.hash);
    }
    if (input_fd < 0) engine_.see_all();
  }

  Result<AnchorOutcome> run() {
    TWINCHAIN_TRY(prepare_waiting());
    std::thread worker([this] { work(); });
    Status read = input_fd_ >= 0 ? read_input() : Status();
    if (!read || stopped_) {
      mailbox_.end_input();
      stop_worker();
    } else {
      mailbox_.end_input();
      wait_for_worker();
    }
    worker.join();
    open_mail();  // what it was stopped before: it counts as not done
    if (!read) return pass_status(read);
    if (fatal_) return std::unexpected(*fatal_);
    if (damage_) return std::unexpected(*damage_);
    if (stopped_) return fail(ExitCode::loss, "stopped by a signal before the input ended");
    TWINCHAIN_TRY(writer_.finish());
    return verdict();
  }

 private:
  static AnchorSettings settings_of(const AnchorFilterOptions& options, int input_fd) {
    AnchorSettings settings = options.settings;
    settings.collect_only = input_fd < 0;
    return settings;
  }
  static std::unexpected<Error> pass_status(Status& status) {
    return std::unexpected(std::move(status.error()));
  }
  void tell(Notice notice, const std::string& line) const { options_.tell(notice, line); }
  [[nodiscard]] bool cancelled() const {
    return options_.cancel != nullptr && options_.cancel->load();
  }

  /// One descriptor that becomes readable when the tool is to stop or the worker has ended.
  Status prepare_waiting() {
    worker_ended_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    either_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!worker_ended_.valid() || !either_.valid()) {
      return std::unexpected(errno_error("cannot make an event descriptor", errno));
    }
    for (const int fd : {worker_ended_.get(), options_.stop_fd}) {
      if (fd < 0) continue;
      epoll_event event{};
      event.events = EPOLLIN;
      if (::epoll_ctl(either_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return std::unexpected(errno_error("cannot wait for an event", errno));
      }
    }
    return {};
  }

  void stop_worker() {
    if (options_.cancel != nullptr) options_.cancel->store(true);
    mailbox_.stop();
  }

  /// The worker keeps the time itself, unless a call of the ledger holds it beyond the end.
  void wait_for_worker() {
    const std::uint64_t until = clock_.monotonic_ns() + options_.timeout_ns + call_grace_ns;
    while (true) {
      const std::uint64_t now = clock_.monotonic_ns();
      if (now >= until) {
        overdue_ = true;
        return stop_worker();
      }
      const std::uint64_t left_ms = (until - now) / 1'000'000 + 1;
      auto ready = wait_readable(either_.get(),
                                 static_cast<int>(std::min<std::uint64_t>(left_ms, 3'600'000)));
      if (ready && !*ready) continue;
      auto ended = wait_readable(worker_ended_.get(), 0);
      if (!ready || !ended || !*ended) stop_worker();
      return;
    }
  }

  Status read_input() {
    StreamReader::Options reader_options;
    reader_options.stop_fd = either_.get();
    StreamReader reader(input_fd_, reader_options);
    while (true) {
      auto event = reader.next();
      if (!event) return std::unexpected(std::move(event.error()));
      switch (event->kind) {
        case StreamEventKind::frame:
          TWINCHAIN_TRY(take_frame(event->frame));
          reader.recycle(std::move(event->frame.body));
          break;
        case StreamEventKind::end:
          break;
        case StreamEventKind::damage:
        case StreamEventKind::truncated:
          take_damage(event->offset, event->message);
          break;
        case StreamEventKind::finished:
          return {};
        case StreamEventKind::stopped:
          stopped_ = true;
          return {};
      }
    }
  }

  void take_damage(std::uint64_t offset, const std::string& what) {
    const std::string line = "byte " + decimal(offset) + " of the input: " + what;
    if (damage_) tell(Notice::warning, line);
    // The first one is what the run ends with.
    if (!damage_) damage_ = Error{ExitCode::malformed, line, "verify says what is left"};
  }

  Status take_frame(const Frame& frame) {
    const FrameHeader& header = frame.header;
    if (header.critical() && !is_known_frame_type(header.type)) {
      return fail(ExitCode::malformed, "byte " + decimal(frame.offset) +
                                           " of the input: " + frame_type_name(header.type) +
                                           " is critical and not known to this version");
    }
    TWINCHAIN_TRY(writer_.write_unchanged(header, frame.body.view()));
    if (sources_.size() < max_sources && sources_.insert(header.source).second) {
      mailbox_.put_source(header.source);
    }
    if (header.type == FrameType::link) return take_link(frame);
    if (header.type == FrameType::anchor) {
      if (auto receipt = parse_receipt(frame.body.view())) {
        mailbox_.put_receipt(header.source, std::move(*receipt));
      }
    }
    return {};
  }

  Status take_link(const Frame& frame) {
    auto link = options_.read_link(frame.header, frame.body.view());
    if (!link) {
      take_damage(frame.offset, link.error().message);
      return {};
    }
    saw_link_ = true;
    if (emitted_before_.erase(link->hash) > 0) mailbox_.put_again(link->hash);
    if (!mailbox_.put_link(*link)) {
      return fail(ExitCode::malformed, "byte " + decimal(frame.offset) + " of the input: over " +
                                           decimal(std::uint64_t{max_chains}) +
                                           " chains in one stream");
    }
    return {};
  }

  Mailbox::Letter open_mail() {
    Mailbox::Letter letter = mailbox_.take();
    for (const Id128& source : letter.sources) engine_.see_source(source);
    for (const Hash256& hash : letter.again) engine_.see_again(hash);
    for (const LinkReference& link : letter.links) engine_.see_link(link);
    for (const Receipt& receipt : letter.receipts) engine_.see_anchor(receipt);
    return letter;
  }

  /// The working thread.
  void work() {
    try {
      work_until_done();
    } catch (const std::exception& error) {
      fatal_ = Error{ExitCode::system, std::string("anchoring stopped: ") + escape(error.what())};
    }
    const std::uint64_t one = 1;
    (void)!::write(worker_ended_.get(), &one, sizeof one);
  }

  void work_until_done() {
    std::optional<std::uint64_t> ended_ns;
    bool noted = false;
    while (true) {
      const Mailbox::Letter letter = open_mail();
      if (letter.stop) return;
      if (letter.input_ended && !ended_ns) {
        ended_ns = clock_.monotonic_ns();
        engine_.end_input();
      }
      auto next = engine_.step();
      if (!next) {
        if (!cancelled()) fatal_ = next.error();
        return;
      }
      if (cancelled()) return;
      trouble_ = engine_.trouble();
      std::uint64_t until = *next;
      const std::uint64_t now = clock_.monotonic_ns();
      if (ended_ns) {
        if (is_over(now, *ended_ns)) return;
        until = std::min(until, deadline(*ended_ns));
        if (!noted && now - *ended_ns >= note_wait_after_ns) {
          noted = true;
          for (const auto& line : engine_.describe_outstanding()) tell(Notice::note, line);
        }
      }
      mailbox_.wait(until > now ? until - now : 0, !engine_.batch_pending(), ended_ns.has_value());
    }
  }

  [[nodiscard]] std::uint64_t deadline(std::uint64_t ended_ns) const {
    std::uint64_t at = ended_ns + options_.timeout_ns;
    if (const auto& trouble = engine_.trouble()) {
      at = std::min(at, std::max(ended_ns, trouble->since_ns) + options_.trouble_timeout_ns);
    }
    return at;
  }
  [[nodiscard]] bool is_over(std::uint64_t now, std::uint64_t ended_ns) const {
    if (engine_.outstanding() == 0) return true;
    if (now >= deadline(ended_ns)) return true;
    return !options_.wait && (engine_.unpublished() == 0 || engine_.trouble());
  }

  AnchorOutcome verdict() {
    AnchorOutcome outcome;
    outcome.left = engine_.outstanding();
    if (outcome.left > 0) {
      for (const std::string& line : engine_.describe_outstanding()) tell(Notice::note, line);
      if (trouble_) {
        outcome.trouble = trouble_->error;
      } else if (overdue_) {
        outcome.trouble = Error{ExitCode::peer, "the ledger has not answered in time", {}};
      }
      outcome.code = outcome.trouble ? outcome.trouble->code : ExitCode::unproven;
    } else if (!saw_link_ && engine_.emitted() == 0 && input_fd_ >= 0) {
      tell(Notice::note, "nothing was sealed: there is no link in the input");
      outcome.code = ExitCode::unproven;
    }
    return outcome;
  }

  int input_fd_;
  Clock& clock_;
  const AnchorFilterOptions& options_;
  SharedWriter writer_;
  Mailbox mailbox_;
  AnchorEngine engine_;  ///< the working thread's, until it is joined
  UniqueFd worker_ended_;
  UniqueFd either_;
  std::set<Hash256> emitted_before_;
  std::set<Id128> sources_;
  std::optional<Error> fatal_;  ///< the working thread's, until it is joined
  /// The engine's, but for what a cancelled call gave; the working thread's, until it is joined.
  std::optional<AnchorEngine::Trouble> trouble_;
  bool overdue_ = false;
  std::optional<Error> damage_;
  bool stopped_ = false;
  bool saw_link_ = false;
};

}  // namespace

Result<AnchorOutcome> filter_anchors(int input_fd, int output_fd, Ledger& ledger,
                                     AnchorJournal& journal, Clock& clock,
                                     const AnchorFilterOptions& options) {
  Filter filter(input_fd, output_fd, ledger, journal, clock, options);
  return filter.run();
}

}  // namespace twinchain::ledger
