#!/usr/bin/env bash
# consistency: a checkpoint continues an older one, shown without the record; and does not, where it
# was rewritten.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

long_record 30
frames cut --sequence 0..10 long.twin >early.twin || fail "cut"
store put rec long.twin || fail "put"
hashchain checkpoint --key node.key early.twin >old.note || fail "old"
hashchain checkpoint --key node.key long.twin >new.note || fail "new"
vkey=$(twin-key note node) || fail "vkey"

expect_exit 0 store consistency rec old.note new.note -o proof
[ "$(head -n 1 proof)" = "old 11" ] || fail "first line: $(head -n 1 proof)"
expect_exit 0 verify note --old old.note --note-key "$vkey" proof
expect_stdout 'verified: checkpoint of twinchain/'
expect_stdout 'continues: the first 11 frames are those of the older checkpoint'
expect_exit 0 verify note --old old.note --note-key "$vkey" proof long.twin
expect_exit 7 verify note --note-key "$vkey" proof
expect_stdout 'unproven: no older checkpoint was given, of 11 frames'
expect_exit 7 verify note --old old.note proof
expect_exit 2 verify note --old old.note --note-key "$vkey" new.note
expect_exit 1 verify note --old new.note --note-key "$vkey" proof
expect_stdout 'refuted: the older checkpoint has 30 frames, the proof is for 11'
# The proof by RFC 6962, without any code of the tools.
python3 - <<'PYTHON' || fail "python"
import base64, hashlib

node = lambda a, b: hashlib.sha256(b"\1" + a + b).digest()
lines = open("proof").read().split("\n\n")[0].splitlines()
proof = [base64.b64decode(line) for line in lines[1:]]
size = lambda name: int(open(name).read().splitlines()[1])
root = lambda name: base64.b64decode(open(name).read().splitlines()[2])
first, second = size("old.note"), size("new.note")
fn, sn = first - 1, second - 1
while fn & 1:
    fn, sn = fn >> 1, sn >> 1
fr = sr = proof[0] if first & (first - 1) else root("old.note")
for hash_ in proof[1:] if first & (first - 1) else proof:
    if fn & 1 or fn == sn:
        fr, sr = node(hash_, fr), node(hash_, sr)
        while fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
    else:
        sr = node(sr, hash_)
    fn, sn = fn >> 1, sn >> 1
assert (fr, sr, sn) == (root("old.note"), root("new.note"), 0)
PYTHON

# The same record from the beginning, with other data: another root.
sed 's/^old 11$/old 12/' proof >wrong-size
expect_exit 1 verify note --old old.note --note-key "$vkey" wrong-size
python3 - <<'PYTHON'
lines = open("proof").read().split("\n")
lines[1] = ("A" if lines[1][0] != "A" else "B") + lines[1][1:]
open("changed", "w").write("\n".join(lines))
PYTHON
expect_exit 1 verify note --old old.note --note-key "$vkey" changed
expect_stdout 'refuted: the record does not continue that of the older checkpoint'

# Refusals.
expect_exit 2 store consistency rec new.note old.note
expect_stderr 'is not a later checkpoint of the record'
mkdir other && (cd other && cp ../node.key . && long_record 3 && hashchain checkpoint --key node.key long.twin >../other.note) || fail "other"
expect_exit 2 store consistency rec old.note other.note
expect_exit 1 store consistency rec other.note other.note
expect_stderr 'no record in the store has the link of other.note'
expect_exit 4 store consistency rec old.note node.pub
