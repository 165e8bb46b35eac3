#!/usr/bin/env bash
# The demonstration of a network, shortened: nodes are killed, the network is cut in two and heals, and
# every full node's chain holds all that was recorded.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
need ip
ip netns add "tw-try-$$" 2>/dev/null || skip "no network namespaces here"
ip netns delete "tw-try-$$"
DEMO_SECONDS=${DEMO_SECONDS:-6} DEMO_CUT_SECONDS=${DEMO_CUT_SECONDS:-10} BUILD=$TWINCHAIN_BUILD \
  bash "$TWINCHAIN_SOURCE/scripts/network-demo" demo >out 2>err || fail "the demonstration failed: $(tail -n 5 out)"
expect_stdout 'full node 7023: '
expect_stdout 'blocks taken back: '
expect_stdout 'all that was recorded is in the chain of every full node'
! grep -q SKIPPED out || fail "a part was left out"
