#include "twinchain/ledger/header_chain.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

void mine(const Network& network, bitcoin::BlockHeader& header) {
  while (!network.check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
}

// A chain of headers with made-up Merkle roots.
std::vector<bitcoin::BlockHeader> make_headers(const Network& network, std::size_t count,
                                               bitcoin::BlockHeader first) {
  std::vector<bitcoin::BlockHeader> headers{first};
  while (headers.size() < count) {
    bitcoin::BlockHeader header;
    header.previous = bitcoin::block_hash(headers.back());
    header.merkle_root[0] = static_cast<std::uint8_t>(headers.size());
    header.time_s = first.time_s + static_cast<std::uint32_t>(headers.size());
    header.bits = network.easiest_bits;
    mine(network, header);
    headers.push_back(header);
  }
  return headers;
}

void write(MemoryFs& fs, const std::vector<bitcoin::BlockHeader>& headers) {
  Bytes bytes;
  for (const bitcoin::BlockHeader& header : headers) append(bytes, bitcoin::serialize(header));
  REQUIRE(fs.open("headers", OpenMode::create));
  *fs.content("headers") = bytes;
}

Network dir() {
  return *network_by_name("dir");
}

std::string refusal(MemoryFs& fs, const HeaderChainOptions& options) {
  const auto chain = HeaderChain::open(fs, "headers", options);
  return chain ? "" : chain.error().message;
}

}  // namespace

TEST_CASE("a chain of headers from its genesis: place and depth of each block") {
  MemoryFs fs;
  const auto headers = make_headers(dir(), 3000, dir_genesis().header);
  write(fs, headers);
  for (const unsigned threads : {0U, 2U}) {
    HeaderChainOptions options{dir(), 0, {}, threads};
    auto chain = HeaderChain::open(fs, "headers", options);
    REQUIRE(chain);
    CHECK(chain->tip().height == 2999);
    CHECK(chain->tip().block_hash == bitcoin::block_hash(headers.back()));
    CHECK(chain->work() == bitcoin::UInt256(2 * 3000));
    for (const std::size_t height : {std::size_t{0}, std::size_t{1}, std::size_t{1023},
                                     std::size_t{1024}, std::size_t{2999}}) {
      const auto position = chain->position(bitcoin::block_hash(headers[height]));
      REQUIRE(position);
      CHECK(position->on_best_chain);
      CHECK(position->height == height);
      CHECK(position->depth == 3000 - height);
      CHECK(position->time_s == headers[height].time_s);
    }
    CHECK_FALSE(chain->position(Hash256{})->on_best_chain);
    // The same 32 bits as a header of the chain.
    Hash256 near = bitcoin::block_hash(headers[5]);
    near[31] ^= 1;
    const auto position = chain->position(near);
    REQUIRE(position);
    CHECK_FALSE(position->on_best_chain);
    CHECK(position->time_s == 0);
  }
}

TEST_CASE("headers from a checkpoint on") {
  MemoryFs fs;
  const auto all = make_headers(dir(), 20, dir_genesis().header);
  const std::vector<bitcoin::BlockHeader> headers(all.begin() + 5, all.end());
  write(fs, headers);
  HeaderChainOptions options{dir(), 0, {}, 1};
  CHECK(refusal(fs, options) == "headers: header 0 at byte 0: not the genesis of dir");
  options.first_height = 5;
  auto chain = HeaderChain::open(fs, "headers", options);
  REQUIRE(chain);
  CHECK(chain->first_height() == 5);
  CHECK(chain->tip().height == 19);
  CHECK(chain->position(bitcoin::block_hash(all[7]))->height == 7);
  CHECK(chain->position(bitcoin::block_hash(all[7]))->depth == 13);
  CHECK_FALSE(chain->position(bitcoin::block_hash(all[4]))->on_best_chain);
  options.first_hash = bitcoin::block_hash(all[5]);
  CHECK(refusal(fs, options).empty());
  options.first_hash = bitcoin::block_hash(all[6]);
  CHECK(refusal(fs, options) == "headers: header 0 at byte 0: not the checkpoint");
}

TEST_CASE("a wrong header is named") {
  MemoryFs fs;
  const auto good = make_headers(dir(), 1100, dir_genesis().header);
  const HeaderChainOptions options{dir(), 0, {}, 1};
  auto headers = good;
  headers[1050].time_s ^= 1;
  while (dir().check_proof_of_work(bitcoin::serialize(headers[1050]))) ++headers[1050].nonce;
  write(fs, headers);
  CHECK(refusal(fs, options) ==
        "headers: header 1050 at byte 84000: does not meet its proof of "
        "work");
  mine(dir(), headers[1050]);
  write(fs, headers);
  CHECK(refusal(fs, options) ==
        "headers: header 1051 at byte 84080: does not follow the one before "
        "it");
  headers = good;
  headers.erase(headers.begin() + 3);
  write(fs, headers);
  CHECK(refusal(fs, options) == "headers: header 3 at byte 240: does not follow the one before it");
  headers = good;
  headers[2].bits = 0x217fffff;  // easier than the limit
  write(fs, headers);
  CHECK(refusal(fs, options) == "headers: header 2 at byte 160: does not meet its proof of work");
  write(fs, good);
  fs.content("headers")->pop_back();
  CHECK(refusal(fs, options) == "headers: header 1099 at byte 87920: file ends within the header");
  fs.content("headers")->clear();
  CHECK(refusal(fs, options) == "headers: no headers");
  REQUIRE(fs.remove("headers"));
  CHECK_FALSE(HeaderChain::open(fs, "headers", options));
}

TEST_CASE("Litecoin's headers are checked by scrypt") {
  const Network regtest = *network_by_name("litecoin-regtest");
  bitcoin::BlockHeader genesis;
  genesis.version = 1;
  genesis.merkle_root =
      *hash_from_hex_reversed("97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9");
  genesis.time_s = 1296688602;
  genesis.bits = 0x207fffff;
  MemoryFs fs;
  const auto headers = make_headers(regtest, 12, genesis);
  write(fs, headers);
  CHECK(refusal(fs, {regtest, 0, {}, 1}).empty());
  Network sha = regtest;
  sha.proof_of_work = ProofOfWork::sha256d;
  CHECK_FALSE(refusal(fs, {sha, 0, {}, 1}).empty());
}

TEST_CASE("the difficulty and the times that the chain's rules ask for are checked") {
  // A network with rules whose work a test can do; the rules themselves have tests of their own.
  Network network = dir();
  network.trivial = false;
  bitcoin::BlockHeader first;
  first.bits = 0x201fffff;
  first.time_s = 1'700'000'000;
  mine(network, first);
  auto network_bits = network;
  network_bits.easiest_bits = first.bits;
  const auto good = make_headers(network_bits, 40, first);
  HeaderChainOptions options{network, 1000, bitcoin::block_hash(first), 1};
  MemoryFs fs;
  write(fs, good);
  CHECK(refusal(fs, options).empty());
  const auto with = [&](std::size_t at, auto change) {
    auto headers = good;
    change(headers[at]);
    for (std::size_t i = at; i < headers.size(); ++i) {
      headers[i].previous = bitcoin::block_hash(headers[i - 1]);
      mine(network, headers[i]);
    }
    write(fs, headers);
    return refusal(fs, options);
  };
  CHECK(with(20, [](bitcoin::BlockHeader& header) { header.bits = 0x207fffff; }) ==
        "headers: header 20 at byte 1600: its difficulty is 207fffff where the rules ask for "
        "201fffff");
  CHECK(
      with(20, [](bitcoin::BlockHeader& header) { header.time_s -= 10; }) ==
      "headers: header 20 at byte 1600: its time is not after the median of the eleven before it");
}
