#!/usr/bin/env bash
# Checkpoints of heads as signed notes, cosigned by a witness, checked against the record; read and
# written here without any code of the tools, too.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
for key in witness stranger; do twin-key new "$key" || fail "twin-key"; done
{ vkey=$(twin-key note node) && witness=$(twin-key note --witness witness.pub); } || fail "twin-key note"
[[ $vkey == node+* && $witness == witness+* ]] || fail "$vkey $witness"
[ "$(twin-key note --name 'the_log' node.key | cut -d + -f 1)" = the_log ] || fail "--name"
expect_exit 2 twin-key note --name 'the log' node
expect_stderr 'twin-key: error: a note cannot be signed as the log'

expect_exit 0 hashchain checkpoint --key node.key a.twin
cp out head.note
head=$(verify --key node.pub --offline a.twin | sed -n 's/^head: link 5 //p')
[ "$(sed -n 2p head.note)" = 6 ] || fail "size: $(cat head.note)"
[ "$(sed -n 4p head.note)" = "link 5 $head" ] || fail "link line: $(cat head.note)"
expect_exit 0 hashchain cosign --key witness.key --note-key "$vkey" head.note
cp out cosigned.note
[ "$(head -n 6 cosigned.note)" = "$(cat head.note)" ] || fail "the note has changed: $(cat cosigned.note)"
expect_exit 0 verify note cosigned.note --note-key "$vkey" --note-key "$witness" a.twin
expect_stdout 'verified: checkpoint of twinchain/'
expect_stdout 'signed: by node'
expect_stdout "cosigned: by witness at $(date -u +%Y-%m-%dT)"
expect_stdout ', and its root is that of all frames up to there'
expect_stdout "head: link 5 $head"

# The same by hand: key ids, texts that are signed, root, as the specifications say.
python3 - "$vkey" "$witness" <<'PYTHON' || fail "python"
import base64
import hashlib
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli")
import twin_format as twin

note = open("cosigned.note", encoding="utf-8").read()
text, _, signatures = note.rpartition("\n\n")
text += "\n"
lines = signatures.splitlines()
assert len(lines) == 2, lines


def check(vkey, kind, line, timed):
    name, key_id, blob = vkey.split("+", 2)
    blob = base64.b64decode(blob)
    assert blob[0] == kind
    wanted = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]
    assert wanted.hex() == key_id
    dash, signer, value = line.split(" ")
    value = base64.b64decode(value)
    assert dash == "\u2014" and signer == name and value[:4] == wanted
    message, signature = text, value[4:]
    if timed:
        message = f"cosignature/v1\ntime {int.from_bytes(value[4:12], 'big')}\n{text}"
        signature = value[12:]
    assert len(signature) == 64
    # A SubjectPublicKeyInfo of Ed25519 is these 12 bytes and the key.
    open("key.der", "wb").write(bytes.fromhex("302a300506032b6570032100") + blob[1:])
    open("message", "wb").write(message.encode())
    open("signature", "wb").write(signature)
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der",
                    "-rawin", "-in", "message", "-sigfile", "signature"], check=True,
                   stdout=subprocess.DEVNULL)


check(sys.argv[1], 1, lines[0], False)
check(sys.argv[2], 4, lines[1], True)
links = [twin.parse_link(one.body) for one in twin.read_frames(open("a.twin", "rb").read())
         if one.kind == twin.LINK]
origin, size, root = text.splitlines()[:3]
assert origin == "twinchain/" + links[-1]["record"].hex(), origin
assert int(size) == len(links)
leaves = [hashlib.sha256(b"\0" + link["frame_root"]).digest() for link in links]
assert base64.b64decode(root) == twin.tree(leaves), root
PYTHON

# Who has not signed, who is said to have and has not, and nobody asked for.
stranger=$(twin-key note stranger)
expect_exit 7 verify note head.note --note-key "$vkey" --note-key "$witness"
expect_stdout 'not proven: checkpoint of '
expect_stdout 'unproven: note: not signed by witness'
expect_exit 7 verify note head.note --note-key "$stranger"
expect_exit 7 verify note head.note
expect_stdout 'unproven: no key was given'
expect_exit 7 verify note -q head.note
[ ! -s out ] || fail "-q"
sed 's/^6$/7/' head.note >changed.note
expect_exit 1 verify note changed.note --note-key "$vkey"
expect_stdout 'refuted: note: the signature of node is wrong'
expect_exit 2 verify note head.note --note-key "${vkey}A"
expect_exit 1 hashchain cosign --key witness.key --note-key "$vkey" changed.note
[ ! -s out ] || fail "cosigned what is false"
expect_exit 7 hashchain cosign --key witness.key --note-key "$stranger" head.note

# Not the record, a record that ends before, one that goes on, one that has no beginning, a fork.
expect_exit 0 frames cut --sequence 0..3 a.twin
cp out early.twin
expect_exit 1 verify note head.note --note-key "$vkey" early.twin
expect_stdout 'refuted: the stream ends with link 3, link 5 of the checkpoint is not there'
hashchain checkpoint --key node.key early.twin >early.note || fail "checkpoint"
expect_exit 0 verify note early.note --note-key "$vkey" a.twin
expect_exit 0 frames cut --sequence 2.. a.twin
cp out late.twin
expect_exit 0 verify note head.note --note-key "$vkey" late.twin
expect_stdout 'and its root is what the link says'
hashchain --key node.key raw.twin >other.twin || fail "hashchain"
expect_exit 1 verify note head.note --note-key "$vkey" other.twin
expect_stdout "refuted: the stream has no link of the checkpoint's record"
"$tamper" a.twin fork.twin seal=LINK:4..,node.key,samples,1
expect_exit 1 verify note head.note --note-key "$vkey" fork.twin
expect_stdout 'is another one than that of the checkpoint: the chain was forked'
"$tamper" a.twin bad.twin damage=LINK:3,3
expect_exit 4 verify note head.note --note-key "$vkey" bad.twin
expect_exit 4 hashchain checkpoint --key node.key bad.twin
"$tamper" a.twin bad.twin flip=LINK:3,320
expect_exit 1 hashchain checkpoint --key node.key bad.twin
[ ! -s out ] || fail "a checkpoint of what is false"
expect_exit 1 hashchain checkpoint --key node.key raw.twin

# The proof that one frame is in it, for every frame and every length of the record.
for last in 0 1 2 3 4 5; do
  frames cut --sequence "0..$last" a.twin >part.twin || fail "cut"
  for ((n = 0; n <= last; ++n)); do
    expect_exit 0 hashchain checkpoint --key node.key --proof-of "$n" part.twin
    cp out frame.proof
    expect_exit 0 verify note frame.proof --note-key "$vkey" a.twin
    expect_stdout "found: frame $n of the stream, source "
  done
done
[ "$(sed -n 1,2p frame.proof | tr '\n' ' ')" = 'c2sp.org/tlog-proof@v1 index 5 ' ] || fail "$(cat frame.proof)"
expect_exit 0 frames cut --sequence 5 a.twin
cp out one.twin
expect_exit 0 verify note frame.proof --note-key "$vkey" one.twin
expect_exit 7 verify note frame.proof --note-key "$vkey"
expect_stdout 'unproven: no stream was given with frame 5, of which this is the proof'
expect_exit 1 verify note frame.proof --note-key "$vkey" early.twin
expect_stdout "refuted: the stream has no link 5 of the checkpoint's record"
sed 's/^index 5$/index 4/' frame.proof >other.proof
expect_exit 1 verify note other.proof --note-key "$vkey" a.twin
expect_stdout 'refuted: the proof does not lead from frame 4 to the root of the checkpoint'
sed '3d' frame.proof >other.proof
expect_exit 1 verify note other.proof --note-key "$vkey" a.twin
sed '3s/^/A/' frame.proof >other.proof
expect_exit 4 verify note other.proof --note-key "$vkey" a.twin
expect_exit 1 hashchain checkpoint --key node.key --proof-of 6 a.twin
expect_stderr 'there is no frame 6, the newest is 5'
expect_exit 1 hashchain checkpoint --key node.key --proof-of 3 late.twin
expect_stderr 'a proof needs all links from 0 on'

# Several sources: one must be meant.
record engine-2 0 2 | hashchain --key node.key >second.twin || fail "hashchain"
cat a.twin second.twin >both.twin
expect_exit 2 hashchain checkpoint --key node.key both.twin
expect_stderr 'the stream has 2 sources with links'
expect_exit 0 hashchain checkpoint --key node.key --source engine-1 both.twin
expect_same out head.note
expect_exit 0 verify note head.note --note-key "$vkey" both.twin

# What is no note, no checkpoint, or none of a record.
malformed() { # MESSAGE
  expect_exit 4 verify note bad.note --note-key "$vkey"
  expect_stderr "verify: error: bad.note: $1"
  expect_exit 4 hashchain cosign --key witness bad.note
}
head -n 4 head.note >bad.note
malformed 'note: no empty line before the signatures'
sed 's/^6$/06/' head.note >bad.note
malformed 'note: checkpoint without a size'
printf 'a\nb\n' | cat - head.note >bad.note
malformed 'note: checkpoint without a size'
: >bad.note
malformed 'note: '
sed 's/^link 5/link 4/' head.note >bad.note
expect_exit 1 verify note bad.note --note-key "$vkey" a.twin
expect_exit 4 verify note bad.note a.twin
expect_stdout 'malformed: checkpoint: its link line is not right'
exit 0
