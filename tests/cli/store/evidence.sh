#!/usr/bin/env bash
# evidence: windows with their proofs, checked without the store; channels that are hidden, keys that
# were rotated, windows that were lost, policies, several sources; every message.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# rows FROM TO: a row each 100 ms of [FROM, TO) seconds.
rows() {
  python3 - "$1" "$2" <<'PYTHON'
import sys
print("time,temp,door,rpm")
for i in range(int(sys.argv[1]) * 10, int(sys.argv[2]) * 10):
    print(f"{1767225600 + i / 10:.1f},{20 + i % 13 / 10},{int(i % 7 == 0)},{1000 + i % 50}")
PYTHON
}
record() { twin-record --format csv --source "$1" --every 1s --clock data --rate 10 2>>record.err; }

twin-key new node >/dev/null || fail "twin-key"
rows 0 120 | record engine-1 >plain.twin || fail "record"
frames cut --sequence 0..59 plain.twin | hashchain --key node.key --state state >1.twin || fail "first part"
twin-key rotate node >/dev/null || fail "rotate"
hashchain --key node.key --state state <plain.twin >2.twin || fail "second part"
anchor --ledger dir:ledger --state anchored <2.twin >3.twin || fail "anchor"
rows 0 30 | record engine-2 | hashchain --key node.key --state state2 >4.twin || fail "engine-2"
store put rec 3.twin && store put rec 4.twin || fail "put"
cp node.pub early.pub

# One channel of some windows, by time: the proof is small, the verdict is that of a record.
expect_exit 0 store evidence -v rec --source engine-1 --from 2026-01-01T00:00:50Z \
  --to 2026-01-01T00:01:20Z --channel temp -o part.twin
expect_stderr 'windows 50 to 79, proven by link 119 with'
expect_exit 0 verify bundle --key node.pub --ledger dir:ledger part.twin
expect_stdout 'verified: source engine-1, frames 50 to 79, 2026-01-01T00:00:50Z to 2026-01-01T00:01:20Z, signed by node'
expect_stdout 'anchored in block 2 of dir'
expect_stdout '30 windows proven, 0 silent, 0 lost, 0 gaps; 60 columns withheld, 90 shown'
frames cat --channel temp part.twin >part.csv
frames cut --sequence 50..79 3.twin | frames cat --channel temp >wanted.csv
expect_same part.csv wanted.csv
# Nothing of the others is in it, nor the seeds that would show them.
python3 - <<'PYTHON' || fail "the bundle has seeds"
import subprocess
bundle = open("part.twin", "rb").read()
whole = open("3.twin", "rb").read()
seeds = 0
for line in subprocess.run(["frames", "ls", "3.twin"], capture_output=True, text=True, check=True).stdout.splitlines():
    offset, _, kind, _, number = line.split()[:5]
    if kind != "DATA" or not 50 <= int(number) < 80:
        continue
    seed = whole[int(offset) + 64:int(offset) + 96]
    assert len(set(seed)) > 8 and seed not in bundle, number
    seeds += 1
assert seeds == 30, seeds
PYTHON

# Everything of a source; through a pipe, with a report in JSON.
store evidence rec --source engine-1 -o all.twin || fail "all"
expect_exit 0 verify bundle --json --key node.pub --ledger dir:ledger - <all.twin
python3 - <<'PYTHON' || fail "json"
import json
report = json.load(open("out"))
(source,) = report["sources"]
assert report["verdict"] == "verified" and report["exit_code"] == 0
assert (source["first_link"], source["last_link"], source["proven_by_link"]) == ("0", "119", "119")
assert source["anchors"]["best"]["network"] == "dir"
(bound,) = source["time_bounds"]
assert (bound["first"], bound["last"], bound["not_before"]) == ("0", "119", None)
assert bound["not_after"]["network"] == "dir" and bound["not_after"]["height"] == 2
assert source["accounting"]["rows"] == "1200" and source["accounting"]["columns_withheld"] == "0"
PYTHON

# Two sources are two bundles in one stream; the second is not anchored.
expect_exit 0 store evidence rec --sequence 3..4 -o two.twin
expect_stderr 'note: link 29 is not anchored: the bundle proves who sealed, not when'
expect_exit 7 verify bundle --key node.pub --ledger dir:ledger two.twin
expect_stdout '2 records'
expect_stdout 'not proven (no anchor): source engine-2'
expect_exit 0 verify bundle --key node.pub --offline two.twin

# Who signed: nobody is trusted without being named; a key of the time before the rotation is enough.
expect_exit 7 verify bundle --offline part.twin
expect_stdout 'not proven (no key to check against)'
twin-key new other >/dev/null
expect_exit 1 verify bundle --offline --key other.pub part.twin
expect_stdout 'unknown-key'
expect_exit 0 verify bundle --offline --key early.pub part.twin

# A policy in the bundle is its sender's word.
printf 'require-anchor = yes\n' >policy
expect_exit 0 store evidence rec --source engine-1 --sequence 5..6 --policy policy -o with.twin
expect_exit 7 verify bundle --key node.pub --ledger dir:ledger with.twin
expect_stdout 'policy-differs'
expect_exit 0 verify bundle --key node.pub --policy policy --ledger dir:ledger with.twin
printf 'no-such = 1\n' >bad
expect_exit 2 store evidence rec --policy bad -o x.twin
expect_stderr 'bad: policy line 1'
[ ! -e x.twin ] || fail "a file was made for a bad policy"

# Changed, cut, exchanged: never proven. (Every byte of one is tried by the unit tests.)
python3 - <<'PYTHON'
data = bytearray(open("part.twin", "rb").read())
data[-2000] ^= 1
open("flipped.twin", "wb").write(data)
open("cut.twin", "wb").write(open("part.twin", "rb").read()[:-500])
PYTHON
expect_exit 4 verify bundle --offline --key node.pub flipped.twin
expect_stdout 'damaged-frame'
expect_exit 4 verify bundle --offline --key node.pub cut.twin
expect_stdout 'truncated'
expect_exit 7 verify bundle --offline --key node.pub 3.twin
expect_stdout 'there is no EVIDENCE frame, this is no evidence bundle'
expect_exit 4 verify bundle --offline --key node.pub node.pub
expect_exit 7 verify --offline --key node.pub part.twin
expect_stdout 'verify bundle'

# Nothing chosen, nothing sealed, no such source, channel or store.
expect_exit 1 store evidence rec --from 2030-01-01
expect_stderr 'no window in the store is in that range'
expect_exit 1 store evidence rec --source engine-9
expect_exit 2 store evidence rec --source engine-1 --channel nosuch
expect_stderr 'source engine-1 has no channel nosuch'
expect_exit 2 store evidence nosuch
record engine-3 < <(rows 0 5) | store put rec || fail "put engine-3"
expect_exit 7 store evidence rec --source engine-3
expect_stderr 'the windows in that range are not sealed yet'
