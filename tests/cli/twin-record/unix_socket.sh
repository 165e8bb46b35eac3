# twin-record --listen unix: several writers at once, writers that vanish, a socket left behind.
# shellcheck source=tests/cli/twin-record/sockets_lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/twin-record/sockets_lib.sh"

listen unix:in.sock
check_many
check_vanishing
expect_exit 5 twin-record --format csv --source s --listen unix:in.sock
expect_stderr 'error: in.sock is in use by another process'
stop_listening
[ ! -e in.sock ] || fail "the socket file is left behind"
expect_exit 0 frames cat a.twin

# A recorder that was killed leaves its socket file; the next one takes its place, with the spool.
listen unix:in.sock --spool spool
"$sockets" text "$address" 'time,row,writer\n1,1,2\n' || fail "writer"
wait_for 20 has_rows a.twin 1 || fail "a row"
kill -9 $pid
wait $pid 2>/dev/null
[ -S in.sock ] || fail "no socket file"
listen unix:in.sock --spool spool
"$sockets" text "$address" 'time,row,writer\n2,1,2\n' || fail "writer"
wait_for 20 has_rows a.twin 1 || fail "a row after the restart"
stop_listening

# A file that is no socket is not touched.
echo precious >in.sock
expect_exit 2 twin-record --format csv --source s --listen unix:in.sock
expect_stderr 'error: in.sock is there already and is no socket'
[ "$(cat in.sock)" = precious ] || fail "the file was changed"
expect_exit 5 twin-record --format csv --source s --listen unix:no/where.sock
expect_exit 2 twin-record --format csv --source s --listen "unix:$(printf '%0200d' 0)"
expect_stderr 'error: path of the socket is too long'
