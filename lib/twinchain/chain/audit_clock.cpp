// Clocks. None of this contradicts a hash: a clock that was set is a finding, not corruption.
#include <cstdlib>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"

namespace twinchain::chain {
namespace {

constexpr double second_ns = 1e9;
/// Between two links the wall clock may differ from the monotonic one by this much: adjusting by
/// NTP is within 500 millionths, and setting the clock is what is looked for.
constexpr double step_limit_ns = 1 * second_ns;
constexpr double step_limit_ratio = 0.001;
/// The same since the first link of a boot.
constexpr double drift_limit_ns = 10 * second_ns;
constexpr double early_limit_ns = 1 * second_ns;
constexpr double late_limit_ns = 3600 * second_ns;
/// Between the end of a window and the moment the recorder closed it.
constexpr double closing_limit_ns = 60 * second_ns;

// As double: hostile clocks differ by more than an int64 holds, and a second matters, not its
// billionth part.
double elapsed_ns(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to) - static_cast<double>(from);
}
double elapsed_ns(std::uint64_t from, std::uint64_t to) {
  return static_cast<double>(to) - static_cast<double>(from);
}

std::string seconds_text(double duration_ns) {
  const double length = std::abs(duration_ns);
  if (length < 9e17) {
    // Whole milliseconds: more digits would only distract.
    const auto milliseconds = static_cast<std::int64_t>(length / 1e6);
    return format_duration_ns(milliseconds * 1'000'000);
  }
  return "many years";
}

}  // namespace

void SourceAudit::add_clock(FindingKind kind, const Link& link, const Place& place,
                            std::string message) {
  const Severity severity =
      context_.options.policy.refuse_clock_findings ? Severity::refuted : Severity::note;
  Finding made =
      finding(kind, severity, place, link.number, link.window_start_ns, link.window_end_ns);
  made.message = std::move(message);
  add(std::move(made), true);
}

void SourceAudit::check_clocks(const Link& link, const Place& place) {
  if (last_ && link.wall_ns < last_->wall_ns) {
    add_clock(FindingKind::wall_clock_back, link, place,
              "the wall clock went back by " +
                  seconds_text(elapsed_ns(link.wall_ns, last_->wall_ns)) +
                  " since the link before");
  }
  const bool boot_known = link.boot_id != Id128{};
  if (last_ && boot_known && link.boot_id == last_->boot_id) {
    if (link.monotonic_ns < last_->monotonic_ns) {
      add_clock(FindingKind::monotonic_clock_back, link, place,
                "the monotonic clock went back within one boot");
    } else {
      const double monotonic_ns = elapsed_ns(last_->monotonic_ns, link.monotonic_ns);
      const double apart_ns = elapsed_ns(last_->wall_ns, link.wall_ns) - monotonic_ns;
      if (std::abs(apart_ns) > step_limit_ns + step_limit_ratio * monotonic_ns) {
        add_clock(FindingKind::wall_clock_step, link, place,
                  "the wall clock was set " + std::string(apart_ns > 0 ? "forward" : "back") +
                      " by " + seconds_text(apart_ns) + " since the link before");
      }
    }
  }
  if (boot_known && (!boot_link_ || boot_link_->boot_id != link.boot_id)) {
    boot_link_ = link;
    drift_reported_ = false;
  } else if (boot_known && !drift_reported_ && link.monotonic_ns >= boot_link_->monotonic_ns) {
    const double monotonic_ns = elapsed_ns(boot_link_->monotonic_ns, link.monotonic_ns);
    const double apart_ns = elapsed_ns(boot_link_->wall_ns, link.wall_ns) - monotonic_ns;
    if (std::abs(apart_ns) > drift_limit_ns + step_limit_ratio * monotonic_ns) {
      drift_reported_ = true;
      add_clock(FindingKind::clock_drift, link, place,
                "wall and monotonic clock have come apart by " + seconds_text(apart_ns) +
                    " since link " + decimal(boot_link_->number));
    }
  }
  if (last_ && link.beacon.network != 0 && link.beacon.network == last_->beacon.network &&
      link.beacon.height < last_->beacon.height) {
    add_clock(FindingKind::beacon_back, link, place,
              "the newest block known went back from height " +
                  decimal(std::uint64_t{last_->beacon.height}) + " to " +
                  decimal(std::uint64_t{link.beacon.height}));
  }
}

void SourceAudit::check_recorder_clock(const PendingData& data, const Link& link) {
  const record::DataHeader& header = data.data;
  const bool event_clock = (header.flags & record::window_event_clock) != 0;
  if (header.boot_id != Id128{} && header.boot_id == link.boot_id &&
      link.monotonic_ns < header.closed_monotonic_ns) {
    add_clock(FindingKind::sealed_early, link, data.place,
              "sealed before the recorder closed the window, by the monotonic clock of both");
  }
  if (event_clock) return;  // its windows are of event time, which may be any time
  const double sealed_ns = elapsed_ns(header.window_end_ns, link.wall_ns);
  if (sealed_ns < -early_limit_ns) {
    add_clock(FindingKind::sealed_early, link, data.place,
              "sealed " + seconds_text(sealed_ns) + " before the window ended");
  } else if (sealed_ns > late_limit_ns) {
    add_clock(FindingKind::sealed_late, link, data.place,
              "sealed " + seconds_text(sealed_ns) + " after the window ended");
  }
  const double closed_ns = elapsed_ns(header.window_end_ns, header.closed_wall_ns);
  const bool closed_for_a_reason =
      (header.flags & (record::window_closed_by_size | record::window_closed_at_end |
                       record::window_recovered)) != 0;
  if (!closed_for_a_reason && std::abs(closed_ns) > closing_limit_ns) {
    add_clock(FindingKind::closed_off_time, link, data.place,
              "the recorder closed the window " + seconds_text(closed_ns) +
                  (closed_ns < 0 ? " before" : " after") + " its end");
  }
}

}  // namespace twinchain::chain
