#!/usr/bin/env bash
# Damaged, truncated and unknown input: exit 4 with the place, what came before is sealed, no END.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py
no_end() { "$stream" list out | grep -q END && fail "END after a fault"; true; }

twin-key new node || fail "new"
"$stream" make --no-schema --count 4 >good.twin
frame_size=$((64 + 32 + 12 + 224 + 12 + 100))
third=$((8 + 2 * frame_size))

change() { # OFFSET: flips a bit of good.twin
  cp good.twin a.twin
  python3 - "$1" <<'END'
import sys
with open("a.twin", "r+b") as file:
    file.seek(int(sys.argv[1]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[1]))
    file.write(bytes([byte ^ 1]))
END
}

change $((third + 64 + 300))
expect_exit 4 hashchain --key node.key <a.twin
expect_stderr "hashchain: error: DATA frame 2 at byte $third: body crc mismatch"
[ "$("$stream" check out)" = 2 ] || fail "links before the damage"
no_end

change $((third + 40))
expect_exit 4 hashchain --key node.key <a.twin
expect_stderr "hashchain: error: input damaged at byte $third: header crc mismatch"
[ "$("$stream" check out)" = 2 ] || fail "links before the damage"
no_end

head -c $((third + 70)) good.twin >a.twin
expect_exit 4 hashchain --key node.key <a.twin
expect_stderr "DATA frame 2 at byte $third: ends inside the body of a frame"
no_end

"$stream" make --no-schema --count 2 --critical >a.twin
expect_exit 4 hashchain --key node.key <a.twin
expect_stderr "type 0x4321 frame 0 at byte $third: unknown, and marked as one that must be understood"
no_end

# A file is there when it is complete, or not at all.
echo before >b.twin
expect_exit 4 hashchain --key node.key -o b.twin a.twin
[ "$(cat b.twin)" = before ] || fail "-o wrote a file although the input failed"
[ "$(echo b.twin*)" = b.twin ] || fail "temporary file left"

# The reader goes away: silence, SIGPIPE, and the state stays good.
"$stream" make --count 60 --size 5000 >long.twin
hashchain --key node.key --state state <long.twin 2>err | head -c 1000 >part
[ "${PIPESTATUS[0]}" = 141 ] || fail "not ended by SIGPIPE"
expect_no_stderr
expect_exit 0 hashchain --key node.key --state state <long.twin
[ "$("$stream" check out)" = 60 ] || fail "after a broken pipe"
exit 0
