#!/usr/bin/env bash
# put and get: the same frames come back, whole or by source, time, number, channel and type; what put
# refuses; every message of the two.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

make_record
record engine-2 2 3 | hashchain --key node.key >b.twin || fail "engine-2"
expect_exit 0 store put rec a.twin
expect_no_stderr
[ ! -s out ] || fail "put prints"
expect_exit 0 store put -v rec - <b.twin
expect_stderr 'stored 8 frames'

# Again, in any portion: nothing is stored twice.
cp rec/segments/00000001.twin before
expect_exit 0 store put -v rec a.twin
expect_stderr 'stored 0 frames, 0 bytes; 16 were there already'
frames cut --sequence 2..4 a.twin >part.twin || fail "cut"
expect_exit 0 store put rec part.twin
expect_same before rec/segments/00000001.twin

# All of it, in the order of sources and numbers; export in the order of storing.
expect_exit 0 store get rec
cp out all.twin
cat a.twin b.twin >both.twin
[ "$(sorted all.twin)" = "$(sorted both.twin)" ] || fail "other frames came back"
judge 0 - --key node.pub --offline all.twin
expect_exit 0 store export rec
[ "$(sorted out)" = "$(sorted both.twin)" ] || fail "export"
expect_exit 0 store export rec -o export.twin
judge 0 - --key node.pub --offline export.twin
frames ls export.twin >list
frames ls both.twin | cut -d ' ' -f 2- >wanted
cut -d ' ' -f 2- list >list2
expect_same wanted list2

# A part: source by name and id, numbers, times, channels, types.
id=$(printf engine-2 | sha256sum | head -c 32)
for name in engine-2 "$id"; do
  expect_exit 0 store get rec --source "$name"
  [ "$(sorted out)" = "$(sorted b.twin)" ] || fail "source $name"
done
expect_exit 0 store get rec --source engine-1 --sequence 2..3
expect_types 'ANCHOR 1 DATA 2 LINK 2 REJECT 1 SCHEMA 1' out
expect_exit 0 store get rec --source engine-1 --sequence 5 -o five.twin
expect_types 'ANCHOR 1 DATA 1 LINK 1 SCHEMA 1' five.twin
[ ! -s out ] || fail "-o and standard output"
expect_exit 0 store get rec --source engine-1 --from 2026-01-01T00:00:01Z --to 2026-01-01T00:00:03Z
cp out cut.twin
expect_types 'ANCHOR 1 DATA 2 LINK 2 REJECT 1 SCHEMA 1' cut.twin
judge 0 - --key node.pub --offline --partial cut.twin
expect_exit 0 store get rec --to 2026-01-01T00:00:00.5Z
expect_types 'DATA 1 LINK 1 SCHEMA 1' out
expect_exit 0 store get rec --source engine-1 --channel pressure
cp out slice.twin
expect_types 'ANCHOR 2 LINK 6 SCHEMA 1 SLICE 6' slice.twin
judge 0 - --key node.pub --offline --partial slice.twin
expect_exit 0 frames cat --channel pressure slice.twin
[ "$(wc -l <out)" = 25 ] || fail "rows of a slice"
expect_exit 0 store get rec --type link --type anchor
expect_types 'ANCHOR 2 LINK 9' out
expect_exit 0 store get rec --source engine-1 --sequence 4.. --type data
expect_types 'DATA 2 SCHEMA 1' out

# --pass: the stream goes on once it is durable, whole, or without END when it was not.
expect_exit 0 store put --pass other a.twin
expect_same a.twin out
head -c -80 a.twin >open.twin
expect_exit 4 store put --pass other open.twin
expect_same open.twin out
expect_stderr 'store: error: input at byte '

# Damaged input: what is sound is stored, the rest is told with its place.
"$tamper" a.twin damaged.twin damage=DATA:3,-3
expect_exit 4 store put damaged damaged.twin
expect_stderr "store: error: input at byte $(where a.twin DATA:3): body crc mismatch"
expect_stderr "(DATA frame 3 of source $(printf engine-1 | sha256sum | head -c 32))"
expect_exit 0 store get damaged
expect_types 'ANCHOR 2 DATA 5 LINK 6 REJECT 1 SCHEMA 1' out
# And the sound frame is taken when it comes.
expect_exit 0 store put damaged a.twin
expect_exit 0 store get damaged
[ "$(sorted out)" = "$(sorted a.twin)" ] || fail "after the damage was made good"
expect_exit 4 store put nothing </dev/null
expect_stderr 'store: error: empty input'
expect_exit 4 store put nothing "$TWINCHAIN_SOURCE/README.md"
expect_stderr 'not a twin stream'

# A fork is refused with the rest of its source, the other sources are stored.
"$tamper" a.twin other.twin flip=DATA:3,-3
record engine-3 0 2 | hashchain --key node.key >c.twin || fail "engine-3"
cat other.twin c.twin >fork.twin
expect_exit 1 store put rec fork.twin
expect_stderr 'DATA frame 3 is another one than the one that is stored (segment 00000001.twin'
expect_stderr 'store: hint: nothing stored is changed; the rest of this source is refused, too'
expect_stderr 'frames of source '
expect_exit 0 store get rec --source engine-3
[ "$(sorted out)" = "$(sorted c.twin)" ] || fail "engine-3"
expect_exit 0 store get rec --source engine-1
[ "$(sorted out)" = "$(sorted a.twin)" ] || fail "engine-1 has changed"
"$tamper" a.twin chain.twin seal=LINK:5,node.key,samples,1
frames cut --sequence 0..4 a.twin >five.twin || fail "cut"
expect_exit 0 store put chain five.twin
"$tamper" chain.twin link.twin seal=LINK:3..,node.key,samples,1
frames cut --sequence 5 link.twin >six.twin || fail "cut"
expect_exit 1 store put chain six.twin
expect_stderr 'LINK frame 5 does not fit to LINK frame 4 that is stored: the chain has forked'

# A critical frame that is not known stops; others are kept and come back.
PYTHONPATH=$TWINCHAIN_SOURCE/tests/cli PYTHONDONTWRITEBYTECODE=1 python3 - <<'PYTHON'
from twin_format import Frame, encode_stream, source_id
for name, flags in (("unknown.twin", 0), ("critical.twin", 1)):
    frame = Frame(0x4321, source_id("engine-1"), 5, 0, 1, b"whatever", flags)
    open(name, "wb").write(encode_stream([frame]))
PYTHON
expect_exit 4 store put rec critical.twin
expect_stderr 'frame of unknown type 0x4321 that must be understood'
expect_exit 0 store put unknown unknown.twin
expect_exit 0 store get unknown
expect_same unknown.twin out

# Usage and what is not there.
expect_exit 1 store get rec --source engine-9
expect_stderr 'store: error: no source engine-9 in rec'
expect_stderr 'store: hint: store ls rec shows the sources'
expect_exit 1 store get rec --sequence 100..200
expect_stderr 'store: error: no frame in the store is in that range'
expect_exit 2 store get rec --from 2026-01-02 --to 2026-01-01
expect_stderr 'store: error: --from is not before --to'
expect_exit 2 store get rec --from yesterday
expect_stderr 'store: error: --from: not a time: yesterday'
expect_exit 2 store get rec --sequence 5..4
expect_stderr 'store: error: not a range of sequence numbers: 5..4'
expect_exit 2 store get rec --type end
expect_stderr 'store: error: --type: no type of frame: end'
expect_exit 2 store get rec --channel nothing
expect_stderr 'has no channel nothing'
expect_exit 2 store get nowhere
expect_stderr 'store: error: nowhere is not a store'
expect_exit 2 store put rec --segment-size 1KiB a.twin
expect_stderr 'store: error: --segment-size: not a size from 64KiB to 1024GiB: 1KiB'
expect_exit 2 store
expect_exit 2 store put
expect_exit 5 store put rec missing.twin
expect_stderr 'missing.twin'
: >file
expect_exit 5 store put file a.twin

# One writer at a time.
mkfifo live
store put rec <live 2>put.err &
writer=$!
stop_on_exit $writer
exec 9>live
wait_for 20 is_locked rec/LOCK || fail "put does not lock"
expect_exit 5 store put rec a.twin
expect_stderr 'is in use by another process'
# A signal ends it with what came so far.
head -c 1000 c.twin >&9
kill -TERM $writer
wait $writer
[ $? = 3 ] || fail "put after SIGTERM"
grep -q 'stopped by a signal' put.err || fail "no word about the signal"
exec 9>&-
expect_exit 0 store fsck rec
exit 0
