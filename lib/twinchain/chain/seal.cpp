#include "twinchain/chain/seal.hpp"

#include <sys/stat.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {
namespace {

/// Names are for messages: no stream may fill the memory with them.
constexpr std::size_t max_names = max_chain_sources;

/// The i-th of `count` parts of the time between two windows, so that lost windows, too, follow one
/// another. A start before the end, after a clock was set back, gives empty windows at the start.
std::int64_t lost_boundary_ns(std::int64_t from_ns, std::int64_t to_ns, std::uint64_t i,
                              std::uint64_t count) {
  if (to_ns < from_ns) return to_ns;
  const auto span = static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns);
  // span * i / count, without its overflow.
  const std::uint64_t offset = span / count * i + span % count * i / count;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from_ns) + offset);
}

std::string number_range(std::uint64_t first, std::uint64_t last) {
  if (first == last) return "frame " + decimal(first) + " is missing";
  return "frames " + decimal(first) + " to " + decimal(last) + " are missing";
}

}  // namespace

KeyFollower::KeyFollower(Fs& fs, std::string path, SecretKeyFile key, Stamp stamp,
                         std::function<void(std::string_view)> warn)
    : fs_(fs),
      path_(std::move(path)),
      key_(std::move(key)),
      public_key_(key_.current.public_key()),
      next_key_hash_(key_.next_key_hash()),
      stamp_(stamp),
      warn_(std::move(warn)) {}

KeyFollower::Stamp KeyFollower::stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
}

Result<std::unique_ptr<KeyFollower>> KeyFollower::open(Fs& fs, const std::string& path,
                                                       std::function<void(std::string_view)> warn) {
  // Before reading: a file that changes in between is read once more.
  const Stamp stamp = stamp_of(path);
  auto key = read_secret_key(fs, path);
  if (!key) return pass(key);
  return std::unique_ptr<KeyFollower>(
      new KeyFollower(fs, path, std::move(*key), stamp, std::move(warn)));
}

void KeyFollower::refresh() {
  const Stamp stamp = stamp_of(path_);
  if (stamp == stamp_) return;
  stamp_ = stamp;
  auto key = read_secret_key(fs_, path_);
  if (!key) {
    warn_(key.error().message + "; sealing goes on with the key of epoch " +
          decimal(std::uint64_t{key_.epoch}));
    return;
  }
  use(std::move(*key));
}

void KeyFollower::use(SecretKeyFile key) {
  key_ = std::move(key);
  public_key_ = key_.current.public_key();
  next_key_hash_ = key_.next_key_hash();
}

Sealer::Sealer(ChainState& state, KeyFollower& keys, Clock& clock, SealerOptions options)
    : state_(state), keys_(keys), clock_(clock), options_(std::move(options)) {}

void Sealer::learn_name(const Id128& source, std::string name) {
  if (names_.size() >= max_names && !names_.contains(source)) return;
  names_[source] = std::move(name);
}

std::string Sealer::source_name(const Id128& source) const {
  const auto found = names_.find(source);
  return "source " + (found == names_.end() ? to_hex(source) : escape(found->second));
}

std::string Sealer::frame_name(const SealRequest& request) const {
  return "frame " + decimal(request.data.sequence) + " of " + source_name(request.data.source) +
         " at byte " + decimal(request.offset);
}

Error Sealer::missing_frames(const SealRequest& request, std::uint64_t next) const {
  const bool begun = begun_.contains(request.data.source);
  std::string message = source_name(request.data.source);
  message += next == 0 ? " has no link yet" : ": link " + decimal(next - 1) + " is the newest";
  message += begun ? ", but the input goes on with frame " : ", but the input begins with frame ";
  message += decimal(request.data.sequence) + " at byte " + decimal(request.offset) + ": " +
             number_range(next, request.data.sequence - 1);
  std::string hint;
  if (next == 0 && !state_.durable()) {
    hint = "--state DIR continues the chain of an earlier run; ";
  } else {
    hint = "give the input that holds them, or, ";
  }
  hint += "if they are lost for good, --accept-loss puts the loss itself on record";
  return {ExitCode::refuted, std::move(message), std::move(hint)};
}

Status Sealer::check_key(const Id128& source, const ChainHead* head) const {
  if (head == nullptr) return {};
  const Link& last = head->link.link;
  const SecretKeyFile& key = keys_.key();
  const std::string subject = "key of epoch " + decimal(std::uint64_t{key.epoch});
  const std::string newest = source_name(source) + ": link " + decimal(last.number) +
                             " is signed by the key of epoch " + decimal(std::uint64_t{last.epoch});
  if (last.key == keys_.public_key()) {
    if (last.epoch == key.epoch && last.next_key_hash == keys_.next_key_hash()) return {};
    return fail(ExitCode::refuted,
                newest + ", and the key file has the same key with another successor",
                "use the key file that was used before");
  }
  if (key_id(keys_.public_key()) == last.next_key_hash && key.epoch == last.epoch + 1) return {};
  return fail(ExitCode::refuted,
              newest + "; the " + subject + " is neither that key nor the successor it names",
              key.epoch > last.epoch + 1
                  ? "the key was rotated more than once since that link; only a new record, with a "
                    "new source name or state folder, can use it"
                  : "use the key that signed the link, or the successor that twin-key rotate made");
}

Result<SignedLink> Sealer::add_link(Link link) {
  const ChainHead* head = state_.head(link.source);
  if (auto status = check_key(link.source, head); !status) return pass(status);
  ChainHead next;
  if (head == nullptr) {
    link.number = 0;
    link.record = random_array<16>();
  } else {
    link.number = head->link.link.number + 1;
    link.record = head->link.link.record;
    link.previous = head->hash;
    next.history = head->history;
  }
  next.history.append(merkle_leaf(link.frame_root));
  link.history_root = next.history.root();
  link.epoch = keys_.key().epoch;
  link.wall_ns = clock_.wall_ns();
  link.monotonic_ns = clock_.monotonic_ns();
  link.boot_id = clock_.boot_id();
  if (options_.beacon) link.beacon = options_.beacon().value_or(Beacon{});
  link.key = keys_.public_key();
  link.next_key_hash = keys_.next_key_hash();
  next.hash = link_hash(link);
  next.link = {link, keys_.key().current.sign(link_signing_message(next.hash))};
  const SignedLink signed_link = next.link;
  if (auto status = state_.add(std::move(next)); !status) return pass(status);
  return signed_link;
}

Result<SignedLink> Sealer::seal(const SealRequest& request, const EmitLost& emit_lost) {
  const record::DataHeader& data = request.data;
  if (foreign_.contains(data.source)) {
    return fail(ExitCode::refuted,
                frame_name(request) + ": this source's links are in the input already",
                "a chain is continued with --state DIR of the run that made its links");
  }
  const ChainHead* head = state_.head(data.source);
  const std::uint64_t next = head == nullptr ? 0 : head->link.link.number + 1;
  if (data.sequence < next) {
    auto link = seal_again(request, emit_lost);
    if (link) begun_.insert(data.source);
    return link;
  }
  // A process that died while it sealed a gap may not have written all of it out.
  if (!begun_.contains(data.source)) {
    if (auto status = emit_lost_before(data.source, next, emit_lost); !status) return pass(status);
  }
  if (data.sequence > next) {
    if (auto status = seal_gap(request, next, emit_lost); !status) return pass(status);
  }
  Link link;
  link.source = data.source;
  link.frame_root = request.root;
  link.window_start_ns = data.window_start_ns;
  link.window_end_ns = data.window_end_ns;
  link.samples = data.samples;
  link.declared_rate_mhz = data.declared_rate_mhz;
  auto sealed = add_link(link);
  if (!sealed) return pass(sealed);
  begun_.insert(data.source);
  ++counts_.sealed;
  return sealed;
}

Result<SignedLink> Sealer::seal_again(const SealRequest& request, const EmitLost& emit_lost) {
  const record::DataHeader& data = request.data;
  auto known = state_.find(data.source, data.sequence);
  if (!known) return pass(known);
  if (!known->has_value()) {
    const auto oldest = state_.oldest_kept(data.source);
    return fail(
        ExitCode::refuted,
        frame_name(request) + " is sealed already, and its link is too old to be known here",
        oldest ? "links from number " + decimal(*oldest) + " on are kept" : std::string());
  }
  const SignedLink& link = **known;
  if ((link.link.flags & link_lost_window) != 0) {
    return fail(ExitCode::refuted,
                frame_name(request) + ": link " + decimal(data.sequence) +
                    " has sealed this window as lost, refusing to fork the chain");
  }
  if (link.link.frame_root != request.root) {
    return fail(ExitCode::refuted,
                frame_name(request) + ": link " + decimal(data.sequence) +
                    " has sealed other data, refusing to fork the chain",
                "the input is not the record that was sealed before; a new record needs a new "
                "source name or a new state folder");
  }
  if (auto status = emit_lost_before(data.source, data.sequence, emit_lost); !status) {
    return pass(status);
  }
  ++counts_.resent;
  return link;
}

Status Sealer::seal_gap(const SealRequest& request, std::uint64_t next, const EmitLost& emit_lost) {
  const record::DataHeader& data = request.data;
  const std::uint64_t missing = data.sequence - next;
  if (!options_.accept_loss) return std::unexpected(missing_frames(request, next));
  if (missing > max_lost_windows) {
    Error error = missing_frames(request, next);
    error.hint = "at most " + decimal(max_lost_windows) + " lost windows can be sealed";
    return std::unexpected(std::move(error));
  }
  const ChainHead* head = state_.head(data.source);
  const std::int64_t from_ns =
      head == nullptr ? data.window_start_ns : head->link.link.window_end_ns;
  for (std::uint64_t i = 0; i < missing; ++i) {
    Link link;
    link.flags = link_lost_window;
    link.source = data.source;
    link.window_start_ns = lost_boundary_ns(from_ns, data.window_start_ns, i, missing);
    link.window_end_ns = lost_boundary_ns(from_ns, data.window_start_ns, i + 1, missing);
    auto sealed = add_link(link);
    if (!sealed) return pass(sealed);
    ++counts_.lost;
    TWINCHAIN_TRY(emit_lost(*sealed));
  }
  return {};
}

// The links of lost windows have no DATA frame that could bring them out again, so they come with
// the one after them.
Status Sealer::emit_lost_before(const Id128& source, std::uint64_t number,
                                const EmitLost& emit_lost) {
  std::uint64_t first = number;
  while (first > 0) {
    auto link = state_.find(source, first - 1);
    if (!link) return pass(link);
    if (!link->has_value() || ((*link)->link.flags & link_lost_window) == 0) break;
    --first;
  }
  for (; first < number; ++first) {
    auto link = state_.find(source, first);
    if (!link) return pass(link);
    if (link->has_value()) TWINCHAIN_TRY(emit_lost(**link));
  }
  return {};
}

Result<bool> Sealer::pass_link_on(const SignedLink& link, std::uint64_t offset) {
  const Id128& source = link.link.source;
  const ChainHead* head = state_.head(source);
  if (head == nullptr) {
    if (foreign_.size() >= max_chain_sources && !foreign_.contains(source)) {
      return fail(ExitCode::usage, "links of more than " +
                                       decimal(std::uint64_t{max_chain_sources}) +
                                       " sources in the input");
    }
    foreign_.insert(source);
    return true;
  }
  auto known = state_.find(source, link.link.number);
  if (!known) return pass(known);
  if (known->has_value() && (*known)->link == link.link && (*known)->signature == link.signature) {
    return false;
  }
  return fail(ExitCode::refuted,
              "LINK frame " + decimal(link.link.number) + " of " + source_name(source) +
                  " at byte " + decimal(offset) +
                  ": the input is sealed already, by another chain than the one begun here",
              "a chain is continued with --state DIR of the run that made its links");
}

Status check_rotation(const ChainState& state, const PublicKeyFile::Epoch& key) {
  for (const ChainHead* head : state.heads()) {
    const Link& link = head->link.link;
    if (link.key == key.key) continue;
    return fail(ExitCode::refuted,
                "source " + to_hex(link.source) + ": link " + decimal(link.number) +
                    " is not signed by the key of epoch " + decimal(std::uint64_t{key.number}) +
                    "; rotating now would cut its chain off",
                "seal one more frame of this source first, or, if it is retired, use --force");
  }
  return {};
}

}  // namespace twinchain::chain
