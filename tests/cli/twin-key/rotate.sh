#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

twin-key new node || fail "new"
cp node.key before.key
cp node.pub before.pub
next_secret=$(sed -n 's/^next-secret: //p' node.key)
expect_exit 0 twin-key rotate node
expect_no_stderr
[ "$(sed -n 's/^epoch: //p' node.key)" = 1 ] || fail "epoch"
[ "$(sed -n 's/^secret: //p' node.key)" = "$next_secret" ] || fail "the successor does not sign"
[ "$(stat -c %a node.key)" = 600 ] || fail "mode"
grep -q "$next_secret" before.key || fail "test is wrong"
grep -rq "$(sed -n 's/^secret: //p' before.key)" --include='node*' . && fail "old secret still there"
[ "$(grep -c '^key:' node.pub)" = 2 ] || fail "epochs in node.pub"
head -n 3 node.pub | cmp - before.pub || fail "history of node.pub"
expect_exit 0 twin-key show node
expect_stdout 'epoch:         1'
expect_stdout 'earlier key:   epoch 0, id '

# A rotation cut short between its two files is finished, not repeated.
cp node.key now.key
cp before.pub node.pub
expect_exit 0 twin-key rotate node
expect_stderr 'twin-key: note: finished the rotation to epoch 1 that had been interrupted, and began no other'
expect_same node.key now.key
[ "$(grep -c '^key:' node.pub)" = 2 ] || fail "node.pub was not mended"
expect_exit 0 twin-key rotate node
[ "$(grep -c '^key:' node.pub)" = 3 ] || fail "next rotation"

# What does not belong together is left alone.
twin-key new other || fail "new"
cp other.pub node.pub
cp node.key now.key
expect_exit 1 twin-key rotate node
expect_stderr 'twin-key: error: node.key and node.pub do not belong together'
expect_same node.key now.key
expect_same node.pub other.pub
rm other.pub
expect_exit 5 twin-key rotate other

# --state asks the chains first.
mkdir empty
twin-key new fresh || fail "new"
expect_exit 2 twin-key rotate fresh --state empty
expect_stderr 'twin-key: error: empty holds no sealing state'
[ "$(sed -n 's/^epoch: //p' fresh.key)" = 0 ] || fail "rotated all the same"

# One rotation at a time.
exec 9>fresh.lock
flock 9 || fail "flock"
expect_exit 5 twin-key rotate fresh
expect_stderr 'in use by another process'
flock -u 9
expect_exit 0 twin-key rotate fresh
exit 0
