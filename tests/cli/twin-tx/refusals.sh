#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

expect_exit 0 twin-tx key payer
expect_exit 0 mnode genesis --name engines --fund "5000:$(cat out)" engines.net
printf 'time,v\n2026-01-01T00:00:00Z,1\n' >in.csv
expect_exit 0 twin-record --format csv --source s --every 1s --clock data in.csv
cp out a.twin

expect_exit 2 twin-tx a.twin
expect_stderr 'twin-tx: error: --to HOST:PORT is missing'
expect_exit 2 twin-tx --to 127.0.0.1:1 --batch large a.twin
expect_stderr '--batch: not a size: large'
expect_exit 2 twin-tx --to 127.0.0.1:1 --every 10 a.twin
expect_stderr '--every: not a duration: 10'
expect_exit 2 twin-tx --to 127.0.0.1:1 --patience 10 a.twin
expect_stderr '--patience: not a duration'
expect_exit 5 twin-tx --to 127.0.0.1:1 --key nobody a.twin
expect_stderr 'nobody.key'
expect_exit 2 twin-tx --to 127.0.0.1:1 --network a.twin a.twin
expect_stderr 'a.twin: parameters'
expect_exit 5 twin-tx --to 127.0.0.1:1 missing.twin
expect_stderr 'missing.twin'
# Nobody listens there: an error after the patience, and no state was made.
expect_exit 6 twin-tx --to "127.0.0.1:$(free_port)" --patience 200ms a.twin
[ ! -e twin-tx.state ] || fail "a state without a node"

# extract: whose blocks are these?
expect_exit 2 twin-tx extract a.twin
expect_stderr 'no NETWORK frame says whose blocks these are'
expect_stderr 'twin-tx: hint: --network FILE names the network'
# A network without any block but the first: an empty stream.
expect_exit 0 twin-tx extract --network engines.net a.twin
expect_no_stderr
cp out empty.twin
expect_exit 0 frames ls empty.twin
[ ! -s out ] || fail "frames: $(cat out)"
expect_exit 4 twin-tx extract --network engines.net in.csv
expect_exit 2 twin-tx extract --network engines.net --payer 12 a.twin
expect_stderr '--payer: not a public key'
expect_exit 2 twin-tx extract --from 127.0.0.1:1 a.twin
expect_exit 6 twin-tx extract --from "127.0.0.1:$(free_port)"
# Cut short: what was read is written, without END.
head -c 200 a.twin >cut.twin
expect_exit 4 twin-tx extract --network engines.net -o cut.out cut.twin
[ "$(wc -c <cut.out)" = 8 ] || fail "more than a preamble"
