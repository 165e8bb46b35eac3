#!/usr/bin/env bash
# The node is killed while anchor waits, and comes back: nothing is lost, nothing published twice.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet
"$links" >b.twin
anchor_start b.twin c.twin --depth 2
wait_for 30 mempool_has 1 || fail "nothing was published"
mine 1
node_kill
wait_for 30 grep -q 'trying again' err || fail "no word about the node"
# A node that starts writes a new cookie; it is read again.
node_start
wait_for 30 mempool_has 0 || fail "mempool"
mine 1
wait $anchor_pid || fail "exit $?"
grep -q 'works again after' err || fail "no word that the node is back"
expect_anchors 1 c.twin
expect_end c.twin
expect_published 1

# Stopped in between, with the transaction in its mempool only.
"$links" --source lorry-1 >b.twin
anchor_start b.twin c.twin --depth 1
wait_for 30 mempool_has 1 || fail "nothing was published"
node_stop
node_start
wait_for 30 mempool_has 1 || fail "the transaction did not come back"
mine 1
wait $anchor_pid || fail "exit $?"
expect_anchors 1 c.twin
expect_published 2

# Away for good: after the time-out the stream is complete, without the anchor.
node_stop
"$links" --source lorry-2 >b.twin
expect_exit 6 anchor_node --depth 1 --state state --timeout 2s <b.twin
expect_stderr 'error: '
expect_stderr 'run it again with the same --state to go on'
expect_same b.twin out
