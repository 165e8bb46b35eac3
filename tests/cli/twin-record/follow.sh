# twin-record --follow: a file that grows, is renamed and made anew, is cut; and a later start.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

rows() { frames cat --time ns "$1" 2>/dev/null | tail -n +2 | wc -l; }
has_rows() { [ "$(rows "$1")" -ge "$2" ]; }
start() {
  twin-record --format csv --source s --follow --spool spool --every 50ms in.csv >"$1" 2>record.err &
  pid=$!
  stop_on_exit $pid
}
stop() {
  local code=0
  kill -TERM $pid
  wait $pid || code=$?
  cp record.err err
  [ $code = 0 ] || fail "exit $code after SIGTERM"
}

# Not there yet.
start a.twin
wait_for 20 grep -q 'in.csv is not there yet' record.err || fail "no note that the file is missing"
printf 'time,v\n1,1\n2,2' >in.csv
wait_for 20 has_rows a.twin 1 || fail "the first row"
# A line counts when its end has come: this one is 20, not 2.
printf '0\n3,30\n' >>in.csv
wait_for 20 has_rows a.twin 3 || fail "rows that were appended"

# Rotated: what is still written to the old file comes first, then the new one with its header.
exec 3>>in.csv
mv in.csv in.csv.1
printf '4,40\n5,50' >&3
exec 3>&-
printf 'time,v\n6,60\n' >in.csv.new
mv in.csv.new in.csv
wait_for 20 has_rows a.twin 6 || fail "rows of the rotated file: $(rows a.twin)"
grep -q 'note: in.csv was replaced' record.err || fail "no note of the rotation"

# Cut, and written anew without a header.
: >in.csv
wait_for 20 grep -q 'in.csv was cut to 0 bytes' record.err || fail "no note of the cut"
printf '7,70\n8,80\n' >>in.csv
wait_for 20 has_rows a.twin 8 || fail "rows after the cut: $(rows a.twin)"
# Cut and filled beyond where it was, while nobody was looking.
kill -STOP $pid
printf 'time,v\n8.5,85\n8.75,875\n' >in.csv
kill -CONT $pid
wait_for 20 has_rows a.twin 10 || fail "rows of the file that was written anew: $(rows a.twin)"
grep -q 'note: in.csv was written anew' record.err || fail "no note of the new content"
stop
grep -v 'there yet\|was replaced\|was cut\|was written anew\|time from' record.err && fail "other messages"

# Away: rows are written, the file is rotated, more are written; the next start misses none.
printf '9,90\n' >>in.csv
mv in.csv in.csv.1
printf 'time,v\n10,100\n' >in.csv
start b.twin
wait_for 20 has_rows b.twin 2 || fail "rows that came while nobody was there"
stop
grep -q 'note: going on in .*in.csv.1, which in.csv was renamed to' err || fail "no note of the rename"

cat a.twin b.twin >both.twin
expect_exit 0 frames cat --time ns both.twin
printf '%s\n' 1000000000,1 2000000000,20 3000000000,30 4000000000,40 5000000000,50 6000000000,60 7000000000,70 \
  8000000000,80 8500000000,85 8750000000,875 9000000000,90 10000000000,100 >wanted
tail -n +2 out >rows
expect_same rows wanted
expect_exit 0 frames rejects both.twin
[ ! -s out ] || fail "a row was rejected: $(cat out)"
# Windows of the two runs are numbered on.
frames ls both.twin | awk '$3 == "DATA" { print $5 }' >numbers
seq 0 $(($(wc -l <numbers) - 1)) >wanted
expect_same numbers wanted

# What cannot be followed.
expect_exit 2 twin-record --format csv --source s --follow <in.csv
expect_stderr 'error: --follow needs the name of a file'
mkfifo pipe
expect_exit 2 twin-record --format csv --source s --follow pipe
expect_stderr 'hint: --follow is for files'
