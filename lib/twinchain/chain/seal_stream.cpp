#include "twinchain/chain/seal_stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "twinchain/base/text.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/ordered_pool.hpp"

namespace twinchain::chain {
namespace {

/// Frames held in memory besides the one that is being read.
constexpr std::uint64_t memory_limit_bytes = std::uint64_t{24} << 20;
constexpr std::uint64_t batch_limit_bytes = std::uint64_t{8} << 20;
constexpr std::size_t batch_limit_links = 4'096;
constexpr std::uint64_t batch_limit_ns = 20'000'000;
constexpr std::size_t small_body_bytes = std::size_t{64} << 10;
constexpr std::uint64_t small_wait_bytes = std::uint64_t{1} << 20;
/// What a frame costs besides its body, at the least.
constexpr std::uint64_t frame_overhead_bytes = 512;

/// A frame on its way through the pool.
struct Item {
  Frame frame;
  // DATA only, filled by the pool:
  record::DataHeader data;
  Hash256 root{};
  std::optional<Error> error;
};

std::uint64_t memory_of(const Frame& frame) {
  return frame.body.capacity() + frame_overhead_bytes;
}

void inspect(Item& item) {
  if (item.frame.header.type != FrameType::data) return;
  try {
    auto data = record::check_data_frame(item.frame.header, item.frame.body.view());
    auto root = data ? record::frame_root(item.frame.body.view()) : Result<Hash256>();
    if (data && root) {
      item.data = *data;
      item.root = *root;
    } else {
      item.error = data ? root.error() : data.error();
    }
  } catch (const std::bad_alloc&) {
    item.error = Error{ExitCode::system, "out of memory", {}};
  }
}

Error frame_error(const FrameHeader& header, std::uint64_t offset, const std::string& what) {
  return {ExitCode::malformed,
          frame_type_name(header.type) + " frame " + decimal(header.sequence) + " at byte " +
              decimal(offset) + ": " + what,
          {}};
}

Error damage_error(const StreamEvent& event) {
  if (event.header) return frame_error(*event.header, event.offset, event.message);
  const bool truncated = event.kind == StreamEventKind::truncated;
  return {ExitCode::malformed,
          std::string(truncated ? "input truncated at byte " : "input damaged at byte ") +
              decimal(event.offset) + ": " + event.message,
          {}};
}

/// Fewer wake-ups between the tools of a pipeline; a pipe that cannot grow works as it is.
void enlarge_pipe(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
    ::fcntl(fd, F_SETPIPE_SZ, 1024 * 1024);
  }
}

class SealStream {
 public:
  SealStream(ChainState& state, Sealer& sealer, Clock& clock, const SealStreamOptions& options)
      : state_(state),
        sealer_(sealer),
        clock_(clock),
        options_(options),
        reader_([this](std::span<std::uint8_t> into) { return read(into); }, {}),
        writer_(options.output_fd),
        pool_(options.threads, inspect) {
    enlarge_pipe(options.input_fd);
  }

  Status run() {
    auto status = pump();
    // What was sealed before the fault goes out; the first error is the one to report.
    if (!status && !output_failed_) (void)commit();
    if (!status) return status;
    return writer_.finish();
  }

 private:
  /// Waiting for input is the moment to finish what is in hand.
  Result<std::size_t> read(std::span<std::uint8_t> into) {
    if (options_.progress) options_.progress(reader_.offset());
    auto ready = wait_readable(options_.input_fd, 0);
    while (ready && !*ready && pool_.in_flight() > 0) {
      // Small frames are done in no time. For large ones the input is looked at meanwhile, so that
      // the writer at the other end of the pipe is not held up.
      if (pool_.in_flight_bytes() < small_wait_bytes) {
        TWINCHAIN_TRY(settle_next(pool_.pop()));
      } else {
        while (auto done = pool_.try_pop()) TWINCHAIN_TRY(settle_next(std::move(done)));
      }
      ready = wait_readable(options_.input_fd, pool_.in_flight() > 0 ? 1 : 0);
    }
    if (!ready) return pass(ready);
    if (!*ready) {
      if (auto status = drain(); !status) return pass(status);
    }
    return read_or_stop(into);
  }

  Result<std::size_t> read_or_stop(std::span<std::uint8_t> into) {
    if (options_.stop_fd >= 0) {
      // Asked first: input that never pauses must not keep us from stopping.
      auto stop = wait_readable(options_.stop_fd, 0);
      if (!stop) return pass(stop);
      stopped_ = *stop;
    }
    if (stopped_) return std::size_t{0};
    return read_some(options_.input_fd, into, options_.stop_fd, &stopped_);
  }

  Status pump() {
    while (true) {
      reader_.recycle(take_spare());
      auto event = reader_.next();
      if (!event) {
        if (!settling_failed_) TWINCHAIN_TRY(drain());
        return stopped_ ? stopped() : pass(event);
      }
      switch (event->kind) {
        case StreamEventKind::frame:
          TWINCHAIN_TRY(take(std::move(event->frame)));
          break;
        case StreamEventKind::end:
          break;  // another stream may follow; ours gets one END for all
        case StreamEventKind::damage:
        case StreamEventKind::truncated:
          TWINCHAIN_TRY(drain());
          return stopped_ ? stopped() : std::unexpected(damage_error(*event));
        case StreamEventKind::stopped:
        case StreamEventKind::finished:
          return drain();
      }
    }
  }

  static std::unexpected<Error> stopped() {
    return fail(ExitCode::loss, "stopped by a signal before the input ended");
  }

  Status take(Frame frame) {
    if (frame.header.critical() && !is_known_frame_type(frame.header.type)) {
      TWINCHAIN_TRY(drain());
      return std::unexpected(frame_error(frame.header, frame.offset,
                                         "unknown, and marked as one that must be understood"));
    }
    // A small frame must not hold a large buffer.
    if (frame.body.size() <= small_body_bytes && frame.body.capacity() > 4 * small_body_bytes) {
      Buffer small(frame.body.view());
      give_spare(std::exchange(frame.body, std::move(small)));
    }
    const std::uint64_t size = memory_of(frame);
    Item item;
    item.frame = std::move(frame);
    pool_.put(std::move(item), size);
    while (pool_.in_flight_bytes() + held_bytes_ > memory_limit_bytes) {
      if (pool_.in_flight() == 0 || held_bytes_ >= batch_limit_bytes) {
        TWINCHAIN_TRY(commit());
      } else {
        TWINCHAIN_TRY(settle_next(pool_.pop()));
      }
    }
    while (auto done = pool_.try_pop()) TWINCHAIN_TRY(settle_next(std::move(done)));
    return commit_if_due();
  }

  Status drain() {
    while (auto done = pool_.pop()) TWINCHAIN_TRY(settle_next(std::move(done)));
    settling_failed_ = true;
    TWINCHAIN_TRY(commit());
    settling_failed_ = false;
    return {};
  }

  Status settle_next(std::optional<Item> item) {
    settling_failed_ = true;  // until it has worked
    if (item) TWINCHAIN_TRY(settle(std::move(*item)));
    settling_failed_ = false;
    return {};
  }

  /// Seals one frame, in the order of the input, and holds it for the next commit.
  Status settle(Item item) {
    if (held_.empty()) {
      batch_began_ns_ = clock_.monotonic_ns();
      sealer_.refresh_key();
    }
    const FrameHeader header = item.frame.header;
    const std::uint64_t offset = item.frame.offset;
    switch (header.type) {
      case FrameType::data: {
        if (item.error) {
          if (item.error->code != ExitCode::malformed) return std::unexpected(*item.error);
          return std::unexpected(frame_error(header, offset, item.error->message));
        }
        auto link = sealer_.seal({item.data, item.root, offset}, [this](const SignedLink& lost) {
          hold(lost);
          return commit_if_due();
        });
        if (!link) return pass(link);
        hold(std::move(item.frame));
        hold(*link);
        return {};
      }
      case FrameType::link: {
        auto link = parse_link_frame(header, item.frame.body.view());
        if (!link) return std::unexpected(frame_error(header, offset, link.error().message));
        auto pass_on = sealer_.pass_link_on(*link, offset);
        if (!pass_on) return pass(pass_on);
        if (*pass_on) hold(std::move(item.frame));
        return {};
      }
      case FrameType::schema:
        // Only a name for messages: whether the schema is sound is not ours to judge.
        if (auto schema = record::parse_schema_frame(header, item.frame.body.view())) {
          sealer_.learn_name(header.source, schema->source_name);
        }
        break;
      default:
        break;
    }
    hold(std::move(item.frame));
    return {};
  }

  void hold(Frame frame) {
    held_bytes_ += memory_of(frame);
    held_.emplace_back(std::move(frame));
  }
  void hold(const SignedLink& link) {
    held_bytes_ += frame_overhead_bytes;
    held_.emplace_back(link);
  }

  Status commit_if_due() {
    if (held_.empty()) return {};
    const bool due = !state_.durable() || held_bytes_ >= batch_limit_bytes ||
                     held_.size() >= batch_limit_links ||
                     clock_.monotonic_ns() - batch_began_ns_ >= batch_limit_ns;
    return due ? commit() : Status{};
  }

  /// Makes the links that are held durable, then writes out all that is held.
  Status commit() {
    output_failed_ = true;  // until everything below has worked
    TWINCHAIN_TRY(state_.commit());
    while (!held_.empty()) {
      if (Frame* frame = std::get_if<Frame>(&held_.front())) {
        TWINCHAIN_TRY(writer_.write_unchanged(frame->header, frame->body.view()));
        give_spare(std::move(frame->body));
      } else {
        const SignedLink& link = std::get<SignedLink>(held_.front());
        TWINCHAIN_TRY(writer_.write(link_frame_header(link.link), encode_link_body(link)));
      }
      held_.pop_front();
    }
    held_bytes_ = 0;
    output_failed_ = false;
    return {};
  }

  // Large buffers are used again: giving one back to the system and taking it anew costs as much
  // as hashing half of it.
  void give_spare(Buffer buffer) {
    if (buffer.capacity() <= small_body_bytes) return;
    if (spare_bytes_ + buffer.capacity() + pool_.in_flight_bytes() + held_bytes_ >
        memory_limit_bytes + max_body_size) {
      return;
    }
    buffer.clear();
    spare_bytes_ += buffer.capacity();
    spares_.push_back(std::move(buffer));
  }
  Buffer take_spare() {
    if (spares_.empty()) return {};
    Buffer buffer = std::move(spares_.back());
    spares_.pop_back();
    spare_bytes_ -= buffer.capacity();
    return buffer;
  }

  ChainState& state_;
  Sealer& sealer_;
  Clock& clock_;
  const SealStreamOptions& options_;
  StreamReader reader_;
  StreamWriter writer_;
  OrderedPool<Item> pool_;
  std::deque<std::variant<Frame, SignedLink>> held_;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t batch_began_ns_ = 0;
  std::vector<Buffer> spares_;
  std::uint64_t spare_bytes_ = 0;
  bool stopped_ = false;
  /// Then nothing after the failure may be sealed.
  bool settling_failed_ = false;
  bool output_failed_ = false;
};

}  // namespace

Status seal_stream(ChainState& state, Sealer& sealer, Clock& clock,
                   const SealStreamOptions& options) {
  SealStream stream(state, sealer, clock, options);
  return stream.run();
}

}  // namespace twinchain::chain
