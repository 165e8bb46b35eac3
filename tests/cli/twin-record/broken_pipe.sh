# The reader of standard output goes: twin-record ends by SIGPIPE as other programs do, silently; with a
# spool nothing is lost.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# Noise in text, so that the stream is far larger than a pipe.
python3 -c '
import random
chance = random.Random(3)
print("time,text")
for i in range(80):
    print("%d,%s" % (i + 1, chance.randbytes(5000).hex()))' >in.csv
twin-record --format csv --source s --clock data --every 1s in.csv 2>err | head -c 100000 >part
codes=("${PIPESTATUS[@]}")
[ "${codes[0]}" = 141 ] || fail "exit ${codes[0]} instead of 141"
grep -v 'note: time from' err && fail "a message beside the time"

twin-record --format csv --source s --clock data --every 1s --spool spool <in.csv 2>err | head -c 100000 >part
codes=("${PIPESTATUS[@]}")
[ "${codes[0]}" = 141 ] || fail "exit ${codes[0]} instead of 141"
expect_exit 0 twin-record --format csv --source s --clock data --every 1s --spool spool </dev/null
frames cat --time ns out 2>err | tail -n +2 >rows
[ "$(wc -l <rows)" = 80 ] || fail "$(wc -l <rows) of 80 rows after the reader went"
sort -n rows | sed 's/000000000,/,/' | cmp - <(tail -n +2 in.csv) || fail "rows"

# A disk that is full, and a standard output that is closed.
expect_exit 5 bash -c 'twin-record --format csv --source s --clock data in.csv >/dev/full'
expect_stderr 'twin-record: error: '
expect_stderr 'no space left on device'
expect_exit 5 bash -c 'twin-record --format csv --source s --clock data in.csv >&-'
[ "$(grep -c error err)" = 1 ] || fail "not one line: $(cat err)"
# Help to a reader that has gone is no crash.
twin-record --help 2>err | true
[ ! -s err ] || fail "help: $(cat err)"
