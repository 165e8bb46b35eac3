# What the tests of --listen share: sourced, not run.
# shellcheck shell=bash
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
sockets=$TWINCHAIN_SOURCE/tests/cli/twin-record/sockets.py
export PYTHONDONTWRITEBYTECODE=1

rows() { frames cat "$1" 2>/dev/null | tail -n +2 | wc -l; }
has_rows() { [ "$(rows "$1")" -ge "$2" ]; }
# listen ADDRESS OPTION...: sets pid and address.
listen() {
  : >record.err
  twin-record --format csv --source s --every 50ms --listen "$@" >a.twin 2>record.err &
  pid=$!
  stop_on_exit $pid
  wait_for 20 grep -q 'note: listening on ' record.err || fail "twin-record does not listen: $(cat record.err)"
  address=$(sed -n 's/^twin-record: note: listening on //p' record.err)
}
stop_listening() {
  local code=0
  kill -TERM $pid
  wait $pid || code=$?
  cp record.err err
  [ $code = 0 ] || fail "exit $code after SIGTERM"
}

# Several writers at a time, their lines in pieces: no line of one is mixed with another's.
check_many() {
  "$sockets" many "$address" 20 50 || fail "writers"
  wait_for 30 has_rows a.twin 1000 || fail "$(rows a.twin) of 1000 rows"
  expect_exit 4 frames cat --format ndjson --time ns --channel writer --channel row a.twin
  python3 - <<'END' || fail "rows are mixed or lost"
import json
seen = {}
for line in open("out"):
    row = json.loads(line)
    writer, number = int(row["writer"]), int(row["row"])
    assert row["time"] == (1_700_000_000 + number) * 10**9 + writer * 10**6, row
    seen.setdefault(writer, []).append(number)
assert sorted(seen) == list(range(20)), sorted(seen)
for writer, numbers in seen.items():
    assert numbers == list(range(50)), (writer, numbers)
END
}

# A writer that vanishes in the middle of a line: half of a number is no number.
check_vanishing() {
  "$sockets" text "$address" 'time,row,writer\n1800000000,1,2\n1800000001,12' || fail "writer"
  "$sockets" text "$address" 'time,row,writer\n1800000002,1,2\n1800000003,1,2' || fail "writer"
  wait_for 20 has_rows a.twin 1002 || fail "$(rows a.twin) of 1002 rows"
  "$sockets" hold "$address" 'time,row,writer\n1800000004,1,2\n1800000005,1' >held &
  local writer=$!
  stop_on_exit $writer
  wait_for 20 grep -q there held || fail "writer"
  wait_for 20 has_rows a.twin 1003 || fail "$(rows a.twin) of 1003 rows"
  kill -9 $writer
  wait $writer 2>/dev/null
  wait_for 20 has_rejects 3 || fail "rows that were cut short are not in the record"
  expect_exit 4 frames rejects a.twin
  expect_stdout '"text":"1800000001,12"'
  expect_stdout '"text":"1800000003,1,2"'
  expect_stdout '"text":"1800000005,1"'
}
has_rejects() { [ "$(frames rejects a.twin 2>/dev/null | grep -c 'cut short: the connection ended in this row')" = "$1" ]; }
