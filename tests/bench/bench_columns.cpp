// Size and speed of the column codec on several kinds of data, beside zstd -3 on the same raw
// little-endian f64 rows.
//
// usage: bench_columns [-m MEGABYTES] [PATTERN...]
//   PATTERN  only data sets whose name contains one of these
//
// Times are processor time of this process. "rows" is append_f64_rows and close, "puts" put_f64 a
// value and close, "read" decode_window; all in MB (10^6 bytes) of raw f64 a second. C-MAPSS is
// read from TWINCHAIN_SHARED (default ../shared).

#include <zstd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>

#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {
namespace {

struct DataSet {
  std::string name;
  std::uint32_t columns = 0;
  std::size_t rows_per_window = 1000;
  std::vector<double> values;  ///< row by row
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Value>
DataSet generate(std::string name, std::uint32_t columns, std::size_t rows_per_window,
                 std::size_t size_bytes, Value&& value) {
  DataSet set;
  set.name = std::move(name);
  set.columns = columns;
  set.rows_per_window = rows_per_window;
  const std::size_t rows = size_bytes / 8 / columns;
  set.values.resize(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::uint32_t column = 0; column < columns; ++column) {
      set.values[row * columns + column] = value(row, column);
    }
  }
  return set;
}

std::mt19937_64 random_engine(7);  // NOLINT: a fixed seed makes runs comparable
double normal() {
  static std::normal_distribution<double> distribution;
  return distribution(random_engine);
}
double rounded(double value, double scale) {
  return std::round(value * scale) / scale;
}

/// Random walk of each column, rounded to so many decimals.
auto walk(std::uint32_t columns, double scale, double step) {
  return [=, state = std::vector<double>(columns)](std::size_t row, std::uint32_t column) mutable {
    if (row == 0) state[column] = 100.0 + 10 * column;
    state[column] += step * normal();
    return rounded(state[column], scale);
  };
}
double sine(std::size_t row, std::uint32_t column) {
  const double time = static_cast<double>(row) * 1e-3;
  return 20 + 5 * column + 10 * std::sin(2 * M_PI * (1 + 0.37 * column) * time);
}

DataSet read_cmapss() {
  DataSet set;
  set.name = "cmapss";
  set.columns = 26;
  const char* shared = std::getenv("TWINCHAIN_SHARED");
  const std::string folder = std::string(shared != nullptr ? shared : "../shared") + "/data/cmapss";
  for (const char* file : {"train_FD001", "train_FD003"}) {
    const std::string command = "zcat '" + folder + "/" + file + ".txt.gz' 2>/dev/null";
    FILE* pipe = popen(command.c_str(), "r");
    double value = 0;
    while (pipe != nullptr && std::fscanf(pipe, "%lf", &value) == 1) set.values.push_back(value);
    if (pipe != nullptr) pclose(pipe);
  }
  set.values.resize(set.values.size() / 26 * 26);
  return set;
}

std::vector<DataSet> make_sets(std::size_t size, const std::vector<std::string>& patterns) {
  std::vector<DataSet> sets;
  const auto add = [&](const std::string& name, std::uint32_t columns, std::size_t rows,
                       auto&& value) {
    bool wanted = patterns.empty();
    for (const std::string& pattern : patterns) {
      wanted = wanted || name.find(pattern) != std::string::npos;
    }
    if (wanted) sets.push_back(generate(name, columns, rows, size, value));
  };
  const auto noisy = [](std::size_t row, std::uint32_t column) {
    return sine(row, column) + 0.01 * normal();
  };
  add("walk2 20x1000", 20, 1000, walk(20, 100, 0.05));
  add("walk3 20x1000", 20, 1000, walk(20, 1000, 0.05));
  add("walk3 20x50000", 20, 50000, walk(20, 1000, 0.05));
  add("walk3 1000x1000", 1000, 1000, walk(1000, 1000, 0.05));
  add("walk3 2x500000", 2, 500000, walk(2, 1000, 0.05));
  add("walk6 20x1000", 20, 1000, walk(20, 1e6, 0.05));
  add("noisy3 20x1000", 20, 1000,
      [&](std::size_t row, std::uint32_t column) { return rounded(noisy(row, column), 1000); });
  add("sine+noise 20x1000", 20, 1000, noisy);
  add("sine+noise 20x50000", 20, 50000, noisy);
  add("sine+noise 1000x1000", 1000, 1000, noisy);
  add("sine 20x1000", 20, 1000, sine);
  add("white noise 20x1000", 20, 1000, [](std::size_t, std::uint32_t) { return normal(); });
  add("random bits 20x1000", 20, 1000,
      [](std::size_t, std::uint32_t) { return std::bit_cast<double>(random_engine()); });
  add("random bits 1000x1000", 1000, 1000,
      [](std::size_t, std::uint32_t) { return std::bit_cast<double>(random_engine()); });
  add("constant 20x1000", 20, 1000, [](std::size_t, std::uint32_t column) { return 0.1 + column; });
  add("counter 20x1000", 20, 1000, [](std::size_t row, std::uint32_t column) {
    return static_cast<double>(row / (1 + column) + 1000 * column);
  });
  add("f32 20x1000", 20, 1000, [&](std::size_t row, std::uint32_t column) {
    return static_cast<double>(static_cast<float>(noisy(row, column)));
  });
  add("adc12 20x1000", 20, 1000, [&](std::size_t row, std::uint32_t column) {
    return std::round(noisy(row, column) * 20) * (3.3 / 4096 / 1.7);
  });
  add("nan walk2 20x1000", 20, 1000,
      [step = walk(20, 100, 0.05)](std::size_t row, std::uint32_t column) mutable {
        const double value = step(row, column);
        return random_engine() % 50 == 0 ? std::nan("") : value;
      });
  add("period 20x1000", 20, 1000, [](std::size_t row, std::uint32_t column) {
    return std::sin(0.1 * static_cast<double>(row % 100 + column)) * M_PI;
  });
  add("switches 20x1000", 20, 1000,
      [state = std::vector<double>(20)](std::size_t, std::uint32_t column) mutable {
        if (random_engine() % 30 == 0) state[column] = static_cast<double>(random_engine() % 4) / 3;
        return state[column];
      });
  if (patterns.empty() || patterns.front() == "cmapss") sets.push_back(read_cmapss());
  return sets;
}

struct Measured {
  double seconds = 0;
  std::uint64_t size = 0;
  std::vector<Bytes> bodies;
  std::vector<FrameHeader> headers;
};

WindowBuilder make_builder(std::uint32_t columns) {
  Schema schema;
  schema.source_name = "bench";
  for (std::uint32_t i = 0; i < columns; ++i) {
    schema.channels.push_back({"c" + std::to_string(i), ValueType::f64, "", ""});
  }
  return WindowBuilder(std::move(schema));
}

/// Rows as the raw parser gives them: about 256 KiB at a time.
void append_window(WindowBuilder& builder, const DataSet& set, std::size_t row, std::size_t count,
                   std::vector<std::int64_t>& times) {
  const std::size_t step = std::max<std::size_t>(1, (256 << 10) / 8 / set.columns);
  for (std::size_t at = row; at < row + count; at += step) {
    const std::size_t part = std::min(step, row + count - at);
    times.resize(part);
    for (std::size_t i = 0; i < part; ++i) {
      times[i] = static_cast<std::int64_t>((at + i) * 1'000'000);
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&set.values[at * set.columns]);
    builder.append_f64_rows({bytes, 8 * part * set.columns}, set.columns, times);
  }
}

void put_window(WindowBuilder& builder, const DataSet& set, std::size_t row, std::size_t count) {
  for (std::size_t at = row; at < row + count; ++at) {
    builder.begin_row(static_cast<std::int64_t>(at * 1'000'000));
    const double* values = &set.values[at * set.columns];
    for (std::uint32_t i = 0; i < set.columns; ++i) builder.put_f64(i, values[i]);
    builder.end_row();
  }
}

Measured write(const DataSet& set, bool puts, bool keep) {
  Measured measured;
  WindowBuilder builder = make_builder(set.columns);
  const FrameSink sink = [&](const FrameHeader& header, ByteView body) -> Status {
    measured.size += frame_header_size + body.size();
    if (keep && header.type == FrameType::data) {
      measured.bodies.emplace_back(body.begin(), body.end());
      measured.headers.push_back(header);
    }
    return {};
  };
  std::vector<std::int64_t> times;
  const std::size_t rows = set.values.size() / set.columns;
  WindowEnd end;
  const double began = cpu_seconds();
  for (std::size_t row = 0; row < rows; row += set.rows_per_window) {
    const std::size_t count = std::min(set.rows_per_window, rows - row);
    if (puts) {
      put_window(builder, set, row, count);
    } else {
      append_window(builder, set, row, count, times);
    }
    ++end.sequence;
    if (!builder.close(end, sink)) std::abort();
  }
  measured.seconds = cpu_seconds() - began;
  return measured;
}

double read(const DataSet& set, const Measured& written) {
  const WindowBuilder builder = make_builder(set.columns);
  const double began = cpu_seconds();
  std::size_t row = 0;
  for (std::size_t i = 0; i < written.bodies.size(); ++i) {
    const auto window = decode_window(written.headers[i], written.bodies[i], builder.schema());
    if (!window) {
      std::fprintf(stderr, "bench_columns: error: %s\n", window.error().message.c_str());
      std::exit(70);
    }
    for (const Column& column : window->columns) {
      for (std::size_t k = 0; k < column.f64.size(); k += 97) {
        const double wanted = set.values[(row + k) * set.columns + column.channel];
        if (std::bit_cast<std::uint64_t>(column.f64[k]) != std::bit_cast<std::uint64_t>(wanted)) {
          std::fprintf(stderr, "bench_columns: error: %s: row %zu is not what was written\n",
                       set.name.c_str(), row + k);
          std::exit(70);
        }
      }
    }
    row += window->header.rows;
  }
  return cpu_seconds() - began;
}

void report(const DataSet& set) {
  const double size = 8.0 * static_cast<double>(set.values.size());
  if (set.values.empty()) {
    std::printf("%-22s SKIPPED: no data\n", set.name.c_str());
    return;
  }
  std::vector<char> packed(ZSTD_compressBound(set.values.size() * 8));
  const double began = cpu_seconds();
  const auto peer = static_cast<double>(
      ZSTD_compress(packed.data(), packed.size(), set.values.data(), set.values.size() * 8, 3));
  const double peer_seconds = cpu_seconds() - began;
  write(set, false, false);  // warms the caches, as a recorder that has been running
  const Measured rows = write(set, false, false);
  const Measured puts = write(set, true, false);
  const double read_seconds = read(set, write(set, false, true));
  const auto ours = static_cast<double>(rows.size);
  std::printf("%-22s %7.1f %8.2f%% %8.2f%% %7.3f %8.0f %8.0f %8.0f %8.0f\n", set.name.c_str(),
              size / 1e6, 100 * peer / size, 100 * ours / size, ours / peer,
              size / 1e6 / peer_seconds, size / 1e6 / rows.seconds, size / 1e6 / puts.seconds,
              size / 1e6 / read_seconds);
  std::fflush(stdout);
}

}  // namespace
}  // namespace twinchain::record

int main(int argc, char** argv) {
  using namespace twinchain::record;
  std::size_t megabytes = 32;
  std::vector<std::string> patterns;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "-m" && i + 1 < argc) {
      megabytes = static_cast<std::size_t>(std::atoi(argv[++i]));
    } else {
      patterns.emplace_back(argv[i]);
    }
  }
  std::printf("%-22s %7s %9s %9s %7s %8s %8s %8s %8s\n", "data, columns x rows", "raw MB",
              "zstd -3", "columns", "ratio", "zstd", "rows", "puts", "read");
  for (const DataSet& set : make_sets(megabytes * 1'000'000, patterns)) report(set);
}
