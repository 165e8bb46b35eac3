// Whom a node connects to by itself. Floor 6.
//
// Addresses that were given are always kept connected. Others come from peers, who may lie: they
// are few, a peer can fill no more than its share, and of one address range only two are connected
// to at a time, so that somebody with one range cannot surround a node (eclipse). Loopback
// addresses are ranges of their own, port by port: there everybody is on one machine.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "twinchain/net/node_host.hpp"

namespace twinchain::net {

struct AddressLimits {
  std::size_t learned = 1'000;
  std::size_t learned_from_one = 64;
  std::size_t outbound = 8;  ///< connections besides those that were given
  std::size_t outbound_in_range = 2;
  std::int64_t connect_ms = 10'000;   ///< a try takes so long at the most
  std::int64_t first_retry_ms = 500;  ///< doubled at each failure
  std::int64_t last_retry_ms = 60'000;
};

/// "1.2.3.4:5" -> "1.2", "[2001:db8::1]:5" -> "2001:db8"; of loopback addresses the whole.
std::string address_range(const std::string& address);
/// An IP address and a port, as Peers has them.
bool is_peer_address(const std::string& address);

/// Not thread-safe.
class AddressBook {
 public:
  explicit AddressBook(std::vector<std::string> given, const AddressLimits& limits = {});

  /// From a peer, or a peer itself (its own address and listening port).
  void learn(const std::string& address, PeerId from);
  void forget_source(PeerId from) { learned_from_.erase(from); }
  /// What to connect to now; each is taken as tried. `connected`: the dialled addresses of links
  /// that are up. `linked`: where those listen, as they say, who have connected to us: no second
  /// link is made to them, but they take no place either.
  std::vector<std::string> due(std::int64_t now_ms, const std::set<std::string>& connected,
                               const std::set<std::string>& linked = {});
  /// A link to it is up.
  void succeeded(const std::string& address);
  /// Some that may be told to others.
  [[nodiscard]] std::vector<std::string> some(std::size_t max) const;

 private:
  struct Entry {
    bool given = false;
    std::int64_t next_ms = 0;
    std::int64_t pending_until_ms = 0;  ///< a try may still succeed: it has a place
    std::int64_t retry_ms = 0;
  };
  void tried(Entry& entry, std::int64_t now_ms) const;

  AddressLimits limits_;
  std::map<std::string, Entry> entries_;
  std::map<PeerId, std::size_t> learned_from_;
};

}  // namespace twinchain::net
