#!/usr/bin/env bash
# A record on chain through pipes, as twinchain(7) says, and back out of the store bit for bit; and what a
# filter says when its input or its peer fails.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

twin-key new node >/dev/null || fail "twin-key"
twin-tx key payer >payer.id || fail "twin-tx key"
mnode genesis --name pipes --spacing 1s --fund "100000000000:$(cat payer.id)" pipes.net >network.id ||
  fail "genesis"
mnode run --network pipes.net --dir node --listen 127.0.0.1:0 --metrics 127.0.0.1:0 >node.out 2>node.err &
stop_on_exit $!
node=$!
wait_for 30 grep -q '^node key' node.out || fail "the node does not start: $(cat node.err)"
address=$(sed -n 's/^listening on //p' node.out)
figures=$(sed -n 's/^figures on //p' node.out)

python3 -c '
print("time,egt,n1")
for i in range(5000): print(f"{1700000000 + i / 1000:.3f},{500 + i % 7},{90 + i % 3}")' >in.csv
twin-record --format csv --source engine-1 --every 1s --clock data <in.csv 2>/dev/null |
  hashchain --key node.key | tee sealed.twin | twin-tx --to "$address" --each 2>tx.err || fail "pipe: $(cat tx.err)"
expect_exit 0 mnode status "$address"
expect_stdout 'pool: 11 transactions'

for i in 1 2 3; do
  mnode list "$address" | mine-skeleton --threads 2 2>/dev/null | assemble --peer "$address" 2>assemble.err |
    store put chain/ 2>store.err || fail "round $i: $(cat assemble.err store.err)"
done
expect_exit 0 mnode status --json "$address"
expect_stdout '"height":3,'
expect_stdout '"accepted":11,"refused":0,"scripts_verified":11,"scripts_verified_in_blocks":0'
expect_stdout '"assembled":3,"skeletons_given_up":0'
curl -sf "http://$figures/metrics" >out || fail "no figures"
expect_stdout 'twinchain_tip_height 3'
store get chain/ >blocks.twin || fail "store get"
expect_exit 0 twin-tx extract --network pipes.net blocks.twin
expect_same out sealed.twin
expect_exit 0 twin-tx extract --from "$address"
expect_same out sealed.twin
expect_exit 0 verify blocks --chain blocks.twin --network pipes.net --min-depth 3 sealed.twin

# With a folder it goes on where it was; the network's rules are known then.
mnode list "$address" | mine-skeleton --threads 1 2>/dev/null >skeleton.twin || fail "mine"
expect_exit 0 assemble --peer "$address" --dir full skeleton.twin
cp out new.twin
expect_exit 0 store put chain/ new.twin
expect_exit 0 mnode status "$address"
expect_stdout 'tip: height 4,'

# A block that is known already is no fault.
expect_exit 0 assemble --peer "$address" --dir full --no-output skeleton.twin
[ ! -s out ] || fail "output although none was wanted"

# A cut input: what was whole is done, and the exit code tells.
mnode list "$address" | mine-skeleton --threads 1 2>/dev/null >next.twin || fail "mine"
head -c $(($(stat -c %s next.twin) - 40)) next.twin >cut.twin
expect_exit 4 assemble --peer "$address" --dir full cut.twin
expect_stderr 'assemble: error: byte '

# Work of another network is refused by its NETWORK frame.
mnode genesis --name others --time @1700000000 others.net >/dev/null 2>&1 || fail "genesis"
expect_exit 1 mnode list --network others.net "$address"
expect_exit 2 assemble --peer "$address" --dir full --network others.net skeleton.twin
expect_stderr 'a node of another network'

# Nobody there.
kill "$node"
wait "$node" || fail "the node ended by a signal with an error"
expect_exit 6 mnode list "$address"
expect_exit 6 mnode status "$address"

# What was in the node's pool and chain is there after a restart.
mnode run --dir node --listen "$address" >again.out 2>again.err &
stop_on_exit $!
again=$!
wait_for 30 grep -q '^node key' again.out || fail "the node does not start again: $(cat again.err)"
expect_exit 0 mnode status "$address"
expect_stdout 'tip: height 5,'
expect_exit 5 mnode run --dir node --listen 127.0.0.1:0
expect_stderr 'in use'
kill -9 "$again" && wait "$again" 2>/dev/null
mnode run --dir node --listen "$address" >third.out 2>third.err &
stop_on_exit $!
wait_for 30 grep -q '^node key' third.out || fail "the node does not start after SIGKILL: $(cat third.err)"
expect_exit 0 mnode status "$address"
expect_stdout 'tip: height 5,'
