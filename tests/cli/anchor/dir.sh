#!/usr/bin/env bash
# The embedded ledger, and what anchor does with any input.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
links=$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py

frames() { # FILE: the types of its frames, in order
  python3 - "$1" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
at, types = 0, []
while at < len(data):
    if data[at:at + 4] == b"\x89TW\x01":
        at += 8
        continue
    assert data[at:at + 4] == b"\xf4TwF", at
    kind, _, size = struct.unpack_from("<HHI", data, at + 4)
    types.append(str(kind))
    at += 64 + size
print(" ".join(types))
END
}
expect_frames() {
  local found
  found=$(frames "$2")
  [ "$found" = "$1" ] || fail "frames $found instead of $1 in $2"
}

# The newest link only, behind all of them, and the end.
"$links" --count 3 >b.twin
expect_exit 0 anchor --ledger dir:ledger b.twin
expect_frames "4 4 4 5 6" out
expect_no_stderr
mv out c.twin
# With -o the file appears whole.
expect_exit 0 anchor --ledger dir:ledger --state state -o d.twin <b.twin
expect_frames "4 4 4 5 6" d.twin
[ ! -s out ] || fail "standard output is not empty"

# What has an anchor is not published again; another ledger of the same kind knows nothing of it.
expect_exit 0 anchor --ledger dir:ledger c.twin
expect_same c.twin out
expect_exit 0 anchor --ledger dir:another c.twin
expect_frames "4 4 4 5 5 6" out

# Every chain of the input: two sources, and two records of one source one after the other.
{ "$links" --source a; "$links" --source b; "$links" --source b --record "$(printf '%032d' 7)"; } >many.twin
expect_exit 0 anchor --ledger dir:ledger many.twin
expect_frames "4 4 4 5 5 5 6" out

# Depth is mined where nobody else mines.
expect_exit 0 anchor --ledger dir:deep --depth 5 b.twin
expect_frames "4 4 4 5 6" out

# With --every, links are anchored on the way, each when it is the newest.
"$links" --count 4 --pause 0.5 | anchor --ledger dir:ledger --every 100ms >out || fail "exit $?"
anchors=$(frames out | tr ' ' '\n' | grep -c 5)
[ "$anchors" -ge 3 ] || fail "$anchors anchors"

# Nothing sealed, no stream, damage, truncation.
"$links" --count 0 >empty.twin
expect_exit 7 anchor --ledger dir:ledger empty.twin
expect_stderr 'nothing was sealed'
expect_same empty.twin out
expect_exit 4 anchor --ledger dir:ledger </dev/null
expect_stderr 'anchor: error: empty input'
expect_exit 4 anchor --ledger dir:ledger /etc/passwd
expect_stderr 'not a twin stream'
"$links" --count 3 --damage 1 >damaged.twin
expect_exit 4 anchor --ledger dir:ledger damaged.twin
expect_stderr 'anchor: error: byte 448 of the input: body crc mismatch'
expect_frames "4 4 5" out
"$links" --count 3 --no-end >torn.twin
expect_exit 4 anchor --ledger dir:ledger torn.twin
expect_stderr 'ends without an END frame'
expect_frames "4 4 4 5" out

# Frames that it does not know go through, unless they are critical.
PYTHONPATH=$TWINCHAIN_SOURCE/tests/cli PYTHONDONTWRITEBYTECODE=1 python3 - <<'END'
from twin_format import Frame, encode_stream
for name, flags in (("unknown.twin", 0), ("critical.twin", 1)):
    stream = encode_stream([Frame(77, bytes(16), 5, 0, 1, b"whatever", flags)])
    open(name, "wb").write(stream)
END
expect_exit 7 anchor --ledger dir:ledger unknown.twin
expect_same unknown.twin out
expect_exit 4 anchor --ledger dir:ledger critical.twin
expect_stderr 'is critical and not known to this version'

# Usage.
expect_exit 2 anchor b.twin
expect_stderr 'anchor: error: --ledger is missing'
expect_exit 2 anchor --ledger tape:ledger b.twin
expect_stderr 'not a ledger: tape:ledger'
expect_exit 2 anchor --ledger dir:ledger --every 5 b.twin
expect_stderr 'anchor: hint: a number and a unit'
expect_exit 2 anchor --ledger dir:ledger --depth 0 b.twin
expect_exit 2 anchor --ledger dir:ledger --collect
expect_stderr '--collect needs --state DIR'
expect_exit 2 anchor --ledger dir:ledger --no-wait b.twin
expect_exit 2 anchor --ledger bitcoin:https://127.0.0.1:8332 b.twin
expect_stderr 'https to a node is not supported'
expect_exit 2 anchor --ledger bitcoin:http://127.0.0.1 b.twin
expect_stderr 'names no port'

# A state folder is of one ledger, and is refused when it was damaged.
expect_exit 0 anchor --ledger dir:ledger --state state --collect </dev/null
expect_frames "5 6" out
sed -i 's/^order: 1$/order: 2/' state/*.anchor
expect_exit 4 anchor --ledger dir:ledger --state state b.twin
expect_stderr 'anchor file is damaged: crc32c does not match'

# It is quick: nothing waits where there is nothing to wait for.
began=$(date +%s%N)
for _ in 1 2 3 4 5; do anchor --ledger dir:quick b.twin >out || fail "exit $?"; done
took=$((($(date +%s%N) - began) / 5000000))
printf '%d ms a run\n' "$took"
[ "$took" -lt 1000 ] || fail "$took ms a run"
