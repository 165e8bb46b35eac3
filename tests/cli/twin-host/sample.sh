# twin-host: rows at the rate asked for, a schema that fits them, signals, a reader that goes.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

expect_exit 0 twin-host --rate 200 --duration 500ms
cp out in.csv
expect_no_stderr
[ "$(wc -l <in.csv)" = 101 ] || fail "$(wc -l <in.csv) lines instead of 101"
awk -F, 'NR == 1 { fields = NF; next } NF != fields { exit 1 } NR > 2 && $1 <= before { exit 2 } { before = $1 }' in.csv ||
  fail "rows of other lengths, or times that do not grow"
first=$(sed -n 2p in.csv | cut -d, -f1)
last=$(tail -n 1 in.csv | cut -d, -f1)
[ $((last - first)) -ge 250000000 ] || fail "100 rows at 200 Hz took $((last - first)) ns"

# The schema has the very channels of the header line, and no value is rejected with it.
expect_exit 0 twin-host --schema
cp out host.json
python3 - 2>err <<'END' || fail "schema and header differ"
import json
names = [one["name"] for one in json.load(open("host.json"))["contents"]]
header = open("in.csv").readline().strip().split(",")
assert header == ["time"] + names and len(names) > 5, (header, names)
END
expect_exit 0 twin-record --format csv --schema host.json --source host --clock data --every 1s --strict <in.csv
cp out a.twin
expect_exit 0 frames info a.twin
expect_stdout 'rows          100'
# Bit for bit what was printed.
frames cat --time ns a.twin >back.csv 2>err || fail "frames cat"
python3 - 2>err <<'END' || fail "values differ"
import csv, struct
for row, back in zip(list(csv.reader(open("in.csv")))[1:], list(csv.reader(open("back.csv")))[1:]):
    assert row[0] == back[0]
    for one, other in zip(row[1:], back[1:]):
        assert (one == other == "") or struct.pack("<d", float(one)) == struct.pack("<d", float(other)), (one, other)
END

# Until a signal comes.
twin-host --rate 100 >endless.csv 2>host.err &
pid=$!
stop_on_exit $pid
many() { [ "$(wc -l <endless.csv)" -gt 5 ]; }
wait_for 20 many || fail "no rows"
kill -TERM $pid
wait $pid || fail "exit $? after SIGTERM"
[ ! -s host.err ] || fail "$(cat host.err)"
[ "$(tail -c 1 endless.csv | od -An -tx1 | tr -d ' ')" = 0a ] || fail "the last row is cut"
# Until the reader goes.
twin-host --rate 10000 2>err | head -n 3 >three
codes=("${PIPESTATUS[@]}")
[ "${codes[0]}" = 141 ] || fail "exit ${codes[0]} instead of 141"
expect_no_stderr

for bad in 0 -1 100001 nan often; do
  expect_exit 2 twin-host "--rate=$bad" --duration 1s
  expect_stderr 'twin-host: error: '
done
expect_exit 2 twin-host --duration soon
expect_stderr 'twin-host: error: --duration: not a duration: soon'
