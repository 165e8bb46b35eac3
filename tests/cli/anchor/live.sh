#!/usr/bin/env bash
# A live stream goes through at once, whatever the ledger does; signals end the waiting.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
links=$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py

# A node that takes connections and never answers.
port=$(free_port)
python3 -c '
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(16)
print("ready", flush=True)
time.sleep(300)
' "$port" >silent.log &
stop_on_exit $!
wait_for 10 grep -q ready silent.log || fail "no silent server"
echo a:b >cookie
chmod 600 cookie

# Each frame is timed at both ends of the tool.
cat >measure.py <<'END'
import os, subprocess, sys, time
source = subprocess.run([sys.argv[1], "--count", "30"], stdout=subprocess.PIPE, check=True).stdout
tool = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
size = 64 + 376
tool.stdin.write(source[:8])
worst = 0
got = b""
for i in range(30):
    frame = source[8 + i * size:8 + (i + 1) * size]
    began = time.monotonic()
    tool.stdin.write(frame)
    tool.stdin.flush()
    while len(got) < 8 + (i + 1) * size:
        got += os.read(tool.stdout.fileno(), 65536)
    if i > 0:
        worst = max(worst, time.monotonic() - began)
    time.sleep(0.03)
tool.stdin.write(source[8 + 30 * size:])
tool.stdin.close()
got += tool.stdout.read()
assert got == source, "the stream was changed"
print("%.1f ms at the worst, exit %d" % (worst * 1000, tool.wait()))
sys.exit(0 if worst < 1 and tool.returncode == 6 else 1)
END
python3 measure.py "$links" anchor --ledger "bitcoin:http://127.0.0.1:$port" --cookie-file cookie \
  --every 10ms --timeout 2s 2>err || fail "held back"
grep -q "no success within\|waiting for" err || true

# While it waits for the ledger after the end: one signal lets the pipeline end by itself, a second
# one ends the waiting. The stream is complete then, the anchor is not there.
"$links" >b.twin
anchor --ledger "bitcoin:http://127.0.0.1:$port" --cookie-file cookie <b.twin >out 2>err &
pid=$!
stop_on_exit $pid
wait_for 10 cmp -n 448 b.twin out || fail "nothing came through"
sleep 0.5
kill -TERM $pid
sleep 0.5
kill -0 $pid || fail "the first signal ended it"
began=$(date +%s%N)
kill -TERM $pid
code=0
wait $pid || code=$?
took=$((($(date +%s%N) - began) / 1000000))
[ $code = 7 ] || fail "exit $code"
expect_same b.twin out
[ $took -lt 2000 ] || fail "$took ms from the signal to the end"
expect_stderr 'is not published'

# Stopped while the input goes on: no END, so that nobody takes it for the whole.
mkfifo pipe
anchor --ledger "bitcoin:http://127.0.0.1:$port" --cookie-file cookie <pipe >out 2>err &
pid=$!
stop_on_exit $pid
exec 8>pipe
head -c 448 b.twin >&8
wait_for 10 cmp -n 448 b.twin out || fail "nothing came through"
kill -TERM $pid
kill -TERM $pid
sleep 0.2
kill -TERM $pid 2>/dev/null
code=0
wait $pid || code=$?
exec 8>&-
[ $code = 3 ] || [ $code = 143 ] || fail "exit $code"
[ "$(stat -c %s out)" = 448 ] || fail "more than the frames that came"

# The reader of the output goes away: it ends as other filters do.
"$links" --count 2000 >many.twin
for _ in $(seq 200); do cat many.twin; done 2>/dev/null |
  anchor --ledger dir:ledger 2>err | head -c 100 >/dev/null
codes=("${PIPESTATUS[@]}")
[ "${codes[1]}" = 141 ] || fail "exits ${codes[*]}"
expect_no_stderr
