#include "twinchain/ledger/header_chain.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/difficulty.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/crypto/sha256_many.hpp"
#include "twinchain/sys/ordered_pool.hpp"

namespace twinchain::ledger {
namespace {

using bitcoin::block_header_size;

// A batch of scrypt takes a quarter of a second; of SHA-256d, half a millisecond.
constexpr std::size_t batch_headers = 1024;
constexpr std::uint64_t max_bytes_in_flight = std::uint64_t{16} * batch_headers * block_header_size;

std::string place(const std::string& path, std::uint64_t number) {
  std::string text = escape(path, 400);
  text += ": header ";
  text += decimal(number);
  text += " at byte ";
  text += decimal(number * block_header_size);
  text += ": ";
  return text;
}

bitcoin::BlockHeaderBytes header_at(ByteView bytes, std::size_t number) {
  bitcoin::BlockHeaderBytes header{};
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(number * block_header_size),
              block_header_size, header.begin());
  return header;
}

// Headers with what can be found out without knowing those before them.
struct Batch {
  std::uint64_t first = 0;  // number in the file
  Bytes bytes;
  std::vector<Hash256> hashes = {};
  std::size_t met_target = 0;  // headers at the start of the batch that meet their target
};

/// SHA-256d of many headers: their ids.
std::vector<Hash256> block_hashes(ByteView bytes) {
  const std::size_t count = bytes.size() / block_header_size;
  std::vector<PrefixedMessage> messages;
  messages.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back({{}, bytes.subspan(i * block_header_size, block_header_size)});
  }
  std::vector<Hash256> inner(count);
  sha256_many(messages, inner);
  for (std::size_t i = 0; i < count; ++i) messages[i].body = ByteView(inner[i]);
  std::vector<Hash256> hashes(count);
  sha256_many(messages, hashes);
  return hashes;
}

void check_batch(const Network& network, Batch& batch) {
  batch.hashes = block_hashes(batch.bytes);
  const bitcoin::UInt256 limit = bitcoin::decode_compact(network.easiest_bits).target;
  const bool id_is_work = network.proof_of_work == bitcoin::ProofOfWork::sha256d;
  for (std::size_t i = 0; i < batch.hashes.size(); ++i) {
    const auto header = header_at(batch.bytes, i);
    const bool met = id_is_work ? bitcoin::meets_target(batch.hashes[i],
                                                        bitcoin::parse_header(header).bits, limit)
                                : network.check_proof_of_work(header);
    if (!met) return;
    ++batch.met_target;
  }
}

// Takes batches in their order.
class Linker {
 public:
  Linker(const std::string& path, const HeaderChainOptions& options, HashIndex& index)
      : path_(path), options_(options), index_(index) {
    if (const auto rule = options.network.difficulty_rule()) {
      difficulty_.emplace(*rule, options.first_height);
    }
  }

  Status take(const Batch& batch) {
    for (std::size_t i = 0; i < batch.hashes.size(); ++i) {
      const std::uint64_t number = batch.first + i;
      const bitcoin::BlockHeader header = bitcoin::parse_header(header_at(batch.bytes, i));
      TWINCHAIN_TRY(check_link(header, batch.hashes[i], number));
      if (i >= batch.met_target) {
        return fail(ExitCode::refuted, place(path_, number) + "does not meet its proof of work");
      }
      if (auto wrong = complaint(header)) {
        return fail(ExitCode::refuted, place(path_, number) + *wrong);
      }
      index_.add(batch.hashes[i], static_cast<std::uint32_t>(number));
      last_hash_ = batch.hashes[i];
      last_time_s_ = header.time_s;
      if (header.bits != last_bits_) last_work_ = bitcoin::block_work(header.bits);
      last_bits_ = header.bits;
      work_ += last_work_;
    }
    return {};
  }

  [[nodiscard]] const Hash256& last_hash() const { return last_hash_; }
  [[nodiscard]] std::uint32_t last_time_s() const { return last_time_s_; }
  [[nodiscard]] const bitcoin::UInt256& work() const { return work_; }

 private:
  std::optional<std::string> complaint(const bitcoin::BlockHeader& header) {
    if (options_.rule) return options_.rule(header);
    return difficulty_ ? difficulty_->next(header) : std::nullopt;
  }

  Status check_link(const bitcoin::BlockHeader& header, const Hash256& hash, std::uint64_t number) {
    if (number > 0) {
      if (header.previous == last_hash_) return {};
      return fail(ExitCode::refuted, place(path_, number) + "does not follow the one before it");
    }
    if (options_.first_height == 0 && hash != options_.network.genesis()) {
      return fail(ExitCode::refuted,
                  place(path_, 0) + "not the genesis of " + std::string(options_.network.name),
                  "headers that start later need the height of the first one");
    }
    if (options_.first_hash && hash != *options_.first_hash) {
      return fail(ExitCode::refuted, place(path_, 0) + "not the checkpoint");
    }
    return {};
  }

  const std::string& path_;
  const HeaderChainOptions& options_;
  HashIndex& index_;
  std::optional<bitcoin::DifficultyCheck> difficulty_;
  Hash256 last_hash_{};
  std::uint32_t last_time_s_ = 0;
  std::uint32_t last_bits_ = 0;
  bitcoin::UInt256 last_work_;
  bitcoin::UInt256 work_;
};

Status check_size(const std::string& path, std::uint64_t size, std::uint32_t first_height) {
  const std::uint64_t count = size / block_header_size;
  if (size == 0) return fail(ExitCode::malformed, escape(path, 400) + ": no headers");
  if (size % block_header_size != 0) {
    return fail(ExitCode::malformed, place(path, count) + "file ends within the header");
  }
  if (count >= 0xffffffff - std::uint64_t{first_height}) {
    return fail(ExitCode::malformed, escape(path, 400) + ": more headers than there are heights");
  }
  return {};
}

}  // namespace

Result<HeaderChain> HeaderChain::open(Fs& fs, const std::string& path,
                                      const HeaderChainOptions& options) {
  auto file = fs.open(path, OpenMode::read);
  if (!file) return pass(file);
  auto size = (*file)->size_bytes();
  if (!size) return pass(size);
  TWINCHAIN_TRY(check_size(path, *size, options.first_height));

  HeaderChain chain;
  const std::uint64_t count = *size / block_header_size;
  chain.index_.reserve(static_cast<std::size_t>(count));
  Linker linker(path, options, chain.index_);
  OrderedPool<Batch> pool(options.threads,
                          [&](Batch& batch) { check_batch(options.network, batch); });
  for (std::uint64_t first = 0; first < count; first += batch_headers) {
    Batch batch;
    batch.first = first;
    batch.bytes.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(batch_headers, count - first)) *
        block_header_size);
    auto got = (*file)->pread(batch.bytes, first * block_header_size);
    if (!got) return pass(got);
    if (*got != batch.bytes.size()) {
      return fail(ExitCode::malformed, place(path, first) + "file became shorter");
    }
    const std::size_t bytes = batch.bytes.size();
    pool.put(std::move(batch), bytes);
    while (pool.in_flight_bytes() > max_bytes_in_flight) TWINCHAIN_TRY(linker.take(*pool.pop()));
    while (auto done = pool.try_pop()) TWINCHAIN_TRY(linker.take(*done));
  }
  while (auto done = pool.pop()) TWINCHAIN_TRY(linker.take(*done));

  chain.file_ = std::move(*file);
  chain.path_ = path;
  chain.first_height_ = options.first_height;
  chain.work_ = linker.work();
  chain.tip_ = {options.network, options.first_height + static_cast<std::uint32_t>(count - 1),
                linker.last_hash(), linker.last_time_s()};
  return chain;
}

Result<BlockPosition> HeaderChain::position(const Hash256& block_hash) {
  BlockPosition position;
  Status status;
  const auto number = index_.find(block_hash, [&](std::uint32_t candidate) {
    bitcoin::BlockHeaderBytes header{};
    auto count = file_->pread(header, std::uint64_t{candidate} * block_header_size);
    if (!count) {
      status = pass(count);
      return true;
    }
    position.time_s = bitcoin::parse_header(header).time_s;
    return *count == header.size() && bitcoin::block_hash(header) == block_hash;
  });
  if (!status) return pass(status);
  if (!number) return BlockPosition{};
  position.on_best_chain = true;
  position.height = first_height_ + *number;
  position.depth = tip_.height - position.height + 1;
  return position;
}

Result<std::optional<bitcoin::BlockHeaderBytes>> HeaderChain::header_at(std::uint32_t height) {
  if (height < first_height_ || height > tip_.height) {
    return std::optional<bitcoin::BlockHeaderBytes>();
  }
  const std::uint64_t number = height - first_height_;
  bitcoin::BlockHeaderBytes header{};
  auto count = file_->pread(header, number * block_header_size);
  if (!count) return pass(count);
  if (*count != header.size()) {
    return fail(ExitCode::malformed, place(path_, number) + "file became shorter");
  }
  return std::optional(header);
}

}  // namespace twinchain::ledger
