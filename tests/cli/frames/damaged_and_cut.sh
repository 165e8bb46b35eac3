#!/usr/bin/env bash
# frames on what an investigator is given: cuts by time, number and channel that verify, damaged and
# torn files, JSON, several sources, a store's segment, and every message of the man page.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
record engine-2 1 3 | hashchain --key node.key >b.twin || fail "engine-2"
cat a.twin b.twin >both.twin

# Cuts are streams that verify; one source of two; by name and by id.
id=$(printf engine-2 | sha256sum | head -c 32)
for source in engine-2 "$id"; do
  expect_exit 0 frames cut --source "$source" both.twin
  expect_same out b.twin
done
expect_exit 0 frames cut --from 2026-01-01T00:00:02Z --to 2026-01-01T00:00:04Z both.twin -o cut.twin
judge 0 - --key node.pub --offline --partial cut.twin
expect_exit 0 frames ls cut.twin
[ "$(awk '$3 == "DATA" { print $4, $5 }' out | tr '\n' ' ')" = "engine-1 2 engine-1 3 engine-2 1 engine-2 2 " ] || fail "$(cat out)"
grep -q ' REJECT engine-1 2 ' out || fail "the rejects of window 2"
expect_exit 0 frames cut --sequence 2 --channel pressure a.twin -o slice.twin
judge 0 - --key node.pub --offline --partial slice.twin
finds kind=withheld-channels sequence=2
expect_exit 0 frames rejects slice.twin
[ ! -s out ] || fail "a rejected row, with all its channels, is in a slice: $(cat out)"
grep -qa not-a-time slice.twin && fail "the text of a rejected row is in a slice"
expect_exit 0 frames cat slice.twin
# A cut of a cut; nothing more comes out of a slice than is in it.
expect_exit 0 frames cut --sequence 2..3 cut.twin -o cut2.twin
judge 0 - --key node.pub --offline --partial cut2.twin
expect_exit 0 frames cut --sequence 99 a.twin -o none.twin
judge 7 nothing-sealed --key node.pub --offline none.twin

# JSON: an object a line for ls, one object for info.
expect_exit 0 frames ls --json a.twin
python3 - <<'PYTHON' || fail "ls --json: $(head -n 3 out)"
import json
lines = [json.loads(line) for line in open("out")]
assert len(lines) == 16, len(lines)
data = open("a.twin", "rb").read()
for line in lines:
    assert data[int(line["offset"]):][:4] == b"\xf4TwF", line
PYTHON
expect_exit 0 frames info --json both.twin
python3 - <<'PYTHON' || fail "info --json: $(head -c 500 out)"
import json
text = open("out").read()
info = json.loads(text)
assert "engine-1" in text and "engine-2" in text and "pressure" in text
PYTHON
expect_exit 0 frames info both.twin
expect_stdout "head          link 5 $("$tamper" --body a.twin LINK:5 | head -c 312 | sha256sum | cut -d ' ' -f 1)"

# Damage: told with its place, everything else is there; cut writes no END then.
"$tamper" a.twin damaged.twin damage=DATA:3,-3
at=$(where damaged.twin DATA:3)
for command in ls info cat rejects "cut -o damaged2.twin"; do
  # shellcheck disable=SC2086
  expect_exit 4 frames $command damaged.twin
  expect_stderr "frames: error: DATA frame 3 (2026-01-01T00:00:03Z to 2026-01-01T00:00:04Z) at byte $at: body crc mismatch"
done
expect_exit 4 frames cat damaged.twin
[ "$(wc -l <out)" = 21 ] || fail "rows of the sound frames: $(wc -l <out)"
expect_exit 4 frames ls damaged2.twin
expect_stderr 'ends without an END frame'
expect_exit 3 frames recover damaged.twin -o saved.twin
expect_exit 0 frames ls saved.twin
judge 1 missing-data --key node.pub --offline saved.twin
finds kind=missing-data sequence=3
# Recovering what is whole changes nothing.
expect_exit 0 frames recover a.twin
expect_same out a.twin
expect_exit 0 frames recover <a.twin
expect_same out a.twin

# Torn, with an earlier file that stays when the input is no stream.
head -c $((at + 50)) a.twin >torn.twin
expect_exit 4 frames ls torn.twin
expect_stderr "at byte $at"
expect_exit 3 frames recover torn.twin -o saved.twin
judge 0 - --key node.pub --offline saved.twin
echo before >kept.twin
expect_exit 4 frames recover "$TWINCHAIN_SOURCE/README.md" -o kept.twin
[ "$(cat kept.twin)" = before ] || fail "-o wrote a file"

# A segment of a store, which has no END.
store put rec a.twin || fail "put"
expect_exit 4 frames ls rec/segments/00000001.twin
[ "$(wc -l <out)" = 16 ] || fail "frames of a segment"
expect_stderr 'ends without an END frame'

# A channel that appears later ends cat from a pipe, not from a file.
twin-record --format ndjson --source engine-1 --clock data --every 1s >later.twin 2>err <<'NDJSON' || fail "record"
{"time":"2026-01-01T00:00:00Z","a":1}
{"time":"2026-01-01T00:00:01Z","a":2,"b":3}
NDJSON
expect_exit 0 frames cat later.twin
printf '%s\n' time,a,b 2026-01-01T00:00:00Z,1, 2026-01-01T00:00:01Z,2,3 >wanted
expect_same wanted out
# shellcheck disable=SC2002  # a pipe is what is meant
cat later.twin | frames cat >out 2>err
[ "${PIPESTATUS[1]}" = 2 ] || fail "a channel that appears later, from a pipe: $(cat err)"
expect_exit 0 frames cat --format ndjson later.twin
[ "$(wc -l <out)" = 2 ] || fail "ndjson"

# Usage.
expect_exit 2 frames
expect_exit 2 frames cat --format xml a.twin
expect_exit 2 frames cut --sequence 4..2 a.twin
expect_stderr 'frames: error: not a range of sequence numbers: 4..2'
expect_exit 2 frames cut --channel nothing a.twin -o nothing.twin
[ ! -e nothing.twin ] || fail "a file in spite of an error"
exit 0
