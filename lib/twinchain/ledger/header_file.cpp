#include "twinchain/ledger/header_file.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/header.hpp"

namespace twinchain::ledger {
namespace {

using bitcoin::block_header_size;
using bitcoin::BlockHeaderBytes;

constexpr std::uint32_t headers_at_once = 1000;
/// Reorganisations while the file is being written that are followed before giving up.
constexpr unsigned max_restarts = 16;

class HeaderFile {
 public:
  HeaderFile(const std::string& path, Ledger& ledger, const HeaderFileOptions& options)
      : path_(path), ledger_(ledger), options_(options) {}

  Result<HeaderFileOutcome> run(Fs& fs) {
    auto tip = ledger_.tip();
    if (!tip) return pass(tip);
    tip_ = *tip;
    first_height_ = options_.first_height.value_or(0);
    if (first_height_ > tip_.height) {
      return fail(ExitCode::usage,
                  "the newest block is " + decimal(std::uint64_t{tip_.height}) + ", below --from");
    }
    TWINCHAIN_TRY(open(fs));
    TWINCHAIN_TRY(check_first());
    for (unsigned restarts = 0;; ++restarts) {
      TWINCHAIN_TRY(go_back_to_fork());
      auto complete = append_new();
      if (!complete) return pass(complete);
      if (*complete) return finish();
      if (restarts == max_restarts) {
        return fail(ExitCode::peer, "the ledger is reorganised again and again");
      }
    }
  }

 private:
  /// The lock is on the file itself.
  Status open(Fs& fs) {
    auto file = fs.open(path_, OpenMode::create);
    if (!file) return pass(file);
    file_ = std::move(*file);
    auto lock = fs.lock(path_);
    if (!lock) return pass(lock);
    lock_ = std::move(*lock);
    auto size = file_->size_bytes();
    if (!size) return pass(size);
    outcome_.torn_bytes = *size % block_header_size;
    count_ = *size / block_header_size;
    if (outcome_.torn_bytes > 0) TWINCHAIN_TRY(file_->truncate(count_ * block_header_size));
    if (count_ == 0) TWINCHAIN_TRY(fs.sync_folder(parent_folder(path_)));
    return {};
  }

  Result<std::vector<BlockHeaderBytes>> read(std::uint64_t number, std::uint64_t count) {
    Bytes bytes(static_cast<std::size_t>(count) * block_header_size);
    auto got = file_->pread(bytes, number * block_header_size);
    if (!got) return pass(got);
    if (*got != bytes.size()) {
      return fail(ExitCode::system, escape(path_, 400) + " became shorter");
    }
    std::vector<BlockHeaderBytes> headers(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(i * block_header_size);
      std::copy_n(at, block_header_size, headers[i].begin());
    }
    return headers;
  }
  [[nodiscard]] std::uint32_t height_of(std::uint64_t number) const {
    return first_height_ + static_cast<std::uint32_t>(number);
  }

  /// That the file belongs to this chain at all, before anything in it is taken away.
  Status check_first() {
    if (count_ == 0) return {};
    auto ours = read(0, 1);
    if (!ours) return pass(ours);
    auto theirs = ledger_.headers(first_height_, 1);
    if (!theirs) return pass(theirs);
    if (!theirs->empty() && theirs->front() == ours->front()) return {};
    return fail(ExitCode::usage,
                escape(path_, 400) + " does not begin with block " +
                    decimal(std::uint64_t{first_height_}) + " of " + std::string(tip_.network.name),
                "--from says at which height it begins; or it is of another chain");
  }

  /// Takes headers away until the last one is in the ledger's best chain.
  Status go_back_to_fork() {
    std::uint64_t kept = count_;
    while (kept > 0) {
      const std::uint64_t count = std::min<std::uint64_t>(kept, headers_at_once);
      const std::uint64_t number = kept - count;
      auto ours = read(number, count);
      if (!ours) return pass(ours);
      auto theirs = ledger_.headers(height_of(number), static_cast<std::uint32_t>(count));
      if (!theirs) return pass(theirs);
      std::size_t same = std::min(ours->size(), theirs->size());
      while (same > 0 && (*ours)[same - 1] != (*theirs)[same - 1]) --same;
      kept = number + same;
      if (same > 0) break;
    }
    if (kept < count_) {
      TWINCHAIN_TRY(file_->truncate(kept * block_header_size));
      outcome_.removed += count_ - kept;
      count_ = kept;
    }
    previous_.reset();
    if (count_ > 0) {
      auto last = read(count_ - 1, 1);
      if (!last) return pass(last);
      previous_ = bitcoin::block_hash(last->front());
    }
    return {};
  }

  /// False: a reorganisation came in between.
  Result<bool> append_new() {
    while (true) {
      if (options_.stop && options_.stop()) {
        return fail(ExitCode::loss, "stopped at block " + decimal(first_height_ + count_),
                    "run it again to go on");
      }
      auto headers = ledger_.headers(height_of(count_), headers_at_once);
      if (!headers) return pass(headers);
      if (headers->empty()) return true;
      Bytes bytes;
      for (const BlockHeaderBytes& header : *headers) {
        if (previous_ && bitcoin::parse_header(header).previous != *previous_) {
          return after_odd_header(bytes.empty());
        }
        if (!tip_.network.check_proof_of_work(header)) {
          return fail(ExitCode::refuted,
                      "the ledger's block " +
                          decimal(first_height_ + count_ + bytes.size() / block_header_size) +
                          " does not meet its proof of work");
        }
        if (!previous_) TWINCHAIN_TRY(check_genesis(header));
        previous_ = bitcoin::block_hash(header);
        append(bytes, header);
      }
      TWINCHAIN_TRY(write(bytes));
    }
  }

  /// A header that does not follow the last one of the file, or one of the same answer.
  Result<bool> after_odd_header(bool follows_file) {
    auto tip = ledger_.tip();
    if (!tip) return pass(tip);
    if (tip->block_hash == tip_.block_hash && !follows_file) {
      return fail(ExitCode::refuted, "the ledger's headers do not follow each other");
    }
    tip_ = *tip;
    return false;
  }

  Status check_genesis(const BlockHeaderBytes& header) {
    if (first_height_ > 0 || bitcoin::block_hash(header) == tip_.network.genesis()) return {};
    return fail(ExitCode::refuted,
                "the ledger's first block is not the genesis of " + std::string(tip_.network.name));
  }

  Status write(const Bytes& bytes) {
    const ByteView pieces[] = {bytes};
    Status status = file_->append(pieces);
    if (status) status = file_->sync();
    if (!status) {
      // The next call would mend it, too.
      (void)file_->truncate(count_ * block_header_size);
      return status;
    }
    const std::uint64_t added = bytes.size() / block_header_size;
    count_ += added;
    outcome_.added += added;
    if (options_.progress) {
      const std::uint64_t total = std::uint64_t{tip_.height} + 1 - first_height_;
      options_.progress(count_, std::max(total, count_));
    }
    return {};
  }

  Result<HeaderFileOutcome> finish() {
    if (count_ == 0) return fail(ExitCode::peer, "the ledger gave no header");
    TWINCHAIN_TRY(file_->sync());
    auto first = read(0, 1);
    if (!first) return pass(first);
    auto last = read(count_ - 1, 1);
    if (!last) return pass(last);
    outcome_.first_height = first_height_;
    outcome_.first_hash = bitcoin::block_hash(first->front());
    outcome_.tip = {tip_.network, height_of(count_ - 1), bitcoin::block_hash(last->front()),
                    bitcoin::parse_header(last->front()).time_s};
    return outcome_;
  }

  const std::string& path_;
  Ledger& ledger_;
  const HeaderFileOptions& options_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<File> file_;
  Tip tip_;
  std::uint32_t first_height_ = 0;
  std::uint64_t count_ = 0;          // of headers in the file
  std::optional<Hash256> previous_;  // of the next header
  HeaderFileOutcome outcome_;
};

}  // namespace

Result<HeaderFileOutcome> update_header_file(Fs& fs, const std::string& path, Ledger& ledger,
                                             const HeaderFileOptions& options) {
  return HeaderFile(path, ledger, options).run(fs);
}

}  // namespace twinchain::ledger
