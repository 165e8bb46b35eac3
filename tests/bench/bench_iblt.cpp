// Measures set reconciliation: symbols a difference, time of decoding, of a receiver's pass over
// its whole set, and how often one extension is not enough. Prints one JSON object.
//
// usage: bench_iblt {symbols D TRIALS | decode WORDS D TRIALS | pass ITEMS D TRIALS | extension D
// TRIALS ACTUAL}
//        [--seed S]
//
// Times are processor time of this thread, so that other processes on the machine do not count.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string_view>
#include <vector>

#include "twinchain/iblt/decoder.hpp"
#include "twinchain/iblt/encoder.hpp"
#include "twinchain/iblt/sizing.hpp"

using namespace twinchain;
using namespace twinchain::iblt;

namespace {

double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <std::size_t words>
std::vector<Item<words>> random_items(std::mt19937_64& random, std::size_t count) {
  std::vector<Item<words>> items(count);
  for (auto& item : items) {
    for (auto& word : item) word = random();
  }
  return items;
}

double quantile(std::vector<double>& sorted, double part) {
  const auto at = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

// The smallest number of symbols with which d differences, half of them on each side, come out.
void measure_symbols(std::mt19937_64& random, std::size_t d, std::size_t trials) {
  std::vector<double> ratios;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const SipKey key{random(), random()};
    const auto items = random_items<1>(random, d);
    Encoder<1> theirs(key);
    theirs.add(std::span(items).first(d - d / 2));
    Encoder<1> ours(key);
    ours.add(std::span(items).subspan(d - d / 2));
    Decoder<1> decoder(key);
    const std::size_t most = 64 + 40 * d;
    const std::size_t first = first_flight(d);
    std::vector<Symbol<1>> symbols =
        iblt::difference<1>(theirs.symbols(first), ours.symbols(first));
    for (std::size_t i = 0; i < most && decoder.state() == DecodeState::needs_more; ++i) {
      if (i == symbols.size()) {
        symbols = iblt::difference<1>(theirs.symbols(2 * i), ours.symbols(2 * i));
      }
      decoder.add(std::span(symbols).subspan(i, 1));
    }
    if (decoder.state() != DecodeState::complete ||
        decoder.only_theirs().size() + decoder.only_ours().size() != d) {
      std::fprintf(stderr, "bench_iblt: trial %zu did not decode\n", trial);
      std::exit(1);
    }
    ratios.push_back(static_cast<double>(decoder.symbol_count()) / static_cast<double>(d));
  }
  double sum = 0;
  for (const double ratio : ratios) sum += ratio;
  std::sort(ratios.begin(), ratios.end());
  std::printf(
      "\"d\": %zu, \"trials\": %zu, \"mean\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f",
      d, trials, sum / static_cast<double>(trials), quantile(ratios, 0.99), quantile(ratios, 0.999),
      ratios.back());
}

// From the first flight of symbols of the difference to the items.
template <std::size_t words>
void measure_decode(std::mt19937_64& random, std::size_t d, std::size_t trials) {
  std::vector<double> times_s;
  std::vector<double> encode_s;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const SipKey key{random(), random()};
    const auto items = random_items<words>(random, d);
    const double began = cpu_s();
    Encoder<words> encoder(key);
    encoder.add(items);
    const auto symbols = encoder.symbols(first_flight(d));
    encode_s.push_back(cpu_s() - began);
    const double decoding = cpu_s();
    Decoder<words> decoder(key);
    decoder.add(symbols);
    if (decoder.state() == DecodeState::complete) times_s.push_back(cpu_s() - decoding);
  }
  std::sort(times_s.begin(), times_s.end());
  std::sort(encode_s.begin(), encode_s.end());
  const double each = 1e9 / static_cast<double>(d);
  std::printf(
      "\"d\": %zu, \"item_bytes\": %zu, \"trials\": %zu, \"decoded\": %zu, "
      "\"ns_each_median\": %.1f, \"ns_each_best\": %.1f, \"encode_ns_each_median\": %.1f",
      d, words * 8, trials, times_s.size(), quantile(times_s, 0.5) * each, times_s[0] * each,
      quantile(encode_s, 0.5) * each);
}

// Hashes every txid, and makes as many symbols as a first flight for d has.
void measure_pass(std::mt19937_64& random, std::size_t count, std::size_t d, std::size_t trials) {
  std::vector<Hash256> txids(count);
  for (auto& txid : txids) {
    for (std::size_t i = 0; i < 32; i += 8) store_le(&txid[i], random());
  }
  std::vector<double> times_s;
  std::uint64_t used = 0;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const SipKey key{random(), random()};
    std::vector<Item<1>> ids(count);
    Encoder<1> encoder(key);
    encoder.reserve(count);
    const double began = cpu_s();
    for (std::size_t i = 0; i < count; ++i) ids[i] = {siphash24(key, txids[i])};
    encoder.add(ids);
    used ^= encoder.symbols(first_flight(d)).back().sum[0];
    times_s.push_back(cpu_s() - began);
  }
  std::sort(times_s.begin(), times_s.end());
  std::printf(
      "\"items\": %zu, \"symbols\": %u, \"trials\": %zu, \"s_median\": %.4f, \"s_best\": %.4f, "
      "\"check\": %llu",
      count, first_flight(d), trials, quantile(times_s, 0.5), times_s[0],
      static_cast<unsigned long long>(used & 1));
}

// How many blocks with `actual` differences fail after the first flight for an estimate of d, and
// after one extension.
void measure_extension(std::mt19937_64& random, std::size_t d, std::size_t trials,
                       std::size_t actual) {
  const std::uint32_t first = first_flight(d);
  const Extension more = next_extension(first);
  std::size_t extended = 0;
  std::size_t failed = 0;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    const SipKey key{random(), random()};
    const auto items = random_items<1>(random, actual);
    Encoder<1> theirs(key);
    theirs.add(std::span(items).first(actual - actual / 2));
    Encoder<1> ours(key);
    ours.add(std::span(items).subspan(actual - actual / 2));
    Decoder<1> decoder(key);
    decoder.add(iblt::difference<1>(theirs.symbols(first), ours.symbols(first)));
    if (decoder.state() == DecodeState::needs_more) {
      ++extended;
      Encoder<1> their_layer(key, 1);
      their_layer.add(std::span(items).first(actual - actual / 2));
      Encoder<1> our_layer(key, 1);
      our_layer.add(std::span(items).subspan(actual - actual / 2));
      decoder.add(iblt::difference<1>(theirs.symbols(first + more.main).subspan(first),
                                      ours.symbols(first + more.main).subspan(first)));
      decoder.add(
          iblt::difference<1>(their_layer.symbols(more.layer), our_layer.symbols(more.layer)), 1);
    }
    // Wrong items count as failed just as none do.
    if (decoder.state() != DecodeState::complete ||
        decoder.only_theirs().size() != actual - actual / 2 ||
        decoder.only_ours().size() != actual / 2) {
      ++failed;
    }
  }
  std::printf(
      "\"estimate\": %zu, \"actual\": %zu, \"first\": %u, \"total\": %u, \"trials\": %zu, "
      "\"extended\": %zu, \"failed\": %zu",
      d, actual, first, first + more.main + more.layer, trials, extended, failed);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> numbers;
  std::uint64_t seed = 20240201;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      numbers.push_back(std::strtoull(argv[i], nullptr, 10));
    }
  }
  const std::string_view what = argc > 1 ? argv[1] : "";
  std::mt19937_64 random(seed);
  std::printf("{\"seed\": %llu, ", static_cast<unsigned long long>(seed));
  if (what == "symbols" && numbers.size() == 2) {
    measure_symbols(random, numbers[0], numbers[1]);
  } else if (what == "decode" && numbers.size() == 3) {
    if (numbers[0] == 8) {
      measure_decode<8>(random, numbers[1], numbers[2]);
    } else if (numbers[0] == 4) {
      measure_decode<4>(random, numbers[1], numbers[2]);
    } else {
      measure_decode<1>(random, numbers[1], numbers[2]);
    }
  } else if (what == "pass" && numbers.size() == 3) {
    measure_pass(random, numbers[0], numbers[1], numbers[2]);
  } else if (what == "extension" && numbers.size() == 3) {
    measure_extension(random, numbers[0], numbers[1], numbers[2]);
  } else {
    std::fprintf(stderr, "bench_iblt: error: see the head of bench_iblt.cpp for its arguments\n");
    return 2;
  }
  std::printf("}\n");
  return 0;
}
