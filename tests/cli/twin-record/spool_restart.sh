# twin-record --spool: SIGKILL again and again; the next start continues, with nothing lost or doubled.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

mkfifo pipe
# start N: a recorder that reads what is written to descriptor 3; its output goes into N.twin by a pipe.
start() {
  twin-record --format csv --source s --every 200ms --spool spool --spool-size 64MiB <pipe 2>"record-$1.err" > >(cat >"$1.twin") &
  pid=$!
  stop_on_exit $pid
  exec 3>pipe
}
is_logged() { grep -qaF "$1" spool/wal-* spool/frames-* || has_row "$1"; }
has_row() { frames cat --time ns "$run.twin" 2>/dev/null | grep -q "^$1"; }
# Values are numbers of at least 12 digits, which the log holds as they were read.
number=100000000000
for run in 1 2 3 4; do
  start $run
  printf 'time,v\n' >&3
  for _ in 1 2 3 4 5 6 7 8; do
    number=$((number + 1))
    printf '%d,%d\n' $number $number >&3
  done
  # A line that the kill cuts in two.
  [ $run = 4 ] || printf '%d,77' $((number + 1)) >&3
  wait_for 20 is_logged $number || fail "run $run: row $number was not read"
  [ $run = 4 ] && break
  wait_for 20 is_logged "$((number + 1)),77" || fail "run $run: the row that is cut"
  kill -9 $pid
  wait $pid 2>/dev/null
  exec 3>&-
done
exec 3>&-
wait $pid || fail "the last run ended with $?"
for run in 1 2 3 4; do
  grep -v -E '^twin-record: note: (time from|sent [0-9]+ windows? again|finished window|left out [0-9]+ bytes|of [0-9]+ rows)|^twin-record: warning: row rejected' "record-$run.err" &&
    fail "other messages in run $run"
done
grep -qE '^twin-record: note: finished window [0-9]+ of the last run with [0-9]+ rows$' record-[234].err ||
  fail "no window was finished"

# All four streams together: frames that were sent twice are the same, numbers go on without a gap,
# and each row is there once.
export PYTHONDONTWRITEBYTECODE=1
python3 - >all.twin 2>err <<'END' || fail "streams of the runs"
import os, sys
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli/hashchain")
import twin_stream
seen, numbers = {}, []
sys.stdout.buffer.write(b"\x89TW\x01\r\n\x1a\n")
for run in "1234":
    for kind, source, sequence, body, whole in twin_stream.read(run + ".twin"):
        if kind == 6 or seen.get((kind, sequence)) == whole:
            continue
        assert kind == 1 or (kind, sequence) not in seen, ("not the same when sent again", kind, sequence)
        seen[kind, sequence] = whole
        sys.stdout.buffer.write(whole)
        if kind == 2:
            numbers.append(sequence)
assert numbers == list(range(len(numbers))), numbers
END
frames cat --time ns all.twin 2>err | tail -n +2 >rows
for ((n = 100000000001; n <= number; ++n)); do printf "%d000000,%d\n" $n $n; done >wanted
sort rows | uniq -d | grep . && fail "rows are there twice"
expect_same rows wanted
frames rejects all.twin >rejects 2>err
[ "$(grep -c 'cut short: recording was interrupted' rejects)" = 3 ] || fail "three rows were cut short: $(cat rejects)"

# Nothing was acknowledged: a store takes all of it again.
twin-record --format csv --source s --spool spool </dev/null 2>err | store put --acknowledge spool rec 2>store.err || fail "store put"
store get rec 2>err | frames cat --time ns 2>>err | tail -n +2 >rows
expect_same rows wanted
# Now all of it is: nothing is sent again.
expect_exit 0 twin-record --format csv --source s --spool spool </dev/null
grep -q 'again' err && fail "frames were sent again that are in the store"

# One recorder at a time, one source a spool, no other options while rows wait.
start 5
printf 'time,v\n' >&3
printf '123456789012,1\n' >&3
wait_for 20 is_logged 123456789012 || fail "run 5"
expect_exit 5 twin-record --format csv --source s --spool spool </dev/null
grep -q '^twin-record: error: .*spool.*use' err || fail "not said that the spool is in use"
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&-
expect_exit 2 twin-record --format csv --source other --spool spool </dev/null
expect_stderr 'error: spool is the spool of source s, not of other'
expect_stderr 'hint: each source has a spool folder of its own'
