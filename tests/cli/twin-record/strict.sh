# twin-record --strict stops at the first row that cannot be read: exit 4, its place, no END.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

printf 'time,v\n1,1\n2,2\n3,oops\n4,4\n' >in.csv
expect_exit 4 twin-record --format csv --source s --clock data --every 1s --strict <in.csv
cp out a.twin
expect_stderr 'twin-record: error: line 4 at byte 15: '
expect_stderr v
[ "$(grep -c 'error' err)" = 1 ] || fail "more than one line"
# The rows before it are on record; whoever reads sees that the stream is not whole.
expect_exit 4 frames cat --time ns a.twin
printf 'time,v\n1000000000,1\n2000000000,2\n' | cmp - out || fail "the rows before the bad one"
twin-key new node >/dev/null || fail "twin-key"
expect_exit 4 hashchain --key node.key --state state <a.twin

# Without it the row is kept as a reject.
expect_exit 0 twin-record --format csv --source s --clock data --every 1s <in.csv
cp out b.twin
expect_stderr 'warning: row rejected, line 4: '
expect_stderr 'note: of 4 rows: 1 rejected'
expect_exit 0 frames cat --time ns b.twin
[ "$(tail -n +2 out | wc -l)" = 3 ] || fail "three rows expected"

# -o FILE: nothing appears, and what was there stays.
echo before >c.twin
expect_exit 4 twin-record --format csv --source s --clock data --strict -o c.twin in.csv
[ "$(cat c.twin)" = before ] || fail "an unfinished file took the place of the old one"
[ -z "$(find . -name '*.tmp-*')" ] || fail "a temporary file is left"

# With a spool the next start finishes the window, and has the row as a reject.
expect_exit 4 twin-record --format csv --source s --clock data --every 1h --strict --spool spool <in.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1h --spool spool </dev/null
cp out d.twin
expect_exit 0 frames cat --time ns d.twin
[ "$(tail -n +2 out | wc -l)" = 3 ] || fail "three rows expected: $(cat out)"
expect_exit 0 frames rejects d.twin
expect_stdout '"text":"3,oops"'

# A header that cannot be used stops always.
printf 'v,v\n1,2\n' >bad.csv
expect_exit 4 twin-record --format csv --source s <bad.csv
expect_stderr 'error: line 1 at byte 0: header: '
