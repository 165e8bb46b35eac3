// Bodies of blocks in a folder, of which the oldest are handed to storage nodes. Floor 6. [0091]
//
//   FOLDER/lock          one process at a time
//   FOLDER/log           "TWOUTBL1", the genesis hash, then records of 52 bytes, little-endian:
//                        0 kind u32 (1 added, 2 handed out)  4 CRC-32C of the body u32
//                        8 size of the body u64  16 block hash  48 CRC-32C of bytes 0 to 47 u32
//   FOLDER/HASH.block    a body
//   FOLDER/HASH.tmp      a body that is being written
//
// Order, so that nothing is lost at a crash: body, name, log; then it is kept. Confirmed by the
// storage nodes, log, removed here; then it is theirs. A torn end of the log is cut off; a body
// that the log lacks is taken in when the folder is opened.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "twinchain/base/clock.hpp"
#include "twinchain/net/block_store.hpp"
#include "twinchain/net/block_transport.hpp"

namespace twinchain::net {

struct OutsourcedOptions {
  TransportOptions transport;  ///< no nodes: nothing is handed out
  /// So many storage nodes must confirm a block before it is removed here.
  std::size_t copies = 1;
  /// The oldest blocks are handed out while the bodies here are more.
  std::uint64_t local_limit_bytes = std::uint64_t{10} << 30;
  /// The newest blocks stay here, for reorganisations and for peers that catch up.
  std::size_t keep_blocks = 100;
  /// A storage node that is away is left alone for so long, doubled each time up to the longest.
  std::int64_t retry_ms = 1'000;
  std::int64_t max_retry_ms = 300'000;
  /// A file of blocks (open_block_file()) that is taken in and then removed; empty, or a file that
  /// is not there: none.
  std::string import_file;
  /// One line each, escaped. Called by the thread that hands out, too, one call at a time.
  std::function<void(const std::string&)> note;
};

/// As BlockStore: its functions are called by one thread. Handing out is done by a thread of its
/// own. get() of what was handed out waits for storage nodes; when none gives it, the answer is
/// that it is not here.
class OutsourcedBlocks final : public BlockStore {
 public:
  /// `transport` instead of links, and no thread, for tests: they call hand_out(). ExitCode::usage
  /// for another network's folder, one in use, and for more copies than storage nodes.
  static Result<std::unique_ptr<OutsourcedBlocks>> open(Fs& fs, const std::string& folder,
                                                        const ChainParameters& parameters,
                                                        const OutsourcedOptions& options,
                                                        Clock& clock,
                                                        std::unique_ptr<BlockTransport> transport);
  ~OutsourcedBlocks() override;

  /// An error of the thread that hands out is given by the next put().
  Status put(const Hash256& hash, ByteView raw) override;
  Result<std::optional<Bytes>> get(const Hash256& hash) override;
  [[nodiscard]] std::vector<Hash256> all() const override;

  /// Begins to hand out in a thread of its own. Once.
  void start();

  enum class Step {
    idle,        ///< nothing is to be handed out
    handed_out,  ///< or left out: there may be more
    waiting      ///< storage nodes are away
  };
  /// Hands one block out, if that is due. Not while the thread does it.
  Result<Step> hand_out();

  [[nodiscard]] std::uint64_t local_bytes() const;
  [[nodiscard]] std::size_t local_blocks() const;

 private:
  struct Entry {
    std::uint64_t size_bytes = 0;
    std::uint32_t crc = 0;
    bool local = true;
  };
  /// How a storage node has answered lately.
  struct Standing {
    std::int64_t retry_at_ms = 0;
    std::int64_t wait_ms = 0;  ///< 0: it has not failed
  };

  OutsourcedBlocks(Fs& fs, std::string folder, const OutsourcedOptions& options, Clock& clock,
                   std::unique_ptr<BlockTransport> transport);
  [[nodiscard]] std::string body_path(const Hash256& hash) const;
  [[nodiscard]] std::int64_t now_ms() const;
  void note(const std::string& line);
  Status start_log(const ChainParameters& parameters);
  Status read_log();
  void take_record(ByteView record);
  Status append_log(std::uint32_t kind, const Hash256& hash, const Entry& entry);
  Status look_through_folder();
  Status take_in_orphan(const std::string& name);
  Status import(const std::string& file, const ChainParameters& parameters);
  Status write_body(const Hash256& hash, ByteView raw);
  Status add(const Hash256& hash, const Entry& entry);
  Result<std::optional<Bytes>> read_body(const Hash256& hash, const Entry& entry);
  std::optional<Bytes> fetch(const Hash256& hash, const Entry& entry);
  bool may_push(const Hash256& hash);
  bool push(const Hash256& hash, ByteView raw);
  void failed(Standing& standing, std::size_t node, const std::string& why);
  void run();

  Fs& fs_;
  std::string folder_;
  OutsourcedOptions options_;
  Clock& clock_;
  std::unique_ptr<BlockTransport> transport_;
  std::uint64_t max_body_bytes_ = 0;
  std::unique_ptr<FileLock> lock_;

  mutable std::mutex mutex_;
  // Under the mutex:
  std::unique_ptr<File> log_;
  std::uint64_t log_end_ = 0;
  bool log_failed_ = false;
  std::unordered_map<Hash256, Entry, HashHasher> entries_;
  std::vector<Hash256> order_;
  std::deque<Hash256> local_;  ///< in order; without those that are damaged
  std::uint64_t local_bytes_ = 0;
  std::optional<Error> failure_;  ///< of the thread
  bool stopping_ = false;
  std::condition_variable wake_;

  std::mutex note_mutex_;
  // Of whoever hands out:
  std::vector<Standing> push_standing_;
  Hash256 pushing_{};
  std::set<std::size_t> confirmed_;  ///< nodes that have that block
  // Of the store's thread:
  std::vector<Standing> fetch_standing_;
  std::thread thread_;
};

/// For a full node: over links, with its thread running.
Result<std::unique_ptr<BlockStore>> open_outsourced_blocks(Fs& fs, const std::string& folder,
                                                           const ChainParameters& parameters,
                                                           const OutsourcedOptions& options);

}  // namespace twinchain::net
