#!/usr/bin/env bash
# Cut, torn, spliced, mixed with another record or source: each has its own verdict.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"
judged() { # CODE REASON [OPTION...]: of changed.twin
  local code=$1 reason=$2
  shift 2
  judge "$code" "$reason" --key node.pub --offline "$@" changed.twin
}

make_record
# Torn: inside a frame, behind a frame, and recovered.
link=$(where a.twin LINK:5)
head -c $((link + 100)) a.twin >changed.twin
judged 4 truncated
finds kind=truncated offset="$link" size_bytes=100
expect_stdout 'ends inside the body of a frame, LINK frame 5'
expect_stdout 'hint: frames recover keeps what is sound'
finds kind=unsealed sequence=5
head -c "$link" a.twin >changed.twin
judged 4 truncated
expect_stdout 'ends without an END frame, after DATA frame 5'
expect_exit 3 frames recover -o saved.twin changed.twin
mv saved.twin changed.twin
judged 7 unsealed

# Cut at the front, on purpose and not.
frames cut --sequence 3..5 a.twin >changed.twin || fail "cut"
judged 7 cut
expect_stdout 'hint: --partial when a part is what was asked for'
judged 0 - --partial
finds_only cut history-unknown
"$tamper" a.twin changed.twin drop=ANY:0..2
judged 1 missing-schema

# Some channels only.
frames cut --channel temperature a.twin >changed.twin || fail "cut"
judged 7 withheld-channels
judged 0 - --partial
expect_stdout ' columns withheld, '

# Cut in the middle: a window, its data, its link, its rejects, the schema.
"$tamper" a.twin changed.twin drop=ANY:3
judged 1 missing-frames
finds kind=missing-frames sequence=3 last_sequence=3 window_start=2026-01-01T00:00:03Z window_end=2026-01-01T00:00:04Z
"$tamper" a.twin changed.twin drop=ANY:1..2
judged 1 missing-frames
finds kind=missing-frames sequence=1 last_sequence=2 window_start=2026-01-01T00:00:01Z window_end=2026-01-01T00:00:03Z
"$tamper" a.twin changed.twin drop=DATA:3
judged 1 missing-data
finds kind=missing-data sequence=3 offset="$(where changed.twin LINK:3)"
"$tamper" a.twin changed.twin drop=LINK:3
judged 1 missing-link
finds kind=missing-link sequence=3
"$tamper" a.twin changed.twin drop=REJECT:2
judged 1 reject-mismatch
finds kind=reject-mismatch sequence=2 offset="$(where changed.twin DATA:2)"
"$tamper" a.twin changed.twin drop=SCHEMA
judged 1 missing-schema

# Two cuts of one record put together: with a hole it is a splice, without one it is whole.
frames cut --sequence 0..1 a.twin >one.twin || fail "cut"
frames cut --sequence 4..5 a.twin >two.twin || fail "cut"
cat one.twin two.twin >changed.twin
judged 1 splice
finds kind=splice sequence=2 last_sequence=3
frames cut --sequence 2..5 a.twin >two.twin || fail "cut"
cat one.twin two.twin >changed.twin
judged 0 -
judge 0 - --key node.pub --offline one.twin two.twin
judge 1 reordered --key node.pub --offline two.twin one.twin

# Another record of the same source, same key: behind ours, and in the middle of it.
record engine-1 10 4 | hashchain --key node.key >other.twin || fail "other"
cat a.twin other.twin >changed.twin
judged 3 new-record
finds kind=new-record sequence=0 offset="$(where changed.twin LINK:0 | tail -n 1)"
expect_stdout '2 records'
"$tamper" a.twin changed.twin exchange=other.twin,ANY:3
judged 1 foreign-record
finds kind=foreign-record sequence=3 offset="$(where changed.twin LINK:3)"
"$tamper" a.twin changed.twin exchange=other.twin,DATA:3
judged 1 altered-content
finds kind=altered-content sequence=3 offset="$(where changed.twin DATA:3)"
"$tamper" a.twin changed.twin exchange=other.twin,LINK:3
judged 1 foreign-record

# Frames of another source: beside ours they are a record of their own; under our name they are not.
record engine-2 0 4 | hashchain --key node.key >lorry.twin || fail "lorry"
cat a.twin lorry.twin >changed.twin
judged 0 -
expect_stdout '2 records'
"$tamper" a.twin changed.twin put=lorry.twin,DATA:3,LINK:2
judged 1 missing-schema
finds kind=nothing-sealed source_id="$(printf engine-2 | sha256sum | head -c 32)"
"$tamper" lorry.twin moved.twin source=ANY,engine-1
"$tamper" a.twin changed.twin drop=ANY:3 put=moved.twin,ANY:3,LINK:2
judged 1 moved-source
finds kind=moved-source sequence=3 offset="$(where changed.twin DATA:3)"
finds kind=moved-source sequence=3 offset="$(where changed.twin LINK:3)"
finds kind=missing-frames sequence=3

# A forked chain: two streams from one copy of the state, both signed.
record engine-1 0 3 --spool spool >base.raw || fail "record"
hashchain --key node.key --state state base.raw >base.twin || fail "hashchain"
cp -r spool spool2 && cp -r state state2
record engine-1 3 2 --spool spool | hashchain --key node.key --state state >left.twin || fail "left"
record engine-1 23 2 --spool spool2 | hashchain --key node.key --state state2 >right.twin || fail "right"
judge 3 gap --key node.pub --offline base.twin left.twin
cat base.twin left.twin right.twin >changed.twin
judged 1 fork
finds kind=fork sequence=3 offset="$(where changed.twin LINK:3 | tail -n 1)"
finds kind=fork sequence=4
expect_stdout 'two different links have number 3, and both are signed, this one with key'
cat base.twin left.twin >whole.twin
"$tamper" whole.twin changed.twin put=right.twin,LINK:4,LINK:4
judged 1 fork
finds kind=fork sequence=4 offset="$(where changed.twin LINK:4 | tail -n 1)"
exit 0
