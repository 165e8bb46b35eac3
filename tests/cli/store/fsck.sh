#!/usr/bin/env bash
# fsck: damage with its place, torn and shortened segments, lost ones, the index made anew.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"
fsck_json() { # CODE DIR [OPTION...]
  local code=$1 got=0
  shift
  store fsck --json "$@" >report.json 2>err || got=$?
  [ "$got" = "$code" ] || fail "exit $got instead of $code: fsck $*: $(cat report.json)"
  "$report" --list report.json >findings || fail "JSON: $(cat report.json)"
}

long_record 12
expect_exit 0 store put rec --segment-size 64KiB long.twin
[ "$(find rec/segments -name '*.twin' | wc -l)" -ge 4 ] || fail "$(ls rec/segments)"
expect_exit 0 store fsck rec
grep -qE '^rec: [0-9]+ segments, 29 frames, [0-9]+ bytes: sound$' out || fail "$(cat out)"
expect_no_stderr
fsck_json 0 rec
python3 -c '
import json
report = json.load(open("report.json"))
assert report["version"] == 1 and report["findings"] == [] and report["frames"] == 29, report
assert report["harmful_findings"] == report["torn_tails"] == report["index_faults"] == 0' || fail "JSON"

# The index: gone, changed, of another store.
expect_exit 0 store ls rec
cp out ls.wanted
expect_exit 0 store get rec
cp out get.wanted
rm -r rec/index
expect_exit 3 store fsck rec
expect_stdout 'index: '
expect_stdout 'sound, index wrong (store fsck --repair makes it anew)'
expect_exit 0 store ls rec
expect_same ls.wanted out
expect_exit 0 store get rec
expect_same get.wanted out
rm -r rec/index
expect_exit 0 store fsck --repair rec
expect_stdout ', index made anew'
expect_exit 0 store fsck rec
head -c 30000 /dev/urandom >noise
dd if=noise of=rec/index/data.mdb bs=1 seek=4096 conv=notrunc status=none
store fsck rec >out 2>err
code=$?
[ $code = 3 ] || fail "exit $code with a destroyed index"
expect_exit 0 store fsck --repair rec
expect_exit 0 store get rec
expect_same get.wanted out

# A byte of a frame changed: its segment, offset, type and number; the others still come.
cp -r rec harmed
segment=harmed/segments/00000002.twin
read -r number < <(frames ls "$segment" 2>/dev/null | awk '$3 == "DATA" { print $5; exit }')
at=$(where "$segment" "DATA:$number")
printf '\377\377' | dd of="$segment" bs=1 seek=$((at + 500)) conv=notrunc status=none
expect_exit 1 store fsck harmed
expect_stdout "damage: segment 00000002.twin at byte $at: body crc mismatch"
expect_stdout "(DATA frame $number of source "
expect_stdout 'harmed in '
fsck_json 1 harmed
finds kind=damage segment=00000002.twin offset="$at" type=DATA sequence="$number"
expect_exit 3 store get harmed
expect_stderr "segment 00000002.twin at byte $at"
frames recover -o partly.twin out 2>/dev/null
expect_types 'DATA 11 LINK 12 REJECT 4 SCHEMA 1' partly.twin
expect_exit 3 store export harmed
expect_stderr "segment 00000002.twin at byte $at: body crc mismatch"
expect_exit 1 store fsck --repair harmed
# put of the original heals it.
expect_exit 0 store put harmed long.twin
expect_exit 0 store get harmed
[ "$(sorted out)" = "$(sorted long.twin)" ] || fail "not healed"

# The last segment is torn: nothing that was acknowledged is lost; the next put cuts it off.
frames cut --sequence 0..4 long.twin >five.twin || fail "cut"
expect_exit 0 store put torn five.twin
rm -r torn/index
size=$(stat -c %s torn/segments/00000001.twin)
truncate -s $((size - 100)) torn/segments/00000001.twin
at=$(where five.twin LINK:4)
expect_exit 3 store fsck torn
expect_stdout "torn-tail: segment 00000001.twin at byte $at: "
expect_exit 0 store put torn long.twin
expect_stderr "segment 00000001.twin at byte $at: cut off "
expect_exit 0 store fsck torn
expect_exit 0 store get torn
[ "$(sorted out)" = "$(sorted long.twin)" ] || fail "after a torn tail"
# Shorter than the index knows it was: that is harm.
cp -r rec short
last=$(find short/segments -name '*.twin' | sort | tail -n 1)
truncate -s -100 "$last"
expect_exit 1 store fsck short
expect_stdout 'shortened: '
# Noise behind good frames: a write that was interrupted.
cp -r rec noisy
head -c 5000 noise >>"$(find noisy/segments -name '*.twin' | sort | tail -n 1)"
expect_exit 3 store fsck noisy
expect_stdout 'torn-tail: '
# A segment in the middle is gone.
cp -r rec hole
rm hole/segments/00000002.twin
expect_exit 1 store fsck hole
expect_stdout 'missing-segment: '
fsck_json 1 hole
finds kind=missing-segment segment=00000002.twin

# gc is at work: try again.
flock rec/LOCK-gc sleep 60 &
stop_on_exit $!
wait_for 20 is_locked rec/LOCK-gc || fail "flock"
expect_exit 6 store fsck rec
expect_exit 2 store fsck nowhere
expect_stderr 'store: error: nowhere is not a store'
exit 0
