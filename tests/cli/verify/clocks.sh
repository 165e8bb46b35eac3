#!/usr/bin/env bash
# Clocks that went back or were set: findings, no corruption, unless a policy refuses them. The links
# are sealed by their owner's key, as a machine with such a clock would have done it.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
key=$(grep -oE '[0-9a-f]{64}' node.pub | head -n 1)
printf 'signer = node %s\nclock = refuse\n' "$key" >refuse.txt
second=1000000000
# clock KIND SEQUENCE CHANGE...: a note on its own, refuted by the policy.
clock() {
  local kind=$1 sequence=$2
  shift 2
  "$tamper" sealed.twin changed.twin "$@" || fail "tamper.py $*"
  judge 0 - --key node.pub --offline changed.twin
  finds kind="$kind" severity=note sequence="$sequence" offset="$(where changed.twin "LINK:$sequence")"
  expect_exit 1 verify --policy refuse.txt --offline changed.twin
  grep -qE "^refuted: $kind: source engine-1, frames? $sequence" out || fail "policy: $(cat out)"
}

clock wall-clock-back 3 seal=LINK:3..,node.key,wall_ns,-$((3600 * second))
expect_stdout 'the wall clock went back by '
clock wall-clock-step 3 seal=LINK:3..,node.key,wall_ns,-$((3600 * second))
clock wall-clock-step 4 seal=LINK:4..,node.key,wall_ns,$((7200 * second))
grep -qE 'the wall clock was set forward by (2h|71999*[0-9]*ms) since the link before' out || fail "step"
clock monotonic-clock-back 3 seal=LINK:3..,node.key,monotonic_ns,-$((60 * second))
clock clock-drift 1 seal=LINK:1..,node.key,wall_ns,$((11 * second))
grep -qE 'wall and monotonic clock have come apart by (11s|1[01][0-9]{3}ms) since link 0' out || fail "drift"

# Windows that begin before the one before them has ended: second 0 was recorded after second 3.
record engine-1 3 1 >late.twin || fail "late"
record engine-1 0 1 >early.twin || fail "early"
"$tamper" early.twin early1.twin renumber=DATA:0,1
"$tamper" late.twin both.twin put=early1.twin,SCHEMA,DATA:0 put=early1.twin,DATA:1,SCHEMA
hashchain --key node.key <both.twin >sealed.twin || fail "hashchain"
clock window-overlap 1
expect_stdout 'the window begins before the one before it has ended'
exit 0
