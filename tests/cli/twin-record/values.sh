# Values come back as they were: f64 bit for bit, i64 to its limits, bool, any text; CSV and NDJSON.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

cat >helper.py <<'END'
import csv, json, random, struct, sys

def bits(value):
    return struct.pack("<d", value)

chance = random.Random(20)
numbers = ["0", "-0.0", "5e-324", "-5e-324", "2.2250738585072009e-308", "2.2250738585072014e-308",
           "1.7976931348623157e308", "-1.7976931348623157E+308", "0.1", "0.30000000000000004",
           "1e23", "9007199254740991", "9007199254740992", "-9007199254740992", "123456789.123456789",
           "8.41e21", "9.5367431640625e-7", "4.35", "2.2250738585072011e-308",
           "0.500000000000000166533453693773481063544750213623046875", "6.02214076e23", "1E5", "+1", "-.5"]
for _ in range(2000):
    value = struct.unpack("<d", chance.randbytes(8))[0]
    if value - value == 0:
        numbers.append(repr(value))
        numbers.append("%.17g" % value)
for _ in range(500):
    numbers.append(repr(chance.uniform(-1000, 1000)))
integers = [2**63 - 1, -2**63, 0, -1, 2**53 + 1, -2**53 - 1]
integers += [chance.randint(-2**63, 2**63 - 1) for _ in range(500)]
texts = ["plain", "", "a,b", 'say "so"', '"', '""', "two\nlines", "\r\n", "\t", " blank before", "after ",
         "Kühlraum", "冷蔵", "\U0001f69b", "7", "true", "null", "nan", "\\", "\\n", "'", "\x01\x1f\x7f", "=1+1",
         "a" * 70000, ",", ";", "e\u0301", "\u2028"]
# `form` is how the values were written; `back` how they are read, empty: write them.
kind, form, back, path = sys.argv[1:]
values = {"f64": numbers, "i64": integers, "bool": [True, False, False, True], "string": texts}[kind]
if form == "ndjson" and kind == "f64":  # JSON has no such spelling
    values = [text for text in values if text not in ("+1", "-.5")]
if not back:
    with open(path, "w", newline="", encoding="utf-8") as out:
        if form == "csv":
            out.write("time,v\n")
        for i, value in enumerate(values):
            if form == "ndjson":
                text = value if kind == "f64" else json.dumps(value, ensure_ascii=i % 2 == 0)
                out.write('{"time":%d,"v":%s}\n' % (i + 1, text))
            elif kind == "string":
                out.write('%d,"%s"\n' % (i + 1, value.replace('"', '""')))
            else:
                out.write("%d,%s\n" % (i + 1, str(value).lower() if kind == "bool" else value))
    sys.exit()
with open(path, newline="", encoding="utf-8") as file:
    csv.field_size_limit(1 << 30)
    if back == "csv":
        found = [row[1] for row in list(csv.reader(file))[1:]]
    else:
        found = [json.loads(line, parse_float=str, parse_int=str)["v"] for line in file.read().split("\n") if line]
assert len(found) == len(values), (len(found), len(values))
for value, one in zip(values, found):
    if kind == "f64":
        assert bits(float(value)) == bits(float(one)), (value, one)
    elif kind == "i64":
        assert str(value) == one, (value, one)
    elif kind == "bool":
        assert one == (str(value).lower() if back == "csv" else value), (value, one)
    else:
        assert value == one, (value, one)
END
for kind in f64 i64 bool string; do
  for form in csv ndjson; do
    python3 helper.py $kind $form "" "in.$form" || fail "helper"
    expect_exit 0 twin-record --format $form --source s --clock data --every 1h "in.$form"
    cp out a.twin
    expect_exit 0 frames info --json a.twin
    expect_stdout "\"type\":\"$kind\""
    for back in csv ndjson; do
      frames cat --format $back a.twin >back.txt 2>err || fail "frames cat"
      python3 helper.py $kind $form $back back.txt 2>err || fail "$kind from $form as $back"
    done
  done
done

# Never rounded in silence: an integer that the channel cannot hold is a reject.
printf 'time,v\n1,0.5\n2,9007199254740993\n3,9007199254740992\n4,1e-400\n5,1e400\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data in.csv
cp out a.twin
expect_exit 0 frames rejects a.twin
for row in 2,9007199254740993 4,1e-400 5,1e400; do expect_stdout "\"text\":\"$row\""; done
# No value, the empty text and blanks are three things.
printf 'time,a,b\n1,x,1\n2,,\n3,"",\n4," ",\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data in.csv
cp out a.twin
frames cat --format ndjson --time ns a.twin | cut -d, -f3- >out
printf '%s\n' '"a":"x","b":1}' '' '"a":""}' '"a":" "}' >wanted
sed -n 1p out | cmp - <(sed -n 1p wanted) || fail "row 1"
sed -n 3,4p out | cmp - <(sed -n 3,4p wanted) || fail "rows 3 and 4: $(cat out)"
frames cat --time ns a.twin >out
printf 'time,a,b\n1000000000,x,1\n2000000000,,\n3000000000,"",\n4000000000," ",\n' | cmp - out || fail "$(cat out)"
# nan and infinities: as they are in CSV; JSON has none, and that is said.
printf 'time,v\n1,nan\n2,inf\n3,-Infinity\n4,1\n' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data in.csv
cp out a.twin
[ "$(frames cat a.twin | tail -n +2 | cut -d, -f2 | tr '\n' ' ')" = 'nan inf -inf 1 ' ] || fail "nan"
expect_exit 0 frames cat --format ndjson a.twin
[ "$(grep -c '"v":null' out)" = 3 ] || fail "null"
expect_stderr 3
