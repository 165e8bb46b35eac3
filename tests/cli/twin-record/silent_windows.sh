# A window without rows has a frame, too: silence is on record and no gap.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# windows FILE: start and end of each DATA frame, and its rows, in order.
windows() {
  frames ls --json "$1" | python3 -c '
import json, sys
for line in sys.stdin:
    one = json.loads(line)
    if one["type"] == "DATA":
        print(one["sequence"], one["window_start"], one["window_end"], one["rows"])'
}
contiguous() {
  windows "$1" >windows
  awk 'NR > 1 && $2 != end { print "gap before window", $1; exit 1 } $1 != NR - 1 { print "number", $1; exit 1 } { end = $3 }' windows
}

# By the clock of the data: 1 s, then 4 s of nothing.
printf 'time,v\n1,1\n6.5,2\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1s <in.csv
cp out a.twin
contiguous a.twin || fail "windows: $(cat windows)"
[ "$(awk '{ print $4 }' windows | tr '\n' ' ')" = "1 0 0 0 0 1 " ] || fail "rows of the windows: $(cat windows)"

# Before the first row no channel is known, and a pipe's header waits for it.
mkfifo early
twin-record --format csv --source s --every 20ms <early >d.twin 2>record.err &
pid=$!
stop_on_exit $pid
exec 3>early
printf 'time,v\n' >&3
silent() { [ "$(frames ls d.twin 2>/dev/null | grep -c ' DATA .* 0 rows')" -ge 1 ]; }
wait_for 20 silent || fail "no frame before the first row"
frames cat d.twin 2>err >out
[ "$(cat out)" = time ] || fail "the header of no channels: $(cat out)"
printf '1,5\n' >&3
exec 3>&-
wait $pid || fail "the recorder ended with $?"
expect_exit 0 bash -c 'cat d.twin | frames cat --time ns'
printf '%s\n' time,v 1000000000,5 | cmp - out || fail "from a pipe: $(cat out)"

# More than 3600 of them are one.
printf 'time,v\n1,1\n1000000,2\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1s <in.csv
cp out b.twin
contiguous b.twin || fail "windows: $(cat windows)"
[ "$(wc -l <windows)" = 3 ] || fail "one window for a long silence: $(wc -l <windows)"

# By the clock of this machine: nothing comes, frames do.
mkfifo pipe
twin-record --format csv --source s --every 20ms <pipe >c.twin 2>record.err &
pid=$!
stop_on_exit $pid
exec 3>pipe
many() { [ "$(frames ls c.twin 2>/dev/null | grep -c ' DATA ')" -ge 10 ]; }
wait_for 20 many || fail "no frames of silence"
printf 'v\n1\n' >&3
exec 3>&-
wait $pid || fail "twin-record"
contiguous c.twin || fail "windows: $(cat windows)"
[ "$(awk '{ rows += $4 } END { print rows }' windows)" = 1 ] || fail "one row expected"

# No input at all: a frame that says so.
expect_exit 0 twin-record --format csv --source s </dev/null
cp out d.twin
contiguous d.twin || fail "windows: $(cat windows)"
[ "$(wc -l <windows)" = 1 ] || fail "one window expected"

# verify counts silence as silence.
twin-key new node >/dev/null || fail "twin-key"
hashchain --key node.key --state state <a.twin >sealed.twin 2>err || fail "hashchain"
expect_exit 0 verify --offline --key node.pub sealed.twin
expect_stdout '6 windows proven, 4 silent'
