#include "twinchain/record/host_sampler.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::record {
namespace {

constexpr std::array<const char*, 7> cpu_fields{"user",   "nice", "system", "idle",
                                                "iowait", "irq",  "softirq"};
constexpr std::array<const char*, 6> memory_fields{"MemTotal", "MemFree", "MemAvailable",
                                                   "Buffers",  "Cached",  "Dirty"};
constexpr double not_read = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t max_devices = 16;

std::string_view next_word(std::string_view& line) {
  const std::size_t first = line.find_first_not_of(" \t:");
  if (first == std::string_view::npos) {
    line = {};
    return {};
  }
  line.remove_prefix(first);
  const std::size_t end = std::min(line.find_first_of(" \t:"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

double to_number(std::string_view word) {
  double value = not_read;
  const auto result = std::from_chars(word.data(), word.data() + word.size(), value);
  return result.ec == std::errc() ? value : not_read;
}

/// The `index`th word (from 0) of a line as a number.
double word_number(std::string_view line, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) next_word(line);
  return to_number(next_word(line));
}

/// Calls `each` with every line.
template <class Each>
void for_lines(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<std::string> read_text(const std::string& path) {
  auto bytes = read_file(path, std::uint64_t{1} << 20);
  if (!bytes) return pass(bytes);
  return std::string(as_text(*bytes));
}

bool is_whole_disk(std::string_view name) {
  return !name.starts_with("loop") && !name.starts_with("ram") && !name.starts_with("zram");
}

}  // namespace

void HostSampler::add_source(const std::string& path, Source::Kind kind,
                             std::vector<std::string> keys, double scale) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return;
  Source source{std::move(*fd), kind, std::move(keys), scale};
  sources_.push_back(std::move(source));
}

Result<HostSampler> HostSampler::open(const std::string& root) {
  HostSampler sampler;
  const long ticks = ::sysconf(_SC_CLK_TCK);
  if (ticks > 0) sampler.seconds_per_tick_ = 1.0 / static_cast<double>(ticks);
  const auto channel = [&](std::string name, std::string unit) {
    sampler.channels_.push_back({std::move(name), std::move(unit)});
  };
  auto stat = read_text(root + "/proc/stat");
  if (!stat) return pass(stat);
  sampler.add_source(root + "/proc/stat", Source::Kind::stat, {}, sampler.seconds_per_tick_);
  for (const char* field : cpu_fields) channel(std::string("cpu.") + field, "s");
  channel("cpu.context_switches", "");
  channel("cpu.interrupts", "");

  if (read_text(root + "/proc/meminfo")) {
    sampler.add_source(root + "/proc/meminfo", Source::Kind::meminfo, {}, 1024);
    for (const char* field : memory_fields) channel(std::string("memory.") + field, "byte");
  }
  if (read_text(root + "/proc/loadavg")) {
    sampler.add_source(root + "/proc/loadavg", Source::Kind::loadavg, {}, 1);
    channel("load.1min", "");
  }
  if (auto disks = read_text(root + "/proc/diskstats")) {
    std::vector<std::string> names;
    for_lines(*disks, [&](std::string_view line) {
      next_word(line);
      next_word(line);
      const std::string_view name = next_word(line);
      if (!name.empty() && is_whole_disk(name) && names.size() < max_devices) {
        names.emplace_back(name);
      }
    });
    for (const std::string& name : names) {
      channel("disk." + name + ".read", "byte");
      channel("disk." + name + ".written", "byte");
      channel("disk." + name + ".busy", "s");
    }
    sampler.add_source(root + "/proc/diskstats", Source::Kind::diskstats, std::move(names), 1);
  }
  if (auto interfaces = read_text(root + "/proc/net/dev")) {
    std::vector<std::string> names;
    for_lines(*interfaces, [&](std::string_view line) {
      if (line.find('|') != std::string_view::npos) return;
      const std::string_view name = next_word(line);
      if (!name.empty() && names.size() < max_devices) names.emplace_back(name);
    });
    for (const std::string& name : names) {
      channel("net." + name + ".received", "byte");
      channel("net." + name + ".sent", "byte");
    }
    sampler.add_source(root + "/proc/net/dev", Source::Kind::net_dev, std::move(names), 1);
  }
  const std::string hwmon = root + "/sys/class/hwmon";
  if (auto chips = real_fs().list(hwmon)) {
    for (const std::string& chip : *chips) {
      const std::string folder = hwmon + "/" + chip;
      auto name = read_text(folder + "/name");
      auto entries = real_fs().list(folder);
      if (!name || !entries) continue;
      for (const std::string& entry : *entries) {
        if (!entry.starts_with("temp") || !entry.ends_with("_input")) continue;
        const std::size_t before = sampler.sources_.size();
        sampler.add_source(folder + "/" + entry, Source::Kind::number, {}, 0.001);
        if (sampler.sources_.size() > before) {
          channel(
              "temperature." + std::string(trim(*name)) + "." + entry.substr(4, entry.size() - 10),
              "degreeCelsius");
        }
      }
    }
  }
  return sampler;
}

void HostSampler::sample_source(const Source& source, std::vector<double>& values) {
  buffer_.resize(std::size_t{1} << 16);
  const ssize_t size = ::pread(source.fd.get(), buffer_.data(), buffer_.size(), 0);
  const std::string_view text(buffer_.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t first = values.size();
  switch (source.kind) {
    case Source::Kind::stat:
      values.resize(first + cpu_fields.size() + 2, not_read);
      for_lines(text, [&](std::string_view line) {
        if (line.starts_with("cpu ")) {
          for (std::size_t i = 0; i < cpu_fields.size(); ++i) {
            values[first + i] = word_number(line, i + 1) * source.scale;
          }
        } else if (line.starts_with("ctxt ")) {
          values[first + cpu_fields.size()] = word_number(line, 1);
        } else if (line.starts_with("intr ")) {
          values[first + cpu_fields.size() + 1] = word_number(line, 1);
        }
      });
      break;
    case Source::Kind::meminfo:
      values.resize(first + memory_fields.size(), not_read);
      for_lines(text, [&](std::string_view line) {
        for (std::size_t i = 0; i < memory_fields.size(); ++i) {
          const std::string_view field = memory_fields[i];
          if (line.starts_with(field) && line.substr(field.size(), 1) == ":") {
            values[first + i] = word_number(line, 1) * source.scale;
          }
        }
      });
      break;
    case Source::Kind::loadavg:
      values.push_back(word_number(text, 0));
      break;
    case Source::Kind::diskstats:
    case Source::Kind::net_dev: {
      const bool disks = source.kind == Source::Kind::diskstats;
      const std::size_t width = disks ? 3 : 2;
      values.resize(first + source.keys.size() * width, not_read);
      for_lines(text, [&](std::string_view line) {
        std::string_view rest = line;
        if (disks) {
          next_word(rest);
          next_word(rest);
        }
        const std::string_view name = next_word(rest);
        const auto found = std::find(source.keys.begin(), source.keys.end(), name);
        if (found == source.keys.end()) return;
        double* into =
            &values[first + static_cast<std::size_t>(found - source.keys.begin()) * width];
        if (disks) {
          into[0] = word_number(rest, 2) * 512;  // a sector of iostats is always 512 bytes
          into[1] = word_number(rest, 6) * 512;
          into[2] = word_number(rest, 9) * 0.001;
        } else {
          into[0] = word_number(rest, 0);
          into[1] = word_number(rest, 8);
        }
      });
      break;
    }
    case Source::Kind::number:
      values.push_back(word_number(trim(text), 0) * source.scale);
      break;
  }
}

void HostSampler::sample(std::vector<double>& values) {
  values.clear();
  for (const Source& source : sources_) sample_source(source, values);
  values.resize(channels_.size(), not_read);
}

}  // namespace twinchain::record
