# A channel that appears later opens a new SCHEMA, in the window where it appears; nothing before is touched.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

cat >in.ndjson <<'NDJSON'
{"time":1,"a":1}
{"time":2,"a":2}
{"time":3,"a":3,"b":{"c":"new"}}
{"time":4,"b":{"c":"again"},"a":4}
{"time":5,"d":[true,{"e":9007199254740993}]}
NDJSON
expect_exit 0 twin-record --format ndjson --source s --clock data --every 1s <in.ndjson
cp out a.twin
expect_exit 0 frames ls a.twin
awk '{ print $3, $5 }' out >order
printf '%s\n' 'SCHEMA 0' 'DATA 0' 'DATA 1' 'SCHEMA 2' 'DATA 2' 'DATA 3' 'SCHEMA 4' 'DATA 4' >wanted
head -n 8 order >first
expect_same first wanted
expect_exit 0 frames cat a.twin
cat >wanted <<'CSV'
time,a,b.c,d.0,d.1.e
1970-01-01T00:00:01Z,1,,,
1970-01-01T00:00:02Z,2,,,
1970-01-01T00:00:03Z,3,new,,
1970-01-01T00:00:04Z,4,again,,
1970-01-01T00:00:05Z,,,true,9007199254740993
CSV
expect_same out wanted

# A channel that comes late can be asked for by name, from a file and from a pipe, as CSV and NDJSON.
expect_exit 0 frames cat --time ns --channel b.c a.twin
printf '%s\n' time,b.c 1000000000, 2000000000, 3000000000,new 4000000000,again 5000000000, | cmp - out || fail "b.c: $(cat out)"
expect_exit 0 bash -c 'cat a.twin | frames cat --time ns --channel b.c'
printf '%s\n' time,b.c 1000000000, 2000000000, 3000000000,new 4000000000,again 5000000000, | cmp - out || fail "b.c: $(cat out)"
expect_exit 0 frames cat --format ndjson --time ns --channel b.c a.twin
expect_stdout '{"source":"s","time":3000000000,"b.c":"new"}'
expect_exit 2 frames cat --channel nowhere a.twin
expect_stderr 'error: source s has no channel nowhere'
[ ! -s out ] || fail "rows without the channel"
expect_exit 2 frames cat --format ndjson --channel nowhere a.twin
expect_stderr 'error: no source has a channel nowhere'
expect_exit 2 bash -c 'cat a.twin | frames cat --channel nowhere'
expect_stderr 'error: no source has a channel nowhere'
# All channels from a pipe, whose header line has gone already: refused, with a way out.
expect_exit 2 bash -c 'cat a.twin | frames cat'
expect_stderr 'hint: name --channel, read from a file, or use --format ndjson'

# Also in the middle of a window: all of the window has the new SCHEMA.
expect_exit 0 twin-record --format ndjson --source s --clock data --every 1h <in.ndjson
cp out b.twin
[ "$(frames ls b.twin | grep -c ' SCHEMA ')" = 1 ] || fail "one SCHEMA expected"
expect_exit 0 frames cat b.twin
expect_same out wanted

# A start with the same spool knows the channels; new ones come after them.
head -n 3 in.ndjson | twin-record --format ndjson --source s --clock data --every 1s --spool spool >c.twin 2>err || fail "first run"
tail -n 2 in.ndjson | twin-record --format ndjson --source s --clock data --every 1s --spool spool >>c.twin 2>err || fail "second run"
expect_exit 0 frames cat c.twin
expect_same out wanted

# A channel keeps its type: the same name with another type of value is a reject, not a new channel.
printf '{"time":6,"a":"text"}\n{"time":7,"a":7}\n' >>in.ndjson
expect_exit 0 twin-record --format ndjson --source s --clock data --every 1s <in.ndjson
cp out d.twin
expect_stderr 'warning: row rejected, line 6: '
expect_exit 0 frames rejects d.twin
expect_stdout '"text":"{\"time\":6,\"a\":\"text\"}"'
