// Makes samples of the kind that sensors give, in every input format, for the bench and the crash
// tests.
//
// usage: make_samples FORMAT COLUMNS ROWS [KIND [LIVE_HZ]]
//   FORMAT  csv | ndjson | influx | raw (first column: time, epoch seconds as f64)
//   KIND    quantised (random walk, 3 decimals; default) | noisy (full mantissa) | random (64
//   random bits) LIVE_HZ rows a second, at the right moments and with the time of the moment; 0: as
//   fast as it goes,
//           1 kHz of made-up time from 2026-01-01
// ROWS 0: until stopped.

#include <time.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
};

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void flush(std::string& out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, out.data() + done, out.size() - done);
    if (count <= 0) std::exit(0);  // the reader has gone
    done += static_cast<std::size_t>(count);
  }
  out.clear();
}

template <class T>
void number(std::string& out, T value) {
  std::array<char, 40> buffer{};
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

template <class T>
void raw(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: make_samples FORMAT COLUMNS ROWS [KIND [LIVE_HZ]]\n");
    return 2;
  }
  const std::string format = argv[1];
  const auto columns = static_cast<std::size_t>(std::atoll(argv[2]));
  const std::int64_t rows = std::atoll(argv[3]);
  const std::string kind = argc > 4 ? argv[4] : "quantised";
  const double live_hz = argc > 5 ? std::atof(argv[5]) : 0;

  Random random{42};
  std::vector<double> level(columns);
  std::vector<std::int64_t> step(columns);
  for (std::size_t i = 0; i < columns; ++i) level[i] = 100 + 10 * static_cast<double>(i % 90);
  std::vector<double> values(columns);
  std::string out;
  const auto key = [](std::size_t column) {
    // Made in two steps: g++ 12 warns of an overlap in "s" + to_string() that is not there.
    std::string name = "s";
    name += std::to_string(column);
    return name;
  };
  if (format == "csv") {
    out += "time";
    for (std::size_t i = 0; i < columns; ++i) {
      out += ',';
      out += key(i);
    }
    out += '\n';
  }
  const std::int64_t live_begin = now_ns();
  for (std::int64_t row = 0; rows == 0 || row < rows; ++row) {
    std::int64_t time_ns = 1'767'225'600'000'000'000 + row * 1'000'000;
    if (live_hz > 0) {
      const auto due =
          live_begin + static_cast<std::int64_t>(static_cast<double>(row) * 1e9 / live_hz);
      const timespec until{due / 1'000'000'000, due % 1'000'000'000};
      clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr);
      time_ns = now_ns();
    }
    for (std::size_t i = 0; i < columns; ++i) {
      const double noise = random.unit() + random.unit() + random.unit() - 1.5;
      if (kind == "random") {
        values[i] = std::bit_cast<double>(random.next());
      } else if (kind == "noisy") {
        values[i] = level[i] + std::sin(static_cast<double>(row) * 0.01 + static_cast<double>(i)) +
                    noise * 0.01;
      } else {
        step[i] += static_cast<std::int64_t>(noise * 6);
        values[i] = (level[i] * 1000 + static_cast<double>(step[i])) / 1000;
      }
    }
    if (format == "csv") {
      number(out, time_ns / 1'000'000);
      for (const double value : values) {
        out += ',';
        number(out, value);
      }
      out += '\n';
    } else if (format == "ndjson") {
      out += "{\"time\":";
      number(out, time_ns / 1'000'000);
      for (std::size_t i = 0; i < columns; ++i) {
        out += ",\"";
        out += key(i);
        out += "\":";
        number(out, values[i]);
      }
      out += "}\n";
    } else if (format == "influx") {
      out += "engine ";
      for (std::size_t i = 0; i < columns; ++i) {
        if (i > 0) out += ',';
        out += key(i);
        out += '=';
        number(out, values[i]);
      }
      out += ' ';
      number(out, time_ns);
      out += '\n';
    } else {
      raw(out, static_cast<double>(time_ns) / 1e9);
      for (const double value : values) raw(out, value);
    }
    if (live_hz > 0 || out.size() >= (std::size_t{1} << 20)) flush(out);
  }
  flush(out);
  return 0;
}
