#include "twinchain/base/clock.hpp"

#include <ctime>
#include <fstream>
#include <string>

#include "twinchain/base/hex.hpp"

namespace twinchain {
namespace {

std::int64_t read_clock_ns(clockid_t id) {
  timespec now{};
  (void)clock_gettime(id, &now);  // these clocks are always there
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Id128 read_boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string text;
  std::getline(in, text);
  std::erase(text, '-');
  Id128 id{};
  if (const auto bytes = from_hex(text); bytes && bytes->size() == id.size()) {
    std::copy(bytes->begin(), bytes->end(), id.begin());
  }
  return id;
}

class SystemClock final : public Clock {
 public:
  std::int64_t wall_ns() override { return read_clock_ns(CLOCK_REALTIME); }
  std::uint64_t monotonic_ns() override {
    return static_cast<std::uint64_t>(read_clock_ns(CLOCK_BOOTTIME));
  }
  Id128 boot_id() override {
    static const Id128 id = read_boot_id();
    return id;
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace twinchain
