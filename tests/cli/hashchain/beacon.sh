#!/usr/bin/env bash
# --beacon: the newest block goes into the links; sealing never depends on it.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py

twin-key new node || fail "new"
"$stream" make --count 2 >a.twin

# Not there yet: said once, and sealed all the same.
expect_exit 0 hashchain --key node.key --state state --beacon dir:ledger <a.twin
expect_stderr 'hashchain: warning: beacon: '
[ "$("$stream" field out 1 network)" = 0 ] || fail "a beacon from nowhere"
mv out b.twin

expect_exit 0 anchor --ledger dir:ledger <b.twin
"$stream" make --first 2 --count 2 >a.twin
expect_exit 0 hashchain --key node.key --state state --beacon dir:ledger <a.twin
expect_no_stderr
[ "$("$stream" field out 3 network)" != 0 ] || fail "no beacon"
[ "$("$stream" field out 3 block_hash)" != "$(printf '0%.0s' {1..64})" ] || fail "no block hash"
[ "$("$stream" field out 3 height)" -gt 0 ] || fail "no height"

# A node that is away: the next ledger is asked.
port=$(free_port)
"$stream" make --first 4 --count 1 >a.twin
expect_exit 0 hashchain --key node.key --state state --beacon "bitcoin:http://127.0.0.1:$port" \
  --beacon dir:ledger <a.twin
[ "$("$stream" field out 4 network)" != 0 ] || fail "second ledger not asked"

# A node that answers nothing holds nobody up for more than a moment.
python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(60)' "$port" &
stop_on_exit $!
"$stream" make --first 5 --count 1 >a.twin
began=$SECONDS
expect_exit 0 hashchain --key node.key --state state --beacon "bitcoin:http://127.0.0.1:$port" <a.twin
[ $((SECONDS - began)) -lt 8 ] || fail "waited for the node"
[ "$("$stream" field out 5 network)" = 0 ] || fail "a beacon from nowhere"

expect_exit 2 hashchain --key node.key --beacon carrier-pigeon:x <a.twin
expect_stderr 'hashchain: error: not a ledger: carrier-pigeon:x'
exit 0
