# SIGINT and SIGTERM: what has arrived is recorded, the window is closed, END is written, exit 0.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# Out of the way of the shell, which starts background jobs with SIGINT ignored.
launch() {
  exec python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}
mkfifo pipe
taken() { grep -qaF "$1" spool/wal-* 2>/dev/null; }
for signal in INT TERM; do
  for spool in '' '--spool spool'; do
    rm -rf spool a.twin
    # shellcheck disable=SC2086  # two words or none
    launch twin-record --format csv --source s --every 1h $spool <pipe >a.twin 2>record.err &
    pid=$!
    stop_on_exit $pid
    exec 3>pipe
    printf 'time,v\n1,1\n2,2\n3,hal' >&3
    if [ -n "$spool" ]; then
      wait_for 20 taken 3,hal || fail "not read"
    else
      wait_for 20 grep -q 'time from' record.err || fail "not read"
    fi
    # Also what is still in the pipe when the signal comes.
    kill -STOP $pid
    printf 'f\n4,4\n5,5' >&3
    kill -$signal $pid
    kill -CONT $pid
    code=0
    wait $pid || code=$?
    exec 3>&-
    cp record.err err
    [ $code = 0 ] || fail "exit $code after SIG$signal"
    expect_exit 0 frames cat --time ns a.twin
    printf '%s\n' time,v 1000000000,1 2000000000,2 4000000000,4 | cmp - out || fail "SIG$signal $spool: $(cat out)"
    expect_exit 0 frames rejects a.twin
    expect_stdout '"text":"3,half"'
    expect_stdout '"text":"5,5"'
    expect_stdout 'cut short: recording was stopped'
    [ "$(frames ls a.twin | grep -c ' DATA ')" = 1 ] || fail "one window expected"
  done
done

# -o FILE is complete then, and appears.
launch twin-record --format csv --source s --every 1h -o b.twin <pipe 2>record.err &
pid=$!
stop_on_exit $pid
exec 3>pipe
printf 'time,v\n1,1\n' >&3
wait_for 20 grep -q 'time from' record.err || fail "not read"
[ ! -e b.twin ] || fail "an unfinished file is there"
kill -TERM $pid
wait $pid || fail "exit $?"
exec 3>&-
expect_exit 0 frames cat b.twin
[ -z "$(find . -name '*.tmp-*')" ] || fail "a temporary file is left"

# Killed with -o: nothing appears.
launch twin-record --format csv --source s --every 1h -o c.twin <pipe 2>record.err &
pid=$!
stop_on_exit $pid
exec 3>pipe
printf 'time,v\n1,1\n' >&3
wait_for 20 grep -q 'time from' record.err || fail "not read"
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&-
[ ! -e c.twin ] || fail "an unfinished file is there"

# A reader that does not read: the third signal ends it at once.
mkfifo out.pipe
python3 -c 'print("time,text"); [print("%d,%s" % (i, "x%d" % (i * 7919) * 3000)) for i in range(900)]' >large.csv
launch twin-record --format csv --source s --clock data --every 1s --max-size 4KiB large.csv >out.pipe 2>record.err &
pid=$!
stop_on_exit $pid
exec 4<out.pipe
wait_for 20 grep -q 'time from' record.err || fail "not read"
# Each is delivered by itself.
for _ in 1 2 3; do
  kill -TERM $pid 2>/dev/null
  sleep 0.2
done
gone() { ! kill -0 $pid 2>/dev/null; }
wait_for 20 gone || fail "three signals do not end it"
exec 4<&-
