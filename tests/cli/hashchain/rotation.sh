#!/usr/bin/env bash
# Keys change under a running chain, and under one that is restarted.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py

twin-key new node || fail "new"
mkfifo in
hashchain --key node.key --state state <in >b.twin 2>err &
pid=$!
stop_on_exit $pid
exec 3>in
"$stream" make --count 1 --no-end >&3
sealed() { [ "$("$stream" list b.twin | grep -c LINK)" = "$1" ]; }
wait_for 10 sealed 1 || fail "a frame was not sealed at once"

# A look at the state beside the writer, and a second writer.
expect_exit 0 hashchain --status --state state
expect_stdout 'link 0'
"$stream" make --count 1 >a.twin
expect_exit 5 hashchain --key node.key --state state <a.twin
expect_stderr 'state is in use by another process'

expect_exit 0 twin-key rotate node --state state
expect_no_stderr
expect_exit 1 twin-key rotate node --state state
expect_stderr 'link 0 is not signed by the key of epoch 1; rotating now would cut its chain off'
"$stream" make --first 1 --count 1 --no-schema --no-end | tail -c +9 >&3
wait_for 10 sealed 2 || fail "second frame"
[ "$("$stream" field b.twin 1 epoch)" = 1 ] || fail "the running chain did not take the new key"
expect_exit 0 twin-key rotate node --state state
exec 3>&-
wait $pid
[ $? = 4 ] || fail "input without END"

"$stream" make --first 2 --count 2 | hashchain --key node.key --state state >c.twin || fail "restart"
[ "$("$stream" field c.twin 2 epoch)" = 2 ] || fail "epoch after the restart"
cat b.twin c.twin >all.twin
[ "$("$stream" check all.twin)" = 4 ] || fail "one chain over three keys"

# Twice without a link between is a cut, refused by both tools.
cp node.key saved.key
cp node.pub saved.pub
expect_exit 0 twin-key rotate node --state state
expect_exit 0 twin-key rotate node --state state --force
expect_stderr 'twin-key: warning: source'
"$stream" make --first 4 --count 1 >a.twin
expect_exit 1 hashchain --key node.key --state state <a.twin
expect_stderr 'link 3 is signed by the key of epoch 2; the key of epoch 4 is neither that key nor the successor it names'
expect_stderr 'rotated more than once'
mv saved.key node.key
mv saved.pub node.pub
expect_exit 0 hashchain --key node.key --state state <a.twin
exit 0
