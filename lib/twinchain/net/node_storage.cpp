#include "twinchain/net/node_storage.hpp"

#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

std::string network_file(const std::string& folder) {
  return folder + "/network";
}

void note_dropped(const std::function<void(const std::string&)>& note, const std::string& what,
                  std::uint64_t dropped_bytes) {
  if (dropped_bytes > 0) {
    note(what + ": the last " + std::to_string(dropped_bytes) +
         " bytes were torn or damaged and are left out");
  }
}

}  // namespace

Result<std::optional<ChainParameters>> stored_parameters(Fs& fs, const std::string& folder) {
  const std::string path = network_file(folder);
  auto there = fs.exists(path);
  if (!there) return pass(there);
  if (!*there) return std::nullopt;
  auto text = read_whole_file(fs, path, max_parameters_file_bytes);
  if (!text) return pass(text);
  auto parameters = parse_parameters(*text);
  if (!parameters) return pass(parameters);
  return std::move(*parameters);
}

Status NodeStorage::check_network(const ChainParameters& parameters) {
  auto stored = stored_parameters(fs_, folder_);
  if (!stored) return pass(stored);
  if (!*stored) {
    return write_file_atomically(fs_, network_file(folder_),
                                 as_bytes(format_parameters(parameters)));
  }
  if (genesis_hash(**stored) != genesis_hash(parameters)) {
    return fail(ExitCode::usage, escape(folder_) + ": a node of another network");
  }
  return {};
}

Result<std::unique_ptr<NodeStorage>> NodeStorage::open(
    Fs& fs, const std::string& folder, const ChainParameters& parameters, WorkPool& workers,
    Clock& clock, const NodeStorageOptions& options,
    const std::function<void(const std::string&)>& note, std::unique_ptr<BlockStore> blocks) {
  std::unique_ptr<NodeStorage> node(new NodeStorage(fs, folder));
  TWINCHAIN_TRY(fs.make_folders(folder));
  auto lock = fs.lock(folder + "/lock");
  if (!lock) return pass(lock);
  node->lock_ = std::move(*lock);
  TWINCHAIN_TRY(node->check_network(parameters));
  std::uint64_t dropped_bytes = 0;
  if (blocks == nullptr) {
    auto opened = open_block_file(fs, folder + "/blocks", parameters, &dropped_bytes);
    if (!opened) return pass(opened);
    blocks = std::move(*opened);
    note_dropped(note, "blocks", dropped_bytes);
  }
  node->blocks_ = std::move(blocks);
  dropped_bytes = 0;
  node->tree_ = std::make_unique<HeaderTree>(parameters, options.headers);
  auto log = HeaderLog::open(fs, folder + "/headers", *node->tree_, &dropped_bytes);
  if (!log) return pass(log);
  node->header_log_ = std::move(*log);
  note_dropped(note, "headers", dropped_bytes);
  auto coins = storage::CoinDatabase::open(
      options.coins_folder.empty() ? folder + "/coins" : options.coins_folder,
      genesis_hash(parameters), genesis_coins(parameters), options.coins);
  if (!coins) return pass(coins);
  node->coins_ = std::move(*coins);
  node->pool_ = std::make_unique<LocalPool>(parameters, *node->coins_, workers, options.pool);
  auto chain = ChainState::open(
      parameters, {*node->coins_, *node->blocks_, workers, clock, node->header_log_.get()},
      *node->tree_, *node->pool_);
  if (!chain) return pass(chain);
  node->chain_ = std::move(*chain);
  auto loaded = node->pool_->load(fs, folder + "/mempool");
  if (!loaded) return pass(loaded);
  note_dropped(note, "mempool", loaded->dropped_bytes);
  return node;
}

}  // namespace twinchain::net
