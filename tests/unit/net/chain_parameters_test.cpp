#include "twinchain/net/chain_parameters.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "unit/net/network_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// The file with each line that begins with `name` replaced.
std::string with(std::string text, std::string_view name, std::string_view line) {
  const std::size_t at = text.find("\n" + std::string(name) + " = ") + 1;
  REQUIRE(at != 0);
  text.replace(at, text.find('\n', at) - at, line);
  return text;
}

}  // namespace

TEST_CASE("parameters: what is written is read back") {
  const ChainParameters made = parameters_for_tests();
  const auto read = parse_parameters(as_bytes(format_parameters(made)));
  REQUIRE(read);
  CHECK(*read == made);
  CHECK(genesis_hash(*read) == genesis_hash(made));
  CHECK(format_parameters(*read) == format_parameters(made));
}

TEST_CASE("parameters: the genesis block is a block, with the fundings as its outputs") {
  const ChainParameters parameters = parameters_for_tests();
  const bitcoin::Block genesis = genesis_block(parameters);
  CHECK(bitcoin::check_block(genesis));
  CHECK(bitcoin::coinbase_height(genesis.transactions[0]) == 0U);
  CHECK(genesis.transactions[0].outputs == parameters.fundings);
  CHECK(genesis.transactions[0].inputs[0].script_sig.size() <= 100);
  CHECK(bitcoin::check_proof_of_work(bitcoin::ProofOfWork::sha256d,
                                     bitcoin::serialize(genesis.header),
                                     parameters.easiest_target()));
  ChainParameters poor = parameters;
  poor.fundings.clear();
  CHECK(bitcoin::check_block(genesis_block(poor)));
  poor.genesis_message = std::string(max_message_bytes, 'm');
  CHECK(genesis_block(poor).transactions[0].inputs[0].script_sig.size() <= 100);
}

TEST_CASE("parameters: each rule makes another network, the fee rate does not") {
  const ChainParameters base = parameters_for_tests();
  const auto differs = [&](auto change) {
    ChainParameters other = base;
    change(other);
    return genesis_hash(other) != genesis_hash(base);
  };
  CHECK(differs([](ChainParameters& p) { p.name += "x"; }));
  CHECK(differs([](ChainParameters& p) { ++p.magic; }));
  CHECK(differs([](ChainParameters& p) { ++p.spacing_s; }));
  CHECK(differs([](ChainParameters& p) { ++p.half_life_s; }));
  CHECK(differs([](ChainParameters& p) { --p.easiest_bits; }));
  CHECK(differs([](ChainParameters& p) { ++p.subsidy_sat; }));
  CHECK(differs([](ChainParameters& p) { ++p.halving_interval; }));
  CHECK(differs([](ChainParameters& p) { ++p.coinbase_maturity; }));
  CHECK(differs([](ChainParameters& p) { ++p.block_limit_bytes; }));
  CHECK(differs([](ChainParameters& p) { --p.transaction_limit_bytes; }));
  CHECK(differs([](ChainParameters& p) { p.data_tag.push_back('X'); }));
  CHECK(differs([](ChainParameters& p) { ++p.genesis_time_s; }));
  CHECK(differs([](ChainParameters& p) { p.genesis_message += "x"; }));
  CHECK(differs([](ChainParameters& p) { ++p.fundings[0].value_sat; }));
  CHECK_FALSE(differs([](ChainParameters& p) { ++p.min_fee_rate_sat; }));
}

TEST_CASE("parameters: subsidy and fees") {
  ChainParameters parameters = parameters_for_tests();
  parameters.subsidy_sat = 100;
  parameters.halving_interval = 10;
  CHECK(parameters.block_subsidy_sat(0) == 100);
  CHECK(parameters.block_subsidy_sat(9) == 100);
  CHECK(parameters.block_subsidy_sat(10) == 50);
  CHECK(parameters.block_subsidy_sat(69) == 1);
  CHECK(parameters.block_subsidy_sat(70) == 0);
  CHECK(parameters.block_subsidy_sat(0xffffffff) == 0);
  parameters.min_fee_rate_sat = 10;
  CHECK(parameters.min_fee_sat(0) == 0);
  CHECK(parameters.min_fee_sat(1) == 1);
  CHECK(parameters.min_fee_sat(100) == 1);
  CHECK(parameters.min_fee_sat(101) == 2);
}

TEST_CASE("parameters: bad files are refused with the line") {
  const std::string good = format_parameters(parameters_for_tests());
  const auto refused = [](const std::string& text, std::string_view message) {
    const auto parsed = parse_parameters(as_bytes(text));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::usage);
    CAPTURE(parsed.error().message);
    CHECK(parsed.error().message.find(message) != std::string::npos);
  };
  REQUIRE(parse_parameters(as_bytes(good)));
  refused("", "parameters: name is missing");
  refused("hello", "line 1: \"name = value\" is expected");
  refused("\n\ncolour = red\n", "line 3: unknown name colour");
  refused("name =\n", "line 1: name has no value");
  refused(with(good, "magic", "magic = 12"), "line 3: magic: 8 hexadecimal digits");
  refused(with(good, "magic", "name = x"), "line 3: name is said twice");
  refused(with(good, "magic", "# gone"), "parameters: magic is missing");
  refused(with(good, "difficulty", "difficulty = bitcoin"), "line 4: difficulty: asert");
  refused(with(good, "spacing", "spacing = 1500ms"), "line 5: spacing: a duration of whole");
  refused(with(good, "spacing", "spacing = 0s"), "the spacing must be");
  refused(with(good, "half-life", "half-life = 1s"), "the half-life must be");
  refused(with(good, "easiest-target", "easiest-target = 20ffffff"), "the easiest target is not");
  refused(with(good, "subsidy", "subsidy = -1"), "line 8: subsidy: a number");
  refused(with(good, "subsidy", "subsidy = 2100000000000001"), "the subsidy is out of range");
  refused(with(good, "halving", "halving = 0"), "the halving interval is 0");
  refused(with(good, "halving", "halving = 4294967296"), "line 9: halving: a number");
  refused(with(good, "maturity", "maturity = 1000001"), "the maturity");
  refused(with(good, "block-size-limit", "block-size-limit = 2GiB"), "the block size limit");
  refused(with(good, "transaction-size-limit", "transaction-size-limit = 33MiB"),
          "the transaction size limit");
  refused(with(good, "data-tag", "data-tag = A B"), "the data tag");
  refused(with(good, "fund", "fund = 12"), "fund: a value in satoshi and a script");
  refused(with(good, "fund", "fund = 0 51"), "the fundings' values");
  refused(with(good, "fund", "fund = 2100000000000000 51\nfund = 1 51"), "the fundings' values");
  refused(with(good, "maturity", "maturity = 99"), "the genesis hash does not belong");
  refused(with(good, "genesis-hash", "genesis-hash = 12"), "64 hexadecimal digits");
  refused(std::string(max_parameters_file_bytes + 1, '#'), "longer than such a file");
  // A genesis whose hash is named rightly, but does not meet the target.
  ChainParameters lazy = parameters_for_tests();
  while (bitcoin::meets_target(genesis_hash(lazy), lazy.easiest_bits, lazy.easiest_target())) {
    ++lazy.genesis_nonce;
  }
  refused(format_parameters(lazy), "does not meet its proof of work");
  // The fee rate is each node's own.
  CHECK(parse_parameters(as_bytes(with(good, "minimum-fee-rate", "minimum-fee-rate = 77"))));
}

TEST_CASE("parameters: mining the genesis can be stopped, and moves the time on") {
  ChainParameters parameters = parameters_for_tests();
  parameters.easiest_bits = 0x1a00ffff;
  CHECK_FALSE(mine_genesis(parameters, [] { return true; }));
}

TEST_CASE("parameters: the script that pays to a key") {
  // The generator point's key; its hash is a known one.
  const auto key = from_hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
  CHECK(to_hex(pay_to_key_hash_script(*key)) ==
        "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac");
}
