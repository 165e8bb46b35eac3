#!/usr/bin/env bash
# Forks, gaps and other people's links: refused with the number of the link, exit 1, no END.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py
no_end() { "$stream" list out | grep -q END && fail "END after a refusal"; true; }

twin-key new node || fail "new"
"$stream" make --count 5 | hashchain --key node.key --state state >b.twin || fail "first run"

"$stream" make --first 3 --count 4 --content other >a.twin
expect_exit 1 hashchain --key node.key --state state <a.twin
expect_stderr 'frame 3 of source engine-1 at byte'
expect_stderr ': link 3 has sealed other data, refusing to fork the chain'
no_end

"$stream" make --first 7 --count 2 >a.twin
expect_exit 1 hashchain --key node.key --state state <a.twin
expect_stderr 'source engine-1: link 4 is the newest, but the input begins with frame 7 at byte'
expect_stderr 'frames 5 to 6 are missing'
expect_stderr '--accept-loss puts the loss itself on record'
no_end

"$stream" make --first 7 --count 2 >a.twin
expect_exit 1 hashchain --key node.key <a.twin
expect_stderr 'source engine-1 has no link yet, but the input begins with frame 7'
expect_stderr 'hashchain: hint: --state DIR continues the chain of an earlier run'

# The loss is on record, and the run says so with its exit code.
expect_exit 3 hashchain --key node.key --state state --accept-loss <a.twin
expect_stderr 'hashchain: note: 2 lost windows are sealed as lost'
cat b.twin out >all.twin
[ "$("$stream" check all.twin)" = 9 ] || fail "chain with lost windows"
[ "$("$stream" field out 5 flags) $("$stream" field out 6 flags) $("$stream" field out 7 flags)" = "1 1 0" ] ||
  fail "flags of lost windows"
# Data that turns up later cannot take the place of what was declared lost.
"$stream" make --first 5 --count 1 >a.twin
expect_exit 1 hashchain --key node.key --state state <a.twin
expect_stderr 'link 5 has sealed this window as lost'

# A gap inside one input.
{ "$stream" make --first 9 --count 1 && "$stream" make --first 11 --count 1; } >a.twin
expect_exit 1 hashchain --key node.key --state state <a.twin
expect_stderr 'link 9 is the newest, but the input goes on with frame 11'
expect_stderr 'frame 10 is missing'

# Sealed already, by a chain that is not ours.
expect_exit 1 hashchain --key node.key <b.twin
expect_stderr 'LINK frame 0 of source engine-1 at byte'
expect_stderr 'the input is sealed already'
no_end
exit 0
