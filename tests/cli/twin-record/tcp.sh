# twin-record --listen tcp: several writers at once, writers that vanish, addresses that cannot be.
# shellcheck source=tests/cli/twin-record/sockets_lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/twin-record/sockets_lib.sh"

listen tcp:127.0.0.1:0
[[ $address == tcp:127.0.0.1:[1-9]* ]] || fail "no port: $address"
check_many
check_vanishing
# A connection that is reset may take with it what was sent last; the recorder goes on.
"$sockets" reset "$address" 'time,row,writer\n1800000006,1,2\n' || fail "writer"
"$sockets" text "$address" 'time,row,writer\n1800000007,9,2\n' || fail "writer"
wait_for 20 has_rows a.twin 1004 || fail "after a reset: $(rows a.twin) rows"
# A header that cannot be used is this writer's mistake alone.
"$sockets" text "$address" 'time,a,a\n1800000008,1,2\n' || fail "writer"
"$sockets" text "$address" 'time,row,writer\n1800000009,9,2\n' || fail "writer"
wait_for 20 grep -q 'its rows are rejected' record.err || fail "no warning"
wait_for 20 has_rows a.twin 1005 || fail "after a bad header: $(rows a.twin) rows"

# The port is taken.
expect_exit 5 twin-record --format csv --source s --listen "$address"
expect_stderr "error: cannot listen on $address: address already in use"
# What had arrived is recorded when the signal comes, and a writer that is still there is let go.
"$sockets" hold "$address" 'time,row,writer\n1800000010,9,2\n1800000011,8' >held &
stop_on_exit $!
wait_for 20 grep -q there held || fail "writer"
stop_listening
expect_exit 0 frames cat a.twin
expect_stdout ',9,2'
expect_exit 0 frames rejects a.twin
expect_stdout '"text":"1800000011,8"'
expect_stdout 'cut short: recording was stopped'

# IPv6, where there is one.
if [ -s /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
  listen 'tcp:[::1]:0'
  "$sockets" text "$address" 'time,row\n1,1\n' || fail "writer"
  wait_for 20 has_rows a.twin 1 || fail "IPv6"
  stop_listening
fi

for bad in tcp: tcp:4711 tcp:localhost:1 tcp:127.0.0.1:65536 udp:127.0.0.1:1 127.0.0.1:1 unix:; do
  expect_exit 2 twin-record --format csv --source s --listen "$bad"
  expect_stderr "error: not an address to listen on: $bad"
done
expect_exit 2 twin-record --format csv --source s --listen tcp:127.0.0.1:0 in.csv
expect_stderr 'error: --listen takes no file'
