#include "twinchain/net/node_status.hpp"

#include "twinchain/base/text.hpp"
#include "twinchain/record/json_value.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t max_status_bytes = std::size_t{4} << 20;

std::string status_text(const record::JsonValue& value) {
  return escape(value.text().value_or("?"));
}
std::string status_count(const record::JsonValue& value) {
  const auto count = value.count();
  return count ? std::to_string(*count) : "?";
}

std::string describe_peer(const record::JsonValue& peer) {
  std::string line = "peer: " + status_text(peer.member("address"));
  line += peer.member("outbound").truth().value_or(false) ? ", we connected" : ", connected to us";
  if (peer.member("role").exists()) {
    line += ", " + status_text(peer.member("role")) + ", " + status_text(peer.member("agent"));
  }
  return line + ", key " + status_text(peer.member("node_key")) + "\n";
}

}  // namespace

Result<std::string> describe_status(std::string_view json) {
  auto document = record::JsonDocument::parse(json, max_status_bytes);
  if (!document) return pass(document);
  const record::JsonValue root = document->root();
  if (root.member("format").text().value_or("") != "twinchain node status 1") {
    return fail(ExitCode::malformed, "the node's status has a format that is not known");
  }
  const record::JsonValue tip = root.member("tip");
  const record::JsonValue pool = root.member("pool");
  const record::JsonValue transactions = root.member("transactions");
  const record::JsonValue sync = root.member("sync");
  const record::JsonValue blocks = root.member("blocks");
  std::string text = "node: " + status_text(root.member("role")) + ", " +
                     status_text(root.member("agent")) + ", up " +
                     status_count(root.member("uptime_s")) + " s\n";
  text += "network: " + status_text(root.member("network")) + ", " +
          status_text(root.member("genesis")) + "\n";
  text += "tip: height " + status_count(tip.member("height")) + ", " +
          status_text(tip.member("hash")) + ", headers up to " +
          status_count(root.member("best_header_height")) + "\n";
  text += "pool: " + status_count(pool.member("transactions")) + " transactions, " +
          status_count(pool.member("memory_bytes")) + " bytes of memory, " +
          status_count(pool.member("orphans")) + " wait for a parent\n";
  text += "transactions: " + status_count(transactions.member("accepted")) + " accepted, " +
          status_count(transactions.member("refused")) + " refused, scripts of " +
          status_count(transactions.member("scripts_verified")) + " run, of " +
          status_count(transactions.member("scripts_verified_in_blocks")) +
          " more because of blocks\n";
  text += "sync: " + status_count(sync.member("sessions")) + " sessions, " +
          status_count(sync.member("sessions_failed")) + " failed, " +
          status_count(sync.member("differences")) + " differences, " +
          status_count(sync.member("symbols")) + " symbols\n";
  text += "blocks: " + status_count(blocks.member("assembled")) + " assembled from skeletons, " +
          status_count(blocks.member("skeletons_given_up")) + " skeletons given up, " +
          status_count(blocks.member("disconnected")) + " disconnected\n";
  text += "liars dropped: " + status_count(root.member("dropped_liars")) + "\n";
  root.member("peers").each([&](const record::JsonValue& peer) {
    text += describe_peer(peer);
    return true;
  });
  return text;
}

}  // namespace twinchain::net
