// Speed of the row parsers into a real WindowBuilder.
//
// usage: bench_parsers [-m MEGABYTES] [-r REPEATS] [-w WINDOW_KIB] [PATTERN...]
//   PATTERN  only inputs whose name contains one of these
//
// Two figures an input, in MB (10^6 bytes) of input a second of processor time of this process, the
// best of the repeats: "parse" is parse() alone, "with close" adds WindowBuilder::close() of every
// window (encoding, hashing, checksums). Input is given in pieces of 256 KiB, as from a pipe.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "twinchain/base/text.hpp"
#include "twinchain/record/row_parser.hpp"

namespace twinchain::record {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr int columns = 20;
constexpr std::int64_t first_ms = 1'760'000'000'000;

/// Slowly moving signals, as sensors have them.
class Signals {
 public:
  double next(int column) {
    double& value = values_[static_cast<std::size_t>(column)];
    value += step_(random_) * (1 + column % 5);
    return value;
  }

 private:
  std::mt19937_64 random_{11};
  std::normal_distribution<double> step_{0, 0.05};
  std::array<double, columns> values_{23.4, 101.3,  0.52, 641.8, 1589.7, 1400.6, 14.6,
                                      21.6, 554.36, 2388, 9046,  1.3,    47.5,   521.7,
                                      38.1, 8138.6, 8.42, 0.03,  392,    39.06};
};

void append_fixed(std::string& out, double value, int digits) {
  std::array<char, 64> text{};
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value,
                                       std::chars_format::fixed, digits);
  out.append(text.data(), end);
}

struct Input {
  std::string name;
  ParserOptions options;
  std::function<void(std::string&, Signals&, std::int64_t)> add_row;
  std::string bytes;

  void generate(std::size_t size) {
    Signals signals;
    bytes.reserve(size + 4096);
    for (std::int64_t row = 0; bytes.size() < size; ++row) add_row(bytes, signals, row);
  }
};

Input make(std::string name, RowFormat format,
           std::function<void(std::string&, Signals&, std::int64_t)> add_row,
           std::string head = {}) {
  Input input{std::move(name), {}, std::move(add_row), std::move(head)};
  input.options.format = format;
  return input;
}

std::string csv_head() {
  std::string head = "ts";
  for (int i = 0; i < columns; ++i) head += ",sensor_" + std::to_string(i);
  return head + "\n";
}

void add_csv_row(std::string& out, Signals& signals, int digits) {
  for (int i = 0; i < columns; ++i) {
    out += ',';
    if (digits > 0) {
      append_fixed(out, signals.next(i), digits);
    } else {
      out += shortest(signals.next(i));
    }
  }
  out += '\n';
}

void add_json_row(std::string& out, Signals& signals, std::int64_t row, bool optional_keys,
                  const char* blank) {
  out += std::string("{\"ts\":") + blank + std::to_string(first_ms + row);
  for (int i = 0; i < columns; ++i) {
    if (optional_keys && i % 3 == 0 && (row * 7 + i) % 5 == 0) continue;
    out += std::string(",") + blank + "\"sensor_" + std::to_string(i) + "\":" + blank;
    append_fixed(out, signals.next(i), 3);
  }
  out += "}\n";
}

std::vector<Input> csv_inputs() {
  std::vector<Input> inputs;
  inputs.push_back(make(
      "csv 20 columns, 3 decimals", RowFormat::csv,
      [](std::string& out, Signals& signals, std::int64_t row) {
        out += std::to_string(first_ms + row);
        add_csv_row(out, signals, 3);
      },
      csv_head()));
  inputs.push_back(make(
      "csv 20 columns, ISO 8601, 6 decimals", RowFormat::csv,
      [](std::string& out, Signals& signals, std::int64_t row) {
        out += format_time_ns((first_ms + row) * 1'000'000);
        add_csv_row(out, signals, 6);
      },
      csv_head()));
  inputs.push_back(make(
      "csv 20 columns, all digits", RowFormat::csv,
      [](std::string& out, Signals& signals, std::int64_t row) {
        out += std::to_string(first_ms + row);
        add_csv_row(out, signals, 0);
      },
      csv_head()));
  inputs.push_back(make(
      "csv quoted", RowFormat::csv,
      [](std::string& out, Signals& signals, std::int64_t row) {
        out += '"' + std::to_string(first_ms + row) + '"';
        for (int i = 0; i < columns; ++i) {
          out += ",\"";
          append_fixed(out, signals.next(i), 3);
          out += '"';
        }
        out += '\n';
      },
      csv_head()));
  return inputs;
}

std::vector<Input> json_inputs() {
  std::vector<Input> inputs;
  inputs.push_back(make("ndjson 20 keys", RowFormat::ndjson,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          add_json_row(out, signals, row, false, "");
                        }));
  inputs.push_back(make("ndjson 20 keys, blanks", RowFormat::ndjson,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          add_json_row(out, signals, row, false, " ");
                        }));
  inputs.push_back(make("ndjson 20 keys, some missing", RowFormat::ndjson,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          add_json_row(out, signals, row, true, "");
                        }));
  inputs.push_back(make("ndjson nested, mixed types", RowFormat::ndjson,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          out += "{\"time\":\"" + format_time_ns((first_ms + row) * 1'000'000) +
                                 "\",\"engine\":{\"id\":\"e-17\",\"on\":" +
                                 (row % 900 < 700 ? "true" : "false") + ",\"temperature\":[";
                          for (int i = 0; i < 4; ++i) {
                            if (i > 0) out += ',';
                            append_fixed(out, signals.next(i), 2);
                          }
                          out += "],\"cycles\":" + std::to_string(row / 10) + "}}\n";
                        }));
  return inputs;
}

std::vector<Input> other_inputs() {
  std::vector<Input> inputs;
  inputs.push_back(make("influx 20 fields", RowFormat::influx,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          out += "engine,site=hall\\ 2,unit=e17 ";
                          for (int i = 0; i < columns; ++i) {
                            if (i > 0) out += ',';
                            out += "sensor_" + std::to_string(i) + "=";
                            append_fixed(out, signals.next(i), 3);
                          }
                          out += " " + std::to_string((first_ms + row) * 1'000'000) + "\n";
                        }));
  inputs.push_back(make("mqtt numbers", RowFormat::mqtt,
                        [](std::string& out, Signals& signals, std::int64_t row) {
                          const int column = static_cast<int>(row % columns);
                          std::string payload;
                          append_fixed(payload, signals.next(column), 2);
                          out += std::to_string(first_ms / 1000 + row / 1000) + "." +
                                 std::to_string(100'000'000 + row % 1000) + " lorry/7/sensor_" +
                                 std::to_string(column) + " ";
                          for (const char c : payload) {
                            constexpr const char* digits = "0123456789abcdef";
                            out += digits[(c >> 4) & 15];
                            out += digits[c & 15];
                          }
                          out += '\n';
                        }));
  const auto add_raw = [](std::string& out, double value) {
    std::array<std::uint8_t, 8> bytes{};
    store_le(bytes.data(), std::bit_cast<std::uint64_t>(value));
    out += as_text(bytes);
  };
  inputs.push_back(make("raw 20 columns", RowFormat::raw_f64,
                        [add_raw](std::string& out, Signals& signals, std::int64_t /*row*/) {
                          for (int i = 0; i < columns; ++i) add_raw(out, signals.next(i));
                        }));
  inputs.push_back(make("raw time and 20 columns", RowFormat::raw_f64,
                        [add_raw](std::string& out, Signals& signals, std::int64_t row) {
                          add_raw(out, static_cast<double>(first_ms + row) / 1000);
                          for (int i = 0; i < columns; ++i) add_raw(out, signals.next(i));
                        }));
  inputs.back().options.column_names.emplace_back("time");
  for (std::size_t which = inputs.size() - 2; which < inputs.size(); ++which) {
    for (int i = 0; i < columns; ++i) {
      inputs[which].options.column_names.push_back("sensor_" + std::to_string(i));
    }
  }
  return inputs;
}

struct Times {
  double parse_s = 0;
  double close_s = 0;
  std::uint64_t rows = 0;
  std::uint64_t rejected = 0;
};

Times run(const Input& input, std::uint64_t window_bytes) {
  auto parser = make_row_parser(input.options);
  if (!parser) std::exit(1);
  WindowBuilder builder(Schema{"bench", {}, {}});
  Times times;
  WindowEnd end;
  std::uint64_t frame_bytes = 0;
  const auto close = [&] {
    const double start = cpu_seconds();
    times.rejected += builder.rejected_rows();
    const auto closed = builder.close(end, [&](const FrameHeader&, ByteView body) -> Status {
      frame_bytes += body.size();
      return {};
    });
    if (!closed) std::exit(1);
    ++end.sequence;
    times.close_s += cpu_seconds() - start;
  };
  ParseControl control;
  control.max_raw_bytes = window_bytes;
  const ByteView all = as_bytes(input.bytes);
  std::size_t at = 0;
  std::size_t filled = 0;
  while (at < all.size()) {
    filled = std::min(all.size(), filled + (std::size_t{256} << 10));
    const double start = cpu_seconds();
    const auto outcome =
        (*parser)->parse(all.subspan(at, filled - at), filled == all.size(), builder, control);
    times.parse_s += cpu_seconds() - start;
    if (!outcome) {
      std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
      std::exit(1);
    }
    at += outcome->consumed;
    times.rows += outcome->rows;
    if (outcome->stopped_by_size) {
      close();
      filled = at + std::max<std::size_t>(1, filled - at) - 1;  // the rest of this piece again
    }
  }
  close();
  return times;
}

int bench(int argc, char** argv) {
  std::size_t megabytes = 64;
  int repeats = 3;
  std::uint64_t window_kib = 1024;
  std::vector<std::string> patterns;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.size() == 2 && word[0] == '-' && i + 1 < argc) {
      const auto value = static_cast<std::size_t>(std::strtoull(argv[++i], nullptr, 10));
      if (word == "-m") megabytes = value;
      if (word == "-r") repeats = static_cast<int>(value);
      if (word == "-w") window_kib = value;
    } else {
      patterns.push_back(word);
    }
  }
  std::printf("%-40s %10s %12s %10s %9s\n", "input", "parse MB/s", "with close", "rows", "rejects");
  for (const auto group : {csv_inputs, json_inputs, other_inputs}) {
    for (Input& input : group()) {
      const bool wanted = patterns.empty() ||
                          std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
                            return input.name.find(pattern) != std::string::npos;
                          });
      if (!wanted) continue;
      input.generate(megabytes * 1'000'000);
      double parse_s = 1e9;
      double total_s = 1e9;
      Times times;
      for (int i = 0; i < repeats; ++i) {
        times = run(input, window_kib << 10);
        parse_s = std::min(parse_s, times.parse_s);
        total_s = std::min(total_s, times.parse_s + times.close_s);
      }
      const double mb = static_cast<double>(input.bytes.size()) / 1e6;
      std::printf("%-40s %10.0f %12.0f %10llu %9llu\n", input.name.c_str(), mb / parse_s,
                  mb / total_s, static_cast<unsigned long long>(times.rows),
                  static_cast<unsigned long long>(times.rejected));
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace twinchain::record

int main(int argc, char** argv) {
  return twinchain::record::bench(argc, argv);
}
