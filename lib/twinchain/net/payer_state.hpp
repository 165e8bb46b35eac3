// What a payer of data transactions must not forget: a log in a folder. Floor 6.
//
//   payments.log   records of record/spool_log.hpp (each with its CRC), in this order of types:
//     0 owner      genesis hash (32 bytes), public key (33 bytes): the first record
//     1 payment    txid that it replaces (32 bytes, zeros for none), frames u32, the first 16 bytes
//                  of the SHA-256 of each, transaction as serialised
//     2 buried     payments u32, height u32: so many of the oldest payments are deep in the chain
//     3 abandoned  payment u32: those from this one on (counted from the oldest that is kept) will
//                  never be in the chain, because a coin that they need is gone
//     4 base       when compacted: 1 if there is a change to go on with u8, txid, index u32,
//                  satoshi i64, height u32,
//                  lock time u32
//     5 frames     when compacted: generation u8 (0 the older), ids of 16 bytes each
//   lock           held by the one process that uses the folder
//
// A payment is durable here before it is sent, and until it is deep in the chain: so a frame that
// was taken is never lost, whatever a node forgets. Whether a node has a payment is not written
// down: it is asked when the program starts. What is abandoned is kept until another payment with
// the same frames is durable; one record says both.
//
// The newest 1,000,000 to 2,000,000 frames are remembered, in 16 to 64 MiB of memory. The log is
// made anew when it is opened and when most of it is of no more use.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "twinchain/net/data_transaction.hpp"
#include "twinchain/net/remembered_frames.hpp"
#include "twinchain/record/spool_log.hpp"

namespace twinchain::net {

struct Payment {
  Hash256 txid{};
  std::vector<bitcoin::OutPoint> inputs;
  std::int64_t change_sat = 0;
  std::size_t size_bytes = 0;
  std::vector<Id128> frames;
  std::uint64_t offset = 0;  ///< of the transaction in the log

  [[nodiscard]] PayerCoin change() const { return {{txid, change_output_index}, change_sat}; }
};

struct PayerStateOptions {
  /// So many of the newest frames are remembered at the least, twice as many at the most.
  std::size_t remembered_frames = 1'000'000;
  /// The log is made anew when more than this, and more than what is of use, is of no more use.
  std::uint64_t waste_bytes = std::uint64_t{64} << 20;
};

/// Not thread-safe. After an error of the disk it is of no more use.
class PayerState {
 public:
  /// Makes the folder when it is missing. ExitCode::usage for a state of another network or key;
  /// system when another process uses it; malformed when it is damaged. A torn end is left out: of
  /// it nothing was sent.
  static Result<std::unique_ptr<PayerState>> open(Fs& fs, const std::string& folder,
                                                  const ChainParameters& parameters,
                                                  const EcdsaPublicKey& key,
                                                  const PayerStateOptions& options = {});

  /// Payments that are not deep in the chain yet, each spending the change of the one before.
  [[nodiscard]] const std::deque<Payment>& payments() const { return payments_; }
  /// Payments whose frames another payment must carry, in their order.
  [[nodiscard]] const std::deque<Payment>& abandoned() const { return abandoned_; }
  /// The change of the newest payment; nothing before the first one.
  [[nodiscard]] std::optional<PayerCoin> tip() const;
  /// When the chain of the newest payment began; 0 before the first one.
  [[nodiscard]] std::uint32_t chain_time_s() const { return chain_time_s_; }
  /// No payment that is kept is in a block below.
  [[nodiscard]] std::uint32_t first_height() const { return first_height_; }
  [[nodiscard]] bool knows(const Id128& frame) const { return frames_.contains(frame); }

  /// Not durable before sync(). `replaces`: the oldest abandoned payment, whose frames it carries.
  Status add(const NetTransaction& transaction, std::vector<Id128> frames, bool replaces = false);
  Status bury(std::size_t payments, std::uint32_t height);
  Status abandon_from(std::size_t payment);
  Status sync() { return log_->sync(); }
  [[nodiscard]] bool durable() const { return log_->durable(); }
  /// The transaction as serialised.
  Result<Bytes> read(const Payment& payment);
  /// Makes the log anew.
  Status compact();
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }
  [[nodiscard]] std::uint64_t log_bytes() const { return log_->size_bytes(); }

 private:
  PayerState(Fs& fs, std::string folder, const ChainParameters& parameters,
             const EcdsaPublicKey& key, const PayerStateOptions& options)
      : fs_(fs),
        folder_(std::move(folder)),
        parameters_(parameters),
        key_(key),
        options_(options),
        frames_(options.remembered_frames) {}
  Status load();
  Status replay(const record::SpoolRecord& record);
  Status replay_owner(ByteView payload);
  Status replay_payment(const record::SpoolRecord& record);
  Status replay_base(ByteView payload);
  Status replay_frames(ByteView payload);
  Status compact_if_worth_it();
  Status write_live(record::SpoolLog& log);
  Status write_payment(record::SpoolLog& log, Payment& payment);
  void forget_first(std::size_t payments, std::uint32_t height);
  void move_to_abandoned(std::size_t from);
  [[nodiscard]] std::string log_path() const { return folder_ + "/payments.log"; }

  Fs& fs_;
  std::string folder_;
  ChainParameters parameters_;
  EcdsaPublicKey key_;
  PayerStateOptions options_;
  std::unique_ptr<FileLock> lock_;
  std::optional<record::SpoolLog> log_;
  std::unique_ptr<File> reader_;
  bool has_owner_ = false;
  std::deque<Payment> payments_;
  std::deque<Payment> abandoned_;
  std::optional<PayerCoin> base_;  ///< the change of the newest payment that was buried
  std::uint32_t first_height_ = 0;
  std::uint32_t chain_time_s_ = 0;
  RememberedFrames frames_;
  std::uint64_t torn_bytes_ = 0;
};

}  // namespace twinchain::net
