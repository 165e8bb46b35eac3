#!/usr/bin/env bash
# Between which two blocks each frame was sealed: the beacon before, the anchor behind.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"
need jq

runs() {
  jq -r '[.sources[0].time_bounds[] | "\(.first)-\(.last):" + (.not_before | if . then "\(.network)/\(.height)/\(.confirmed)" else "-" end) + ":" +
    (.not_after | if . then "\(.network)/\(.height)/\(.confirmed)" else "-" end)] | join(" ")' report.json
}
expect_runs() { [ "$(runs)" = "$1" ] || fail "bounds: $(runs) instead of $1"; }

# Without beacons, anchored after link 2 and after link 5 (blocks 1 and 2).
make_record
judge 0 - --key node.pub --ledger dir:ledger a.twin
first=$(jq -r '.sources[0].time_bounds[0].not_after.height' report.json)
second=$(jq -r '.sources[0].time_bounds[1].not_after.height' report.json)
[ "$first" -lt "$second" ] || fail "heights $first and $second"
expect_runs "0-2:-:dir/$first/true 3-5:-:dir/$second/true"
expect_stdout "time: frames 0 to 2 not after block $first of dir (20"
expect_stdout "; frames 3 to 5 not after block $second of dir (20"
[ "$(jq .sources[0].time_bounds_widened report.json)" = false ] || fail "widened"
[ "$(jq -r '.sources[0].time_bounds[1].not_after.time' report.json)" = "$(jq -r '.sources[0].anchors.best.time' report.json)" ] || fail "time of the anchor"
# Without a ledger what the receipts say themselves, and so it is called.
judge 0 - --key node.pub --offline a.twin
expect_runs "0-2:-:dir/$first/false 3-5:-:dir/$second/false"
expect_stdout ', not checked)'
# Nothing to say of an unanchored record.
judge 0 - --key node.pub --offline sealed.twin
expect_runs '0-5:-:-'
grep -q '^time:' out && fail "a line without anything to say"

# With the newest block as the beacon, from the second part on.
{ frames cut --sequence 0..2 raw.twin >early.twin && frames cut --sequence 3.. raw.twin >late.twin; } || fail "cut"
hashchain --key node.key --state state early.twin >1.twin || fail "hashchain"
hashchain --key node.key --state state --beacon dir:ledger late.twin >2.twin || fail "hashchain"
anchor --ledger dir:ledger 2.twin >anchored.twin || fail "anchor"
{ "$tamper" anchored.twin 3.twin drop=SCHEMA && cat 1.twin 3.twin >beacon.twin; } || fail "cat"
judge 0 - --key node.pub --ledger dir:ledger beacon.twin
last=$(jq -r '.sources[0].anchors.best.height' report.json)
[ "$last" -gt "$second" ] || fail "block $last"
known=$(jq -r '.sources[0].time_bounds[1].not_before.height' report.json)
{ [ "$known" -ge "$second" ] && [ "$known" -lt "$last" ]; } || fail "beacon $known"
expect_runs "0-2:-:dir/$last/true 3-5:dir/$known/true:dir/$last/true"
expect_stdout "frames 3 to 5 not before block $known of dir (20"
judge 0 - --key node.pub --offline beacon.twin
expect_runs "0-2:-:dir/$last/false 3-5:dir/$known/false:dir/$last/false"
[ "$(jq '.sources[0].time_bounds[1].not_before.time' report.json)" = null ] || fail "a time that nobody checked"

# A sealing machine whose clock is behind the blocks that it knows, or ahead of those that hold it.
"$tamper" beacon.twin slow.twin seal=LINK:4..,node.key,wall_ns,-10800000000000 drop=ANCHOR
judge 7 no-anchor --key node.pub --ledger dir:ledger slow.twin
finds kind=sealed-before-beacon severity=note sequence=4 last_sequence=5
finds kind=wall-clock-back sequence=4
printf '%s\n' "signer = node $(grep -oE '[0-9a-f]{64}' node.pub | head -n 1)" 'clock = refuse' >policy.txt
judge 1 wall-clock-back --policy policy.txt --ledger dir:ledger slow.twin
"$tamper" sealed.twin fast.twin seal=LINK:0..,node.key,wall_ns,10800000000000
anchor --ledger dir:ledger fast.twin >fast-anchored.twin || fail "anchor"
judge 0 - --key node.pub --ledger dir:ledger fast-anchored.twin
finds kind=sealed-after-anchor severity=note sequence=5
exit 0
