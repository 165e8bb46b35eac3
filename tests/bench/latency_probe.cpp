// Reads a twin stream as `store put --pass` gives it (each frame after it is durable) and measures
// how old each sample is at that moment: from its event time to the arrival of its LINK frame.
//
// usage: ... | store put --pass DIR | latency_probe
// Prints one JSON object: samples, p50, p99, max in ms over all rows but those of the first and
// the last frame (start-up, and the end of the input).

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/stream/reader.hpp"

int main() {
  using namespace twinchain;
  StreamReader reader(STDIN_FILENO);
  std::map<std::uint64_t, std::vector<std::int64_t>> times;
  std::vector<std::vector<double>> ages_ms;
  while (true) {
    auto event = reader.next();
    if (!event || event->kind == StreamEventKind::finished) break;
    if (event->kind != StreamEventKind::frame) continue;
    const Frame& frame = event->frame;
    if (frame.header.type == FrameType::data) {
      auto leaves = record::parse_leaves(frame.body.view(), false);
      if (!leaves) return 1;
      for (const record::Leaf& leaf : *leaves) {
        if (leaf.type != record::LeafType::time_column) continue;
        auto column = record::decode_time_column(leaf.payload);
        if (column) times[frame.header.sequence] = std::move(*column);
      }
    } else if (frame.header.type == FrameType::link) {
      const std::int64_t now_ns = system_clock().wall_ns();
      std::vector<double> ages;
      for (const std::int64_t time_ns : times[frame.header.sequence]) {
        ages.push_back(static_cast<double>(now_ns - time_ns) / 1e6);
      }
      times.erase(frame.header.sequence);
      ages_ms.push_back(std::move(ages));
    }
    reader.recycle(std::move(event->frame.body));
  }
  std::vector<double> all;
  for (std::size_t i = 1; i + 1 < ages_ms.size(); ++i) {
    all.insert(all.end(), ages_ms[i].begin(), ages_ms[i].end());
  }
  if (all.empty()) return 1;
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  std::printf(
      "{\"samples\": %zu, \"frames\": %zu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
      all.size(), ages_ms.size(), at(0.5), at(0.99), all.back());
  return 0;
}
