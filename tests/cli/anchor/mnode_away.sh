#!/usr/bin/env bash
# A node of a network of one's own that is not there, and what is wrong before anybody is asked.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
twin-tx key payer >public || fail "key"
mnode genesis --name anchors --fund "1000000000:$(cat public)" a.net >a.id || fail "genesis"
port=$(free_port)
node=mnode:127.0.0.1:$port

# Away: after the time-out the stream is complete, without the anchor.
hashchain --key node.key --state state-b <(record lorry-8 0 2) >b.twin 2>err || fail "seal"
expect_exit 6 anchor --ledger "$node" --network a.net --timeout 1s -o c.twin b.twin
expect_stderr "127.0.0.1:$port"
expect_same b.twin c.twin
expect_exit 6 anchor headers --ledger "$node" --network a.net --timeout 1s a.headers
expect_exit 6 verify --key node.pub --ledger "$node" --timeout 1s a.twin
# Another ledger that has the blocks is enough.
expect_exit 0 verify --key node.pub --ledger "$node" --ledger dir:ledger a.twin

# Refused before anybody is asked.
expect_exit 2 anchor --ledger mnode:127.0.0.1 b.twin
expect_stderr 'not a ledger: mnode:127.0.0.1'
expect_stderr 'mnode:HOST:PORT'
expect_exit 2 anchor --ledger "$node" --network public b.twin
expect_stderr 'public: parameters'
expect_exit 2 verify --ledger "$node" --network nowhere a.twin
expect_stderr 'unknown network nowhere'
sed 's/^spacing = .*/spacing = 11s/' a.net >changed.net
expect_exit 2 verify --ledger "$node" --network changed.net a.twin
expect_stderr 'the genesis hash does not belong to these rules'
expect_exit 2 verify --network a.net a.twin
expect_stderr '--network and --checkpoint need --headers'

# Blocks of no network, and of none at all.
expect_exit 2 verify blocks --chain b.twin b.twin
expect_stderr '--network FILE names the network'
expect_exit 7 verify blocks --chain b.twin --network a.net b.twin
expect_stdout 'unproven: 0 of '
expect_stdout "no block of mnode-$(tail -c 9 a.id)"
expect_exit 7 verify blocks --json --chain b.twin --network a.net b.twin
jq -e '.found == 0 and .first == null and .verdict == "unproven"' out >/dev/null || fail "JSON"
