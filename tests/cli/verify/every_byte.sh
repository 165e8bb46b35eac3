#!/usr/bin/env bash
# A sample of the bytes of the golden record changed, as an accident and as a tamperer would, and of its
# prefixes: verify never says yes, never crashes, and names the frame. All bytes are tried in
# tests/unit/chain/golden_tamper_test.cpp.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
golden=$TWINCHAIN_SOURCE/tests/golden/engine-1.v1

# The block of its receipt, as a header file that begins with it.
"$TWINCHAIN_SOURCE/tests/cli/verify/tamper.py" --body "$golden.twin" ANCHOR | tail -c +73 | head -c 80 >block
height=
for try in 1 2 3 4 5; do
  verify -q --key "$golden.pub" --headers block --network dir --first-height $try "$golden.twin" && height=$try
done
[ -n "$height" ] || fail "the golden record does not verify with the header of its receipt"

python3 - "$golden" "$height" <<'PYTHON' || fail "see above"
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli")
import twin_format as twin

golden, height = sys.argv[1:]
whole = open(golden + ".twin", "rb").read()
frames = [one for one in twin.read_frames(whole) if one.kind != twin.END]
with_ledger = ["verify", "--key", golden + ".pub", "--headers", "block", "--network", "dir",
               "--first-height", height, "-"]
tried = 0


def judge(data, sequence, what, codes):
    global tried
    tried += 1
    result = subprocess.run(with_ledger, input=data, capture_output=True, check=False)
    text = result.stdout.decode()
    where = f"{what}: exit {result.returncode}: {text}{result.stderr.decode()}"
    assert result.returncode in codes, where
    if sequence is None:
        return
    # Sequences named by findings that are no notes.
    for line in text.splitlines():
        if not re.match(r"(refuted|malformed|loss|unproven): ", line):
            continue
        for first, last in re.findall(r"(?:frames?|links?) (\d+)(?: to (\d+))?", line):
            if int(first) <= sequence <= int(last or first):
                return
    raise AssertionError(f"frame {sequence} is not named: {where}")


judge(whole, None, "unchanged", [0])
# Every 61st byte, in both ways; steps that share no factor with the sizes of what is there.
for at in range(0, len(whole), 61):
    data = bytearray(whole)
    data[at] ^= 1 << at % 8
    inside = [one for one in frames if one.at <= at < one.at + one.size()]
    judge(bytes(data), inside[0].sequence if inside else None, f"byte {at}", [1, 4])
for one in frames:
    for at in range(one.kind * 7 % 31, len(one.body), 61):
        changed = one.copy()
        changed.body_crc = None
        body = bytearray(one.body)
        body[at] ^= 0xFF
        changed.body = twin.mend_leaves(bytes(body)) if one.kind == twin.DATA else bytes(body)
        if changed.body == one.body:
            continue
        data = twin.encode_stream([changed if other is one else other for other in frames])
        judge(data, one.sequence, f"{one.name()} {one.sequence} body byte {at}", [1, 4])
for size in range(0, len(whole), 173):
    judge(whole[:size], None, f"prefix of {size} bytes", [4])
judge(whole[:-1], None, "all but one byte", [4])
print(tried, "tried")
assert tried > 150
PYTHON
exit 0
