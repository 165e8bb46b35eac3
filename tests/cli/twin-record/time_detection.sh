# Times: ISO 8601 and epoch s, ms, us, ns are told apart, said, and read without loss; else arrival.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# detects FIELD TEXT NOTE NANOSECONDS: a CSV and an NDJSON row with this time.
detects() {
  local quoted=$2
  [[ $2 =~ ^[-0-9.]+$ && ! $2 =~ ^[0-9]+-[0-9]+- ]] || quoted="\"$2\""
  printf '%s,v\n%s,1\n' "$1" "$2" >in.csv
  printf '{"%s":%s,"v":1}\n' "$1" "$quoted" >in.ndjson
  local format
  for format in csv ndjson; do
    expect_exit 0 twin-record --format $format --source s --clock data <in.$format
    cp out a.twin
    [ "$(cat err)" = "twin-record: note: time from $([ $format = csv ] && echo column || echo key) \"$1\", $3" ] ||
      fail "$format $1=$2: $(cat err)"
    frames cat --time ns a.twin >out 2>err || fail "frames cat"
    [ "$(tail -n 1 out)" = "$4,1" ] || fail "$format $1=$2: $(tail -n 1 out) instead of $4"
  done
}
detects time 1767225600 'epoch seconds (detected)' 1767225600000000000
detects Timestamp 1767225600.123456789 'epoch seconds (detected)' 1767225600123456789
detects ts 1767225600123 'epoch milliseconds (detected)' 1767225600123000000
detects t 1767225600123.456 'epoch milliseconds (detected)' 1767225600123456000
detects TIME 1767225600123456 'epoch microseconds (detected)' 1767225600123456000
detects datetime 1767225600123456789 'epoch nanoseconds (detected)' 1767225600123456789
detects date 2026-01-01T00:00:00.123456789Z 'ISO 8601 (detected)' 1767225600123456789
detects _time 2026-01-01T01:00:00+01:00 'ISO 8601 (detected)' 1767225600000000000
detects @timestamp '2026-01-01 00:00:00.5' 'ISO 8601, UTC where no zone is given (detected)' 1767225600500000000
detects time 0 'epoch seconds (detected)' 0

# A field by name, a unit by name; nothing is guessed.
printf 'v,when\n1,1767225600\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data --time when --time-unit ms <in.csv
cp out a.twin
expect_stderr 'note: time from column "when", epoch milliseconds'
grep -q detected err && fail "a unit that was given counts as detected"
frames cat --time ns a.twin >out 2>err || fail "frames cat"
[ "$(tail -n 1 out)" = 1767225600000000,1 ] || fail "$(tail -n 1 out)"
expect_exit 4 twin-record --format csv --source s --time nowhere <in.csv
expect_stderr nowhere

# A time that cannot be read is a reject, never the time of arrival.
printf 'time,v\n1767225600,1\n,2\nsoon,3\n1767225601,4\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data <in.csv
cp out a.twin
expect_stderr 'note: of 4 rows: 2 rejected'
[ "$(frames cat a.twin | tail -n +2 | wc -l)" = 2 ] || fail "two rows expected"

# By arrival: in the window and between the two moments.
printf 'v,w\n1,2\n' >in.csv
before=$(date +%s%N)
expect_exit 0 twin-record --format csv --source s <in.csv
after=$(date +%s%N)
cp out a.twin
expect_stderr 'note: time from arrival'
time=$(frames cat --time ns a.twin | tail -n 1 | cut -d, -f1)
[ "$time" -ge "$before" ] && [ "$time" -le "$after" ] || fail "$before $time $after"
# --time-unit arrival keeps the times of the rows as values.
printf 'time,v\n1767225600,1\n' >in.csv
expect_exit 0 twin-record --format csv --source s --time-unit arrival <in.csv
cp out a.twin
[ "$(frames cat a.twin | cut -d, -f2-)" = "$(printf 'time,v\n1767225600,1')" ] || fail "$(frames cat a.twin)"
