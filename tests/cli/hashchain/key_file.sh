#!/usr/bin/env bash
# Keys that cannot be used are refused before any input is read.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py

twin-key new node || fail "new"
"$stream" make >a.twin
chmod 640 node.key
expect_exit 2 hashchain --key node.key <a.twin
expect_stderr 'hashchain: error: node.key: others can read or change this secret key'
expect_stderr 'hashchain: hint: chmod 600 node.key'
[ ! -s out ] || fail "output without a key"
chmod 600 node.key
expect_exit 5 hashchain --key nobody <a.twin
expect_stderr 'nobody.key'
sed -i 's/^secret: ./secret: x/' node.key
expect_exit 4 hashchain --key node.key <a.twin
expect_stderr 'node.key: line 4: "secret: 64 hex digits" expected'
cp node.pub wrong.key
chmod 600 wrong.key
expect_exit 4 hashchain --key wrong.key <a.twin
expect_stderr 'wrong.key: line 1: not a twinchain secret key'

# A long run goes on with the key it has when the file becomes unreadable, and says so.
rm node.key node.pub
twin-key new node || fail "new"
mkfifo in
hashchain --key node.key <in >b.twin 2>err &
pid=$!
stop_on_exit $pid
exec 3>in
sealed() { [ "$("$stream" list b.twin | grep -c LINK)" = "$1" ]; }
"$stream" make --count 1 --no-end >&3
wait_for 10 sealed 1 || fail "first frame"
mv node.key away.key
"$stream" make --first 1 --no-schema | tail -c +9 >&3
exec 3>&-
wait $pid
sealed 2 || fail "second frame"
expect_stderr 'hashchain: warning: '
expect_stderr 'sealing goes on with the key of epoch 0'
exit 0
