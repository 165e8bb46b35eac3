// A peer that breaks rules, another one each time it is let in.
#pragma once

#include "sim/simulated_network.hpp"

namespace twinchain::sim {

/// Says it is an M-node, then lies: bytes that are no message, messages with changed bytes, blocks
/// without work, questions without end, answers that nobody asked for.
class LyingActor final : public Actor {
 public:
  void connected(World& world, std::size_t node, std::uint64_t link) override;
  void disconnected(World& world, std::uint64_t link) override;
  void received(World& world, std::uint64_t link, const Bytes& message) override;
  /// How often it was thrown out.
  std::uint64_t thrown_out = 0;

 private:
  void lie(World& world);
  [[nodiscard]] net::Message a_lie(World& world) const;

  std::size_t node_ = 0;
  std::uint64_t link_ = 0;
  std::uint64_t life_ = 0;
  Bytes last_;  ///< the last message that came
};

}  // namespace twinchain::sim
