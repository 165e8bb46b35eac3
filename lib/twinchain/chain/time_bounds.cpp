#include "twinchain/chain/time_bounds.hpp"

#include <algorithm>

namespace twinchain::chain {

void TimeBounds::add_beacon(std::uint64_t link, const BlockBound& bound) {
  if (!beacons_.empty()) {
    const Mark& newest = beacons_.back();
    const bool same_network = newest.bound.network == bound.network;
    if (newest.bound == bound || (same_network && bound.height <= newest.bound.height)) return;
  }
  if (beacons_.size() == limit_) {
    // An earlier beacon is true of later links, too.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < beacons_.size(); i += 2) beacons_[kept++] = beacons_[i];
    beacons_.resize(kept);
    widened_ = true;
  }
  beacons_.push_back({link, bound});
}

void TimeBounds::add_anchor(std::uint64_t link, const BlockBound& bound) {
  const auto at =
      std::lower_bound(anchors_.begin(), anchors_.end(), link,
                       [](const Mark& mark, std::uint64_t wanted) { return mark.link < wanted; });
  // A later link in a block that is not younger says as much of this one.
  if (at != anchors_.end() && at->bound.time_s <= bound.time_s) return;
  auto first = at;
  while (first != anchors_.begin() && (first - 1)->bound.time_s >= bound.time_s) --first;
  auto last = at;
  if (last != anchors_.end() && last->link == link) ++last;
  const auto place = anchors_.erase(first, last);
  anchors_.insert(place, {link, bound});
  if (anchors_.size() <= limit_) return;
  // The newest stays: it is what covers the most.
  std::size_t kept = 0;
  for (std::size_t i = (anchors_.size() + 1) % 2; i < anchors_.size(); i += 2) {
    anchors_[kept++] = anchors_[i];
  }
  anchors_.resize(kept);
  widened_ = true;
}

std::vector<TimeRun> TimeBounds::runs(std::uint64_t first, std::uint64_t last) const {
  std::vector<TimeRun> out;
  auto beacon = beacons_.begin();
  auto anchor = anchors_.begin();
  std::optional<BlockBound> not_before;
  for (std::uint64_t from = first;;) {
    for (; beacon != beacons_.end() && beacon->link <= from; ++beacon) not_before = beacon->bound;
    while (anchor != anchors_.end() && anchor->link < from) ++anchor;
    TimeRun run;
    run.first = from;
    run.last = last;
    run.not_before = not_before;
    if (beacon != beacons_.end()) run.last = std::min(run.last, beacon->link - 1);
    if (anchor != anchors_.end()) {
      run.not_after = anchor->bound;
      run.last = std::min(run.last, anchor->link);
    }
    out.push_back(run);
    if (run.last >= last) break;
    from = run.last + 1;
  }
  return out;
}

bool widen_runs(std::vector<TimeRun>& runs, std::size_t most) {
  const std::size_t parts = most == 0 ? runs.size() : (runs.size() + most - 1) / most;
  if (parts <= 1) return false;
  std::vector<TimeRun> out;
  for (std::size_t i = 0; i < runs.size(); i += parts) {
    const std::size_t end = std::min(i + parts, runs.size());
    TimeRun run = runs[i];
    run.last = runs[end - 1].last;
    run.not_after = runs[end - 1].not_after;
    out.push_back(std::move(run));
  }
  runs = std::move(out);
  return true;
}

}  // namespace twinchain::chain
