#!/usr/bin/env bash
# --acknowledge: the recorder forgets what is durable on its way to the chain, and nothing else; over a payer
# that is killed and a node that goes away, all of it is on chain once.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

twin-key new node >/dev/null || fail "twin-key"
twin-tx key payer >payer.id || fail "twin-tx key"
mnode genesis --name spools --spacing 1s --fund "100000000000:$(cat payer.id)" spools.net >network.id || fail "genesis"
mnode run --network spools.net --dir node --listen 127.0.0.1:0 >node.out 2>node.err &
stop_on_exit $!
node=$!
wait_for 30 grep -q '^node key' node.out || fail "the node does not start: $(cat node.err)"
address=$(sed -n 's/^listening on //p' node.out)
id=$(printf engine-1 | sha256sum | head -c 32)
acknowledged() { # NEXT: what the spool's file says
  [ "$(cat spool/acknowledged)" = "$id $1" ] || fail "acknowledged: $(cat spool/acknowledged) instead of $1"
}
seal() { hashchain --key node.key --state state; }

record engine-1 0 4 --spool spool | seal | twin-tx --to "$address" --acknowledge spool 2>tx.err ||
  fail "pipeline: $(cat record.err tx.err)"
acknowledged 4
# The next run sends nothing of it again. Cut off before its last link, the last window is not acknowledged.
record engine-1 4 2 --spool spool | seal >more.twin || fail "record: $(cat record.err)"
frames ls more.twin >list
grep -q ' DATA engine-1 3 ' list && fail "sent again: $(cat list)"
grep -q ' DATA engine-1 4 ' list || fail "$(cat list)"
head -c "$(where more.twin LINK:5)" more.twin >cut.twin
expect_exit 4 twin-tx --to "$address" --acknowledge spool cut.twin
acknowledged 5

# Without a node: what is durable in the state is acknowledged, although the command fails.
mkfifo input
{ sleep 2; cat more.twin; } >input &
twin-tx --to "$address" --acknowledge spool --patience 1s input >/dev/null 2>away.err &
payer=$!
# It has spoken with the node when it opens its state.
wait_for 30 is_locked twin-tx.state/lock || fail "the payer does not begin: $(cat away.err)"
kill -9 "$node"
wait "$node" 2>/dev/null
wait "$payer"
code=$?
[ "$code" = 6 ] || fail "exit $code: $(cat away.err)"
acknowledged 6

mnode run --network spools.net --dir node --listen "$address" >node.out 2>node.err &
stop_on_exit $!
wait_for 30 grep -q '^node key' node.out || fail "the node does not start again: $(cat node.err)"
record engine-1 6 2 --spool spool | seal | twin-tx --to "$address" --acknowledge spool 2>tx.err ||
  fail "pipeline: $(cat record.err tx.err)"
acknowledged 8
mnode list "$address" | mine-skeleton --threads 2 2>/dev/null | assemble --peer "$address" >blocks.twin 2>assemble.err ||
  fail "mine: $(cat assemble.err)"
expect_exit 0 twin-tx extract --network spools.net blocks.twin
cp out all.twin
expect_types "DATA 8 LINK 8 REJECT 1 SCHEMA 3" all.twin
# Between the runs nothing was recorded: two gaps, and nothing else that is missing.
expect_exit 3 verify --offline --key node.pub all.twin
expect_stdout '8 windows proven, 0 silent, 0 lost, 2 gaps'

# A folder that is not there.
expect_exit 2 twin-tx --to "$address" --acknowledge nowhere more.twin
expect_stderr 'twin-tx: error: no folder nowhere to acknowledge to'
exit 0
