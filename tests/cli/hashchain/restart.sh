#!/usr/bin/env bash
# --state: one chain over many runs; frames that come again get the same links again.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py

twin-key new node || fail "new"
for first in 0 3 8 8 11; do
  "$stream" make --first $first --count 5 | hashchain --key node.key --state state >part.twin ||
    fail "run from $first"
  cat part.twin >>all.twin
done
[ "$("$stream" check all.twin)" = 16 ] || fail "not one chain of 16"

# Without END in the input there is none in the output, and the next run goes on.
"$stream" make --first 16 --count 2 --no-end >cut.twin
expect_exit 4 hashchain --key node.key --state state <cut.twin
expect_stderr 'input truncated at byte'
expect_stderr 'ends without an END frame'
cat out >>all.twin
"$stream" list out | grep -q END && fail "END after a fault"
[ "$("$stream" check all.twin)" = 18 ] || fail "links before the cut"

# What is sealed comes out as it went in.
"$stream" make --count 18 | hashchain --key node.key --state state >once.twin || fail "again"
expect_exit 0 hashchain --key node.key --state state <once.twin
expect_same once.twin out

# A torn end of the state is passed over.
printf 'torn by a power cut' >>"$(echo state/chain-*.links)"
"$stream" make --first 18 --count 1 >more.twin
expect_exit 0 hashchain --key node.key --state state <more.twin
expect_stderr 'hashchain: note: state state: passed over 19 bytes'
cat out >>all.twin
[ "$("$stream" check all.twin)" = 19 ] || fail "after a torn end"

# Damage is not: sealing on would fork the chain. Here it is the checkpoint; that of links is tested
# byte by byte in tests/unit/chain.
python3 - state/chain-*.links <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(9)
    file.write(b"\x55")
END
expect_exit 4 hashchain --key node.key --state state <more.twin
expect_stderr 'checkpoint does not fit its file'
expect_stderr 'hashchain: hint: take the folder from a backup'
exit 0
