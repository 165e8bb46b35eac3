# A real broker: what mosquitto_sub prints is recorded, and the payloads come back byte for byte.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
PATH=$PATH:/usr/sbin
need mosquitto
need mosquitto_pub
need mosquitto_sub

port=$(free_port)
printf 'listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n' "$port" >broker.conf
mosquitto -c broker.conf >broker.log 2>&1 &
stop_on_exit $!
publish() { mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 "$@"; }
wait_for 20 publish -t probe -m 1 || fail "no broker: $(cat broker.log)"

mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -t 'lorry/#' -F '%U %t %x' >lines &
subscriber=$!
stop_on_exit $subscriber
subscribed() { publish -t lorry/probe -m 0 && grep -q ' lorry/probe ' lines; }
wait_for 20 subscribed || fail "mosquitto_sub"

python3 - <<'END'
import random
open("all.bin", "wb").write(bytes(range(256)))
open("bad.bin", "wb").write(b"\xff\xfe\xc3\x28\x00 not UTF-8 \xed\xa0\x80\n\r\n")
open("number.bin", "wb").write(b"-0.30000000000000004")
open("json.bin", "wb").write(b'{ "temp" : 4.5, "door":{"open":true} ,"driver":"K\xc3\xbchn"}')
open("blank.bin", "wb").write(b" 7 ")
open("large.bin", "wb").write(random.Random(5).randbytes(200_000))
open("empty.bin", "wb").write(b"")
END
for name in all bad number json blank large empty; do
  publish -t "lorry/7/$name" -f $name.bin || fail "publish $name"
done
publish -t 'lorry/7/space here' -m 'with blanks' || fail "publish"
publish -t lorry/7/number -m 5 || fail "publish"
publish -t lorry/7/last -m true || fail "publish"
arrived() { grep -q ' lorry/7/last ' lines; }
wait_for 20 arrived || fail "the last message did not come"
kill "$subscriber"
grep -v ' lorry/probe ' lines >rows.txt

begin=$(date -d '10 minutes ago' +%s)
expect_exit 0 twin-record --format mqtt --source lorry-7 --every 1h --clock data <rows.txt
cp out a.twin
grep -q rejected err && fail "rows were rejected"
frames cat --format ndjson --time ns a.twin >cat.ndjson 2>err || fail "frames cat"
frames info --json a.twin >info 2>err || fail "frames info"
# Byte for byte, in the stream itself: a text as it is in a column, so that one payload is enough.
python3 - "$begin" 2>err <<'END' || fail "payloads"
import json, sys
text = open("cat.ndjson", "rb").read()
rows = [json.loads(line.decode("utf-8", "surrogateescape")) for line in text.splitlines()]
seen = {}
for row in rows:
    assert row["time"] > int(sys.argv[1]) * 10**9, row
    for key, value in row.items():
        seen.setdefault(key, []).append(value)
print({key: value if len(str(value)) < 300 else len(str(value)) for key, value in seen.items()}, file=sys.stderr)
assert seen["lorry/7/number"] == [-0.30000000000000004, 5], seen["lorry/7/number"]
assert seen["lorry/7/json.temp"] == [4.5] and seen["lorry/7/json.door.open"] == [True]
assert seen["lorry/7/json.driver"] == ["Kühn"]
assert seen["lorry/7/last"] == [True]
assert seen["lorry/7/empty#payload"] == [""]
assert seen["lorry/7/space here#payload"] == ["with blanks"]
END
for name in all bad number json blank large empty; do
  frames cat --channel "lorry/7/$name#payload" --time ns a.twin >column.csv 2>err || fail "frames cat $name"
  python3 - $name 2>err <<'END' || fail "payload of $name"
import sys
# CSV by hand: bytes, not text, and line ends inside of quotes.
data, name = open("column.csv", "rb").read(), sys.argv[1]
wanted = open(name + ".bin", "rb").read()
at, rows, cell, row, quoted = 0, [], b"", [], False
out = []
i = 0
while i < len(data):
    c = data[i:i + 1]
    if quoted:
        if c == b'"' and data[i + 1:i + 2] == b'"':
            cell += b'"'
            i += 1
        elif c == b'"':
            quoted = False
        else:
            j = data.find(b'"', i)
            cell += data[i:j]
            i = j - 1
    elif c == b'"':
        quoted = True
    elif c == b",":
        row.append(cell)
        cell = b""
    elif c == b"\n":
        rows.append(row + [cell])
        row, cell = [], b""
    else:
        cell += c
    i += 1
found = [row[1] for row in rows[1:]]
assert wanted in found, (name, wanted[:50], [one[:50] for one in found])
END
done

# The whole line of the manual page, live.
mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -t 'plant/#' -F '%U %t %x' > >(
  exec twin-record --format mqtt --source plant --every 100ms >live.twin 2>record.err
) &
subscriber=$!
stop_on_exit $subscriber
live() {
  publish -t plant/x -m 41.5 || return 1
  frames cat live.twin >live.csv 2>/dev/null  # 4 while it is being written
  grep -q ',41.5' live.csv
}
wait_for 20 live || fail "nothing was recorded live: $(cat record.err)"
kill $subscriber
wait $subscriber 2>/dev/null
whole() { frames cat live.twin; }
wait_for 20 whole || fail "the stream is not closed when mosquitto_sub ends"
