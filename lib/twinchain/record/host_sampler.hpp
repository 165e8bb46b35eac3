// This machine's own telemetry from /proc and /sys. Floor 3.
//
// The files are opened once and read again with pread, so that a thousand samples a second cost
// little. Sources: proc(5); Documentation/admin-guide/iostats.rst and hwmon's sysfs-interface.rst
// of the Linux kernel.
#pragma once

#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::record {

class HostSampler {
 public:
  /// Finds what is there: CPU times, memory, load, disks, network interfaces, temperatures.
  /// ExitCode::system where there is no /proc/stat. `root` is prefixed to paths (tests).
  static Result<HostSampler> open(const std::string& root = "");

  struct Channel {
    std::string name;  ///< "cpu.user", "net.eth0.received", "temperature.coretemp.1"
    std::string unit;  ///< "s", "byte", "degreeCelsius", ...
  };
  [[nodiscard]] const std::vector<Channel>& channels() const { return channels_; }

  /// One value a channel, in their order. Counters are totals since boot. A value that cannot be
  /// read (a disk was removed) is NaN.
  void sample(std::vector<double>& values);

 private:
  struct Source {
    UniqueFd fd;
    enum class Kind { stat, meminfo, loadavg, diskstats, net_dev, number } kind;
    std::vector<std::string> keys;  ///< devices, or names of fields, one a group of channels
    double scale = 1;
  };
  void add_source(const std::string& path, Source::Kind kind, std::vector<std::string> keys,
                  double scale);
  void sample_source(const Source& source, std::vector<double>& values);

  std::vector<Source> sources_;
  std::vector<Channel> channels_;
  std::string buffer_;
  double seconds_per_tick_ = 0.01;
};

}  // namespace twinchain::record
