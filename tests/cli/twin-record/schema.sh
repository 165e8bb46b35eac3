# twin-record --schema: a DTDL interface declares channels; values that do not fit are rejects.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

cat >lorry.json <<'JSON'
{
  "@context": "dtmi:dtdl:context;3", "@id": "dtmi:lorry;1", "@type": "Interface", "displayName": "Lorry",
  "contents": [
    {"@type": ["Telemetry", "Temperature"], "name": "inside", "schema": "double", "unit": "degreeCelsius",
     "displayName": {"en": "Cold chamber", "de": "Kühlraum"}},
    {"@type": "Telemetry", "name": "door", "schema": "boolean"},
    {"@type": "Telemetry", "name": "trips", "schema": "long"},
    {"@type": "Telemetry", "name": "driver", "schema": "string"},
    {"@type": "Property", "name": "plate", "schema": "string"}
  ]
}
JSON
# 7 is f64, 1 is i64 and 0042 is a text because the schema says so; extra is inferred.
cat >in.csv <<'CSV'
time,inside,door,trips,driver,extra
1,7,true,1,0042,x
2,-20.5,false,2,,
3,cold,true,3,Bob,
4,1,perhaps,3,Bob,
5,1,true,3.5,Bob,
6,1,true,9223372036854775808,Bob,
7,1,true,9223372036854775807,Bob,y
CSV
expect_exit 0 twin-record --format csv --source lorry --schema lorry.json --clock data <in.csv
cp out a.twin
expect_stderr 'warning: row rejected, line 4: '
expect_stderr 'note: of 7 rows: 4 rejected'
expect_exit 0 frames info --json a.twin
for channel in '"name":"inside","type":"f64","unit":"degreeCelsius"' '"name":"door","type":"bool"' \
  '"name":"trips","type":"i64"' '"name":"driver","type":"string"' '"name":"extra","type":"string"'; do
  expect_stdout "$channel"
done
grep -q plate out && fail "a Property became a channel"
expect_exit 0 frames cat --format ndjson a.twin
cat >wanted <<'NDJSON'
{"source":"lorry","time":"1970-01-01T00:00:01Z","inside":7,"door":true,"trips":1,"driver":"0042","extra":"x"}
{"source":"lorry","time":"1970-01-01T00:00:02Z","inside":-20.5,"door":false,"trips":2}
{"source":"lorry","time":"1970-01-01T00:00:07Z","inside":1,"door":true,"trips":9223372036854775807,"driver":"Bob","extra":"y"}
NDJSON
expect_same out wanted
expect_exit 0 frames rejects a.twin
for text in '3,cold,true,3,Bob,' '4,1,perhaps,3,Bob,' '5,1,true,3.5,Bob,' '6,1,true,9223372036854775808,Bob,'; do
  expect_stdout "\"text\":\"$text\""
done
for name in inside door trips; do expect_stdout "$name"; done

# Declared channels are there although no row has a value for them.
printf '{"time":1,"inside":3}\n' >in.ndjson
expect_exit 0 twin-record --format ndjson --source lorry --schema lorry.json --clock data <in.ndjson
frames info --json out >info
grep -q '"name":"driver","type":"string"' info || fail "a channel without values is not in the schema"

# With --strict the first one stops.
expect_exit 4 twin-record --format csv --source lorry --schema lorry.json --clock data --strict <in.csv
expect_stderr 'error: line 4 at byte '
expect_stderr inside

# Schemas that cannot be used: one line that says why, and nothing is recorded.
cannot() {
  printf '%s' "$2" >bad.json
  expect_exit "$1" twin-record --format csv --source lorry --schema bad.json <in.csv
  [ "$(grep -c 'error: ' err)" = 1 ] || fail "not one line: $(cat err)"
  expect_stderr 'error: bad.json: '
  [ ! -s out ] || fail "something was recorded"
}
cannot 4 '{'
cannot 4 ''
cannot 4 '{"@type":"Property"}'
cannot 4 '{"@context":"dtmi:dtdl:context;3","@id":"dtmi:a;1","@type":"Interface","contents":[{"@type":"Telemetry","name":"a","schema":"quaternion"}]}'
expect_stderr quaternion
expect_exit 5 twin-record --format csv --source lorry --schema none.json <in.csv
