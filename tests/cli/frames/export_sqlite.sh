#!/usr/bin/env bash
# frames export: an SQLite database that Python's standard library reads, with the same values as CSV.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
compare=$TWINCHAIN_SOURCE/tests/cli/frames/export_sqlite.py
python3 -c 'import sqlite3' 2>/dev/null || skip "python3 has no sqlite3 module"

# sql FILE QUERY: rows, columns separated by |.
sql() {
  python3 -IS -c 'import sqlite3, sys
for row in sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True).execute(sys.argv[2]):
    print("|".join("NULL" if one is None else str(one) for one in row))' "$1" "$2"
}
# is FILE QUERY ANSWER
is() {
  local got
  got=$(sql "$1" "$2") || fail "$2"
  [ "$got" = "$3" ] || fail "$2: $got instead of $3"
}

# Every kind of value, names that SQL trips over, a row that cannot be read.
python3 - >in.csv <<'PY'
import random, struct, sys
random.seed(3)
out = sys.stdout.buffer
out.write('time,x,X,"a ""b"" \'c\'; DROP TABLE samples",count,on,note,time_ns,Kühlung °C\n'.encode())
odd = ["nan", "inf", "-inf", "-0", "0", "5e-324", "1.7976931348623157e308", "0.1", "", "-1.5"]
for i in range(1000):
    exact = struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0]
    if exact != exact:
        exact = 0.5
    note = [b"", b"plain", b'"q""uote, \n line"', "ü\u202e".encode(), b"x"][i % 5]
    if i == 500:
        out.write(b"not a time,1,1,1,1,true,x,1,1\n")
    out.write(b"19%02d-06-01T00:00:%02d.%09dZ,%s,%s,%s,%d,%s,%s,%d,%s\n" % (
        60 + i // 60, i % 60, i * 999983, odd[i % 10].encode(), repr(exact).encode(), b"" if i % 3 else b"7.25",
        random.getrandbits(63) * random.choice([1, -1]), random.choice([b"true", b"false", b""]), note, i,
        repr(i / 7).encode()))
PY
twin-record --format csv --source engine-1 --clock data --every 30s <in.csv >a.twin 2>record.err ||
  fail "twin-record: $(cat record.err)"
frames cat --time ns a.twin >a.csv || fail "frames cat"
expect_exit 0 frames export -o a.sqlite a.twin
expect_no_stderr
[ ! -s out ] || fail "output"
"$compare" a.sqlite a.csv >compared || fail "not the same"
grep -q '^1000 rows, 8000 values$' compared || fail "$(cat compared)"
is a.sqlite 'SELECT count(*) FROM samples' 1000
is a.sqlite 'SELECT name, column_name FROM channels WHERE lower(name) IN ("x", "time_ns") ORDER BY column_name' \
  $'X|X_2\ntime_ns|time_ns_2\nx|x'
is a.sqlite 'SELECT count(*) FROM odd_values' 200
is a.sqlite 'SELECT name, samples_table FROM sources' 'engine-1|samples'
is a.sqlite 'SELECT line > 0, reason != "", text LIKE "not a time%" FROM rejects' '1|1|1'
is a.sqlite 'SELECT count(*), sum(rows) FROM windows' "$(frames ls a.twin | grep -c ' DATA ')|1000"
is a.sqlite 'SELECT count(*) FROM samples JOIN windows USING(window) WHERE time_ns < start_ns OR time_ns >= end_ns' 0
is a.sqlite 'SELECT count(*) FROM windows WHERE frame_root IS NOT NULL' 0
is a.sqlite "SELECT value FROM about WHERE name = 'format'" 'twinchain samples 1'
# Before 1970, too.
is a.sqlite 'SELECT time_ns, time_utc FROM samples_utc WHERE row = 2' \
  '-302486398999000017|1960-06-01T00:00:01.000999983Z'

# Sealed: the roots and hashes of the links. A part by time and by channel; no row lost in the middle.
twin-key new node || fail "twin-key"
hashchain --key node.key a.twin >sealed.twin || fail "hashchain"
expect_exit 0 frames export -o sealed.sqlite sealed.twin
is sealed.sqlite 'SELECT count(*) FROM windows WHERE length(frame_root) != 64 OR length(link_hash) != 64 OR frame_root IS NULL' 0
head=$(verify --json --key node.pub --offline sealed.twin | jq -r '.sources[0].head')
is sealed.sqlite 'SELECT link_hash FROM windows ORDER BY sequence DESC LIMIT 1' "$head"
expect_exit 0 frames export --sequence 3..4 --channel x --channel note -o part.sqlite sealed.twin
frames cat --time ns --sequence 3..4 --channel x --channel note sealed.twin >part.csv || fail "frames cat"
"$compare" part.sqlite part.csv >compared || fail "part"
is part.sqlite 'SELECT sequence FROM windows ORDER BY 1' $'3\n4'
is part.sqlite 'SELECT count(*) FROM rejects' 0
frames cut --channel x sealed.twin >slice.twin || fail "frames cut"
expect_exit 0 frames export --channel x -o slice.sqlite slice.twin
is slice.sqlite 'SELECT DISTINCT kind FROM windows' slice
is slice.sqlite 'SELECT count(*) FROM samples' 1000

# Two sources, a channel that comes later, a window that was lost.
printf '{"time":"2026-01-01T00:00:0%d.5Z","v":%d%s}\n' 0 1 '' 1 2 '' 2 3 ',"w":"late"' |
  twin-record --format ndjson --source lorry --clock data --every 1s >b.twin 2>record.err || fail "twin-record"
"$TWINCHAIN_SOURCE/tests/cli/verify/tamper.py" b.twin holed.twin drop=DATA:1 || fail "tamper.py"
expect_exit 3 hashchain --key node.key --accept-loss --state state -o lost.twin holed.twin
cat a.twin lost.twin >both.twin
expect_exit 0 frames export -o both.sqlite both.twin
is both.sqlite 'SELECT name, samples_table FROM sources ORDER BY source' $'engine-1|samples\nlorry|samples_2'
is both.sqlite 'SELECT time_utc, v, w FROM samples_2_utc' \
  $'2026-01-01T00:00:00.500000000Z|1.0|NULL\n2026-01-01T00:00:02.500000000Z|3.0|late'
is both.sqlite 'SELECT sequence, kind FROM windows WHERE source = 2 ORDER BY sequence' $'0|data\n1|lost\n2|data'

# Damage: what is sound is written, and the exit status says so.
"$TWINCHAIN_SOURCE/tests/cli/verify/tamper.py" a.twin bad.twin damage=DATA:1,-3 || fail "tamper.py"
expect_exit 4 frames export -o bad.sqlite bad.twin
is bad.sqlite 'SELECT count(*) FROM windows WHERE sequence = 1' 0
# An error leaves an older file as it was, and nothing beside it.
echo old >old.sqlite
expect_exit 2 frames export --channel nothing -o old.sqlite a.twin
expect_stderr 'no source has a channel nothing'
expect_exit 4 frames export -o old.sqlite in.csv
[ "$(cat old.sqlite)" = old ] || fail "old.sqlite was lost"
[ -z "$(ls ./*.tmp-* 2>/dev/null)" ] || fail "temporary files are left"
expect_exit 2 frames export a.twin
expect_stderr 'a database is a file'
expect_exit 5 frames export -o missing/x.sqlite a.twin
expect_exit 5 frames export -o . a.twin
