#!/usr/bin/env bash
# gc drops data and keeps the links; verify tells what was dropped from what is missing.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

long_record 12
frames cut --sequence 0..6 long.twin | anchor --ledger dir:ledger >first.twin || fail "anchor"
"$tamper" long.twin a.twin put=first.twin,ANCHOR:6,LINK:6
expect_exit 0 store put rec --segment-size 64KiB a.twin
cp -r rec whole
judge 7 anchor-pending --key node.pub --ledger dir:ledger rec
judge 0 - --key node.pub --offline rec

# Only said, nothing done.
find rec -type f -exec sha256sum {} + | grep -v -e index -e LOCK | sort >before
expect_exit 7 store gc --keep 1d --dry-run rec
expect_stderr 'would drop the data of '
find rec -type f -exec sha256sum {} + | grep -v -e index -e LOCK | sort >after
expect_same before after
# Young data stays.
expect_exit 0 store gc --keep 9000d rec
expect_no_stderr

# Nothing that is not anchored.
expect_exit 7 store gc --keep 1d --segment-size 64KiB rec
expect_stderr 'is not anchored yet'
expect_stderr 'store: hint: anchor it first, or use --force to drop what no ledger has seen'
read -r id next <rec/dropped
[ "$id" = "$(printf engine-1 | sha256sum | head -c 32)" ] || fail "dropped: $(cat rec/dropped)"
[[ $next =~ ^[1-7]$ ]] || fail "dropped: $(cat rec/dropped)"
expect_exit 0 store fsck rec
expect_exit 0 store get rec --type data
cp out data.twin
[ "$(frames ls data.twin | awk '$3 == "DATA" { print $5 }' | head -n 1)" = "$next" ] || fail "first data"
expect_exit 0 store get rec --type link
expect_types 'LINK 12' out

# What verify says of it: dropped, all of it, and nothing else is missing.
judge 3 dropped-data --key node.pub --offline rec
finds_only dropped-data
finds kind=dropped-data severity=loss sequence=0 last_sequence=$((next - 1)) count="$next" window_start=2026-01-01T00:00:00Z
expect_stdout "incomplete (data dropped by its keeper): source engine-1, frames 0 to 11"
expect_stdout 'the data was dropped on purpose, as the keeper of the store says'
expect_stdout "$((12 - next)) windows proven, 0 silent, 0 lost, 0 gaps, $next dropped"
grep -q missing out && fail "missing: $(cat out)"
python3 -c '
import json, sys
sums = json.load(open("report.json"))["sources"][0]["accounting"]
assert sums["dropped_windows"] == sys.argv[1], sums' "$next" || fail "accounting"
# As a stream, without the word of the store, it is missing.
expect_exit 0 store get rec -o part.twin
judge 1 missing-data --key node.pub --offline part.twin
# The word of the store is no leave to take out more: newer data, or links.
cp -r rec robbed
mv robbed/dropped word
judge 1 missing-data --key node.pub --offline robbed
last=$(find robbed/segments -name '*.twin' | sort | tail -n 1)
mv word robbed/dropped
kept=$(where "$last" DATA | wc -l)
[ "$kept" -gt 0 ] || fail "no data in the last segment"
number=$(frames ls "$last" 2>/dev/null | awk '$3 == "DATA" { print $5; exit }')
"$tamper" "$last" changed.twin "drop=DATA:$number" end=0
cp changed.twin "$last"
judge 1 missing-data --key node.pub --offline robbed
finds kind=missing-data sequence="$number" last_sequence="$number"
finds kind=dropped-data sequence=0
first=robbed/segments/$(cd robbed/segments && find . -name '*.twin' | sort | sed -n 's:^\./::p' | head -n 1)
"$tamper" "$first" changed.twin drop=LINK:1
cp changed.twin "$first"
judge 1 missing-frames --key node.pub --offline robbed
finds kind=missing-frames sequence=1
# It is read with care.
printf 'engine-1 5\n' >robbed/dropped
expect_exit 4 verify --key node.pub --offline robbed
expect_stderr 'robbed/dropped: malformed'
printf '%s 99999999999999999999999\n' "$id" >robbed/dropped
expect_exit 4 verify --key node.pub --offline robbed
printf '%s 5' "$id" >robbed/dropped
expect_exit 4 verify --key node.pub --offline robbed

# By force, down to the segment that is being written.
cp -r rec forced
expect_exit 0 store gc --force --keep-size 1KiB forced
expect_stderr 'dropped the data of '
expect_exit 0 store fsck forced
judge 3 dropped-data --key node.pub --offline forced
finds_only dropped-data
expect_exit 0 store get forced --type link
expect_types 'LINK 12' out
# Once more there is nothing to do.
expect_exit 0 store gc --force --keep-size 1KiB forced
judge 3 dropped-data --key node.pub --offline forced
# The recorder goes on, and what was dropped may come again.
expect_exit 0 store put forced a.twin
expect_exit 0 store fsck forced
expect_exit 0 store get forced
[ "$(sorted out)" = "$(sorted a.twin)" ] || fail "data that came again"

# REJECT frames stay when their DATA frame, in the next segment, does: store the record in portions
# so that a segment ends between the two.
segments=0
for size in 32 36 38 39; do
  rm -rf edge
  store put edge --segment-size $((size * 2))KiB a.twin || fail "put"
  store gc --force --keep-size 1KiB edge 2>/dev/null || fail "gc"
  judge 3 dropped-data --key node.pub --offline edge
  finds_only dropped-data
  expect_exit 0 store fsck edge
  segments=$((segments + 1))
done

# Beside a running put, in another process.
mkfifo live
store put whole --segment-size 64KiB <live 2>put.err &
writer=$!
stop_on_exit $writer
exec 9>live
wait_for 20 is_locked whole/LOCK || fail "put does not lock"
record engine-2 0 5 | hashchain --key node.key >b.twin || fail "engine-2"
head -c 1500 b.twin >&9
expect_exit 0 store gc --force --keep-size 1KiB whole
expect_stderr 'dropped the data of '
tail -c +1501 b.twin >&9
exec 9>&-
wait $writer || fail "put beside gc: $(cat put.err)"
expect_exit 0 store fsck whole
judge 3 dropped-data --key node.pub --offline whole
expect_exit 0 store get whole --source engine-2
[ "$(sorted out)" = "$(sorted b.twin)" ] || fail "what put stored beside gc"
expect_exit 0 store get whole --type link
expect_types 'LINK 17' out

# Usage.
expect_exit 2 store gc rec
expect_stderr 'store: error: neither --keep nor --keep-size is given'
expect_exit 2 store gc --keep 5 rec
expect_stderr 'store: error: --keep: not a duration: 5'
expect_exit 2 store gc --keep-size many rec
expect_stderr 'store: error: --keep-size: not a size: many'
expect_exit 2 store gc --keep 1d nowhere
expect_stderr 'store: error: nowhere is not a store'
flock rec/LOCK-gc sleep 60 &
stop_on_exit $!
wait_for 20 is_locked rec/LOCK-gc || fail "flock"
expect_exit 5 store gc --force --keep 1d rec
expect_stderr 'is in use by another process'
exit 0
