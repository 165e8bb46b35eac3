#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# A key is made once, readable by its owner only, and its public half is what mnode genesis takes.
expect_exit 0 twin-tx key payer
expect_no_stderr
grep -qx '0[23][0-9a-f]\{64\}' out || fail "no public key: $(cat out)"
[ "$(stat -c %a payer.key)" = 600 ] || fail "mode $(stat -c %a payer.key)"
[ "$(head -n 1 payer.key)" = 'twinchain payer key 1' ] || fail "title"
[ "$(wc -c <payer.key)" = 87 ] || fail "size"
cp out public
cp payer.key saved
expect_exit 2 twin-tx key payer
expect_stderr 'twin-tx: error: payer.key is there already, keys are never overwritten'
expect_same payer.key saved
for name in payer payer.key; do
  expect_exit 0 twin-tx public "$name"
  expect_same out public
done
expect_exit 0 mnode genesis --name engines --fund "5000:$(cat public)" engines.net
[ "$(grep -c '^fund = 5000 76a914' engines.net)" = 1 ] || fail "not funded"

# What others can read is no secret.
chmod 644 payer.key
expect_exit 2 twin-tx public payer
expect_stderr 'payer.key: others can read or change this secret key'
expect_stderr 'twin-tx: hint: chmod 600 payer.key'
chmod 600 payer.key

# A key of another kind is no payer's.
expect_exit 0 twin-key new node
expect_exit 2 twin-tx public node
expect_stderr "twin-tx: error: node.key: not a payer's key"
expect_exit 5 twin-tx public nobody
expect_stderr 'nobody.key'
