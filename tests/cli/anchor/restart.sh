#!/usr/bin/env bash
# kill -9 at any moment and a restart with the same state: never a second transaction for a link.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet
"$links" --count 3 >b.twin

# Killed at moments between the start and well after the publication.
for delay in 0.01 0.03 0.06 0.1 0.2 0.5 1; do
  anchor_start b.twin c.twin --state state --depth 2
  sleep "$delay"
  kill -9 $anchor_pid 2>/dev/null
  wait $anchor_pid 2>/dev/null
done
anchor_start b.twin c.twin --state state --depth 2
wait_for 30 mempool_has 1 || fail "nothing was published"
kill -9 $anchor_pid
wait $anchor_pid 2>/dev/null
expect_published 1

# Killed again with one of two blocks; the block comes while nobody looks.
mine 2
expect_exit 0 anchor_node --state state --depth 2 <b.twin
expect_published 1
expect_anchors 1 out
expect_end out
mv out first.twin

# The link comes again, perhaps because what was behind us lost it: the same frame again.
expect_exit 0 anchor_node --state state --depth 2 <b.twin
expect_same first.twin out
expect_published 1

# Later links of the same chain: those before the anchored one are covered by it.
"$links" --count 2 >earlier.twin
expect_exit 0 anchor_node --state state --depth 1 <earlier.twin
expect_published 1
"$links" --first 3 --count 2 >later.twin
expect_exit 7 anchor_node --state state --no-wait <later.twin
expect_stderr 'link 4 of source'
expect_published 2
mine 6

# What matured since comes with any stream of that source, or without a stream.
expect_exit 7 anchor_node --state state </dev/null --collect --depth 7 --timeout 1s
expect_anchors 1 out # the one emitted before
expect_exit 0 anchor_node --state state --collect </dev/null
expect_anchors 2 out
expect_end out
expect_published 2

# One writer at a time.
mkfifo pipe
anchor_start pipe other.twin --state state
exec 9>pipe
sleep 1
expect_exit 5 anchor_node --state state <b.twin
expect_stderr 'in use by another process'
