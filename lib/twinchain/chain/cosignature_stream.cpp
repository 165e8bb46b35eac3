#include "twinchain/chain/cosignature_stream.hpp"

#include <map>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/link_follower.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_cosigned_sources = 10'000;

class CosignStream {
 public:
  CosignStream(const SecretKey& key, const CosignStreamOptions& options)
      : key_(key),
        public_key_(key.public_key()),
        options_(options),
        reader_([this](std::span<std::uint8_t> into) { return read(into); }, {}),
        writer_(options.output_fd) {}

  Result<CosignCounts> run() {
    TWINCHAIN_TRY(writer_.start());
    TWINCHAIN_TRY(pump());
    if (options_.which == CosignStreamOptions::Which::newest) {
      for (const auto& [source, head] : follower_.heads()) TWINCHAIN_TRY(sign_newest(head));
    } else if (options_.which != CosignStreamOptions::Which::every && counts_.added == 0) {
      return fail(ExitCode::refuted, "the link to be signed is not in the input");
    }
    TWINCHAIN_TRY(writer_.finish());
    return counts_;
  }

 private:
  Result<std::size_t> read(std::span<std::uint8_t> into) {
    if (options_.progress) options_.progress(reader_.offset());
    if (options_.stop_fd >= 0) {
      // Asked first: input that never pauses must not keep us from stopping.
      auto stop = wait_readable(options_.stop_fd, 0);
      if (!stop) return pass(stop);
      stopped_ = *stop;
    }
    if (stopped_) return std::size_t{0};
    return read_some(options_.input_fd, into, options_.stop_fd, &stopped_);
  }

  static std::unexpected<Error> stopped() {
    return fail(ExitCode::loss, "stopped by a signal before the input ended");
  }

  static std::unexpected<Error> bad_frame(const FrameHeader& header, std::uint64_t offset,
                                          const std::string& what,
                                          ExitCode code = ExitCode::malformed) {
    return fail(code, frame_type_name(header.type) + " frame " + decimal(header.sequence) +
                          " at byte " + decimal(offset) + ": " + what);
  }

  Status pump() {
    while (true) {
      auto event = reader_.next();
      if (!event) return stopped_ ? stopped() : pass(event);
      switch (event->kind) {
        case StreamEventKind::frame:
          TWINCHAIN_TRY(take(event->frame));
          reader_.recycle(std::move(event->frame.body));
          break;
        case StreamEventKind::end:
          break;  // another stream may follow; ours gets one END for all
        case StreamEventKind::damage:
        case StreamEventKind::truncated:
          if (stopped_) return stopped();
          if (event->header) return bad_frame(*event->header, event->offset, event->message);
          return fail(ExitCode::malformed,
                      (event->kind == StreamEventKind::truncated ? "input truncated at byte "
                                                                 : "input damaged at byte ") +
                          decimal(event->offset) + ": " + event->message);
        case StreamEventKind::stopped:
        case StreamEventKind::finished:
          return {};
      }
    }
  }

  Status take(const Frame& frame) {
    const FrameHeader& header = frame.header;
    const ByteView body = frame.body.view();
    if (header.critical() && !is_known_frame_type(header.type)) {
      return bad_frame(header, frame.offset, "unknown, and marked as one that must be understood");
    }
    switch (header.type) {
      case FrameType::data:
        TWINCHAIN_TRY(take_data(frame));
        break;
      case FrameType::link:
        return take_link(frame);
      case FrameType::cosignature: {
        auto there = parse_cosignature_frame(header, body);
        if (!there) return bad_frame(header, frame.offset, there.error().message);
        if (signed_before_.size() < max_cosigned_sources && there->key == public_key_ &&
            verify_cosignature(*there)) {
          signed_before_[header.source] = there->link_hash;
        }
        break;
      }
      default:
        break;
    }
    return writer_.write_unchanged(header, body);
  }

  Status take_data(const Frame& frame) {
    auto data = record::check_data_frame(frame.header, frame.body.view());
    if (!data) return bad_frame(frame.header, frame.offset, data.error().message);
    auto root = record::frame_root(frame.body.view());
    if (!root) return bad_frame(frame.header, frame.offset, root.error().message);
    // Only a hostile stream has so many sources, and links of them are refused.
    if (roots_.size() > max_cosigned_sources) roots_.clear();
    roots_[frame.header.source] = {frame.header.sequence, *root};
    return {};
  }

  Status take_link(const Frame& frame) {
    auto link = parse_link_frame(frame.header, frame.body.view());
    if (!link) return bad_frame(frame.header, frame.offset, link.error().message);
    const auto before = follower_.heads().find(link->link.source);
    std::optional<LinkFollower::Head> head;
    if (before != follower_.heads().end()) head = before->second;
    auto step = follower_.take(*link, frame.offset);
    if (!step) return pass(step);
    const auto data = roots_.find(link->link.source);
    if (data != roots_.end() && data->second.sequence == link->link.number &&
        data->second.root != link->link.frame_root) {
      return bad_frame(frame.header, frame.offset,
                       "the DATA frame before it is not what the link seals", ExitCode::refuted);
    }
    if (link->link.key == public_key_) {
      return fail(ExitCode::usage, "link " + decimal(link->link.number) +
                                       " is signed with this key: its recorder cannot be the "
                                       "further party");
    }
    using Which = CosignStreamOptions::Which;
    if (*step == LinkFollower::Step::new_record && options_.which == Which::newest && head) {
      TWINCHAIN_TRY(sign_newest(*head));
    }
    TWINCHAIN_TRY(writer_.write_unchanged(frame.header, frame.body.view()));
    if (*step == LinkFollower::Step::repeated) return {};
    const Hash256 hash = link_hash(link->link);
    const bool wanted = options_.which == Which::every ||
                        (options_.which == Which::number && link->link.number == options_.number) ||
                        (options_.which == Which::hash && hash == options_.hash);
    return wanted ? sign(link->link, hash) : Status{};
  }

  Status sign_newest(const LinkFollower::Head& head) {
    const auto before = signed_before_.find(head.link.source);
    if (before != signed_before_.end() && before->second == head.hash) {
      ++counts_.had_already;
      return {};
    }
    return sign(head.link, head.hash);
  }

  Status sign(const Link& link, const Hash256& hash) {
    ++counts_.added;
    return writer_.write(cosignature_frame_header(link),
                         encode_cosignature_body(make_cosignature(hash, key_)));
  }

  struct Sealed {
    std::uint64_t sequence = 0;
    Hash256 root{};
  };

  const SecretKey& key_;
  const PublicKey public_key_;
  const CosignStreamOptions& options_;
  StreamReader reader_;
  StreamWriter writer_;
  LinkFollower follower_;
  std::map<Id128, Sealed> roots_;           ///< of the newest DATA frame of each source
  std::map<Id128, Hash256> signed_before_;  ///< newest counter-signature by this key in the input
  CosignCounts counts_;
  bool stopped_ = false;
};

}  // namespace

Result<CosignCounts> cosign_stream(const SecretKey& key, const CosignStreamOptions& options) {
  CosignStream stream(key, options);
  return stream.run();
}

}  // namespace twinchain::chain
