# frames: ls, info, cat, rejects, cut and recover on a small recorded stream.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

cat >in.csv <<'CSV'
time,T24,P30,on,note
2026-01-01T00:00:00.000Z,641.82,554.36,true,start
2026-01-01T00:00:00.500Z,642.15,553.75,true,
2026-01-01T00:00:01.000Z,-0.1,,false,"a, ""b"""
not-a-time,1,2,true,x
2026-01-01T00:00:02.000Z,643,552.5,true,end
CSV
twin-record --format csv --source engine-1 --clock data --every 1s <in.csv >a.twin 2>record.err || fail "twin-record"

expect_exit 0 frames cat a.twin
cat >wanted.csv <<'CSV'
time,T24,P30,on,note
2026-01-01T00:00:00Z,641.82,554.36,true,start
2026-01-01T00:00:00.5Z,642.15,553.75,true,
2026-01-01T00:00:01Z,-0.1,,false,"a, ""b"""
2026-01-01T00:00:02Z,643,552.5,true,end
CSV
expect_same out wanted.csv

expect_exit 0 frames cat --format ndjson --time ns --channel T24 --channel P30 --sequence 1 a.twin
printf '%s\n' '{"source":"engine-1","time":1767225601000000000,"T24":-0.1}' >wanted.ndjson
expect_same out wanted.ndjson

expect_exit 0 frames rejects a.twin
expect_stdout '"text":"not-a-time,1,2,true,x"'
expect_stdout '"line":5'

expect_exit 0 frames info a.twin
expect_stdout 'source engine-1'
expect_stdout 'frames        0 to 2 (3 with data)'
expect_stdout 'rows          4'
expect_stdout '1 rejected'

expect_exit 0 frames ls a.twin
[ "$(grep -c ' DATA engine-1 ' out)" = 3 ] || fail "three DATA frames expected"

# A cut by time, as a stream that is whole.
expect_exit 0 frames cut --from 2026-01-01T00:00:01Z --to 2026-01-01T00:00:02Z a.twin
cp out cut.twin
expect_exit 0 frames cat --time ns cut.twin
[ "$(wc -l <out)" = 2 ] || fail "one row expected"
expect_exit 0 frames rejects cut.twin
expect_stdout not-a-time

# One channel only: the others' values are not in the file.
expect_exit 0 frames cut --channel T24 a.twin
cp out slice.twin
expect_exit 0 frames cat slice.twin --channel T24
expect_stdout '2026-01-01T00:00:00Z,641.82'
grep -qa 'start' slice.twin && fail "a hidden channel's text is in the slice"

# Torn and damaged input.
head -c $(($(stat -c %s a.twin) - 100)) a.twin >torn.twin
expect_exit 4 frames cat torn.twin
expect_exit 3 frames recover torn.twin -o saved.twin
expect_exit 0 frames ls saved.twin
expect_exit 3 frames recover torn.twin -o -
read -r offset size < <(frames ls a.twin | awk '$3 == "DATA" && $5 == 1 { print $1, $2 }')
cp a.twin bad.twin
printf '\377' | dd of=bad.twin bs=1 seek=$((offset + size / 2)) conv=notrunc status=none
expect_exit 4 frames ls bad.twin
expect_stderr "frames: error: DATA frame 1 (2026-01-01T00:00:01Z to 2026-01-01T00:00:02Z) at byte $offset: body crc mismatch, $size bytes left out"
expect_exit 4 frames cut bad.twin -o cut2.twin
expect_exit 4 frames ls cut2.twin

expect_exit 2 frames cat --from yesterday a.twin
expect_stderr 'frames: error: --from: not a time: yesterday'
expect_exit 2 frames cat --channel nothing a.twin
expect_stderr 'frames: error: source engine-1 has no channel nothing'
expect_exit 4 frames ls in.csv
expect_stderr 'frames: error: byte 0: not a twin stream'
expect_exit 4 frames ls /dev/null
expect_stderr 'frames: error: empty input'
expect_exit 5 frames ls missing.twin
expect_stderr 'frames: error: cannot open missing.twin: no such file or directory'
