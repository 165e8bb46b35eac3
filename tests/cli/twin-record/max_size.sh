# twin-record --max-size closes a frame before its time; no frame is beyond 16 MiB, whatever comes.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

awk 'BEGIN { print "time,a,b"; for (i = 0; i < 5000; ++i) printf "%.3f,%d,%d\n", 1e9 + i / 1000, i, i * i }' >in.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1h --max-size 16KiB <in.csv
cp out a.twin
frames ls --json a.twin >frames.json 2>err || fail "frames ls"
# 24 bytes a row: 683 rows reach 16 KiB.
python3 - 2>err <<'END' || fail "frames"
import json
windows = [one for one in map(json.loads, open("frames.json")) if one["type"] == "DATA"]
assert len(windows) == 8, len(windows)
assert [one["rows"] for one in windows[:7]] == [683] * 7, [one["rows"] for one in windows]
assert sum(one["rows"] for one in windows) == 5000
for one, after in zip(windows, windows[1:]):
    assert one["window_end"] == after["window_start"], (one, after)
    assert one["sequence"] + 1 == after["sequence"]
END
frames cat --time ns a.twin >out 2>err || fail "frames cat"
[ "$(wc -l <out)" = 5001 ] || fail "rows"

# Rows of a megabyte that cannot be compressed, in windows of the largest size.
python3 -c '
import random
chance = random.Random(1)
print("time,text")
for i in range(40):
    print("%d,%s" % (i + 1, chance.randbytes(500_000).hex()))' >large.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1h --max-size 15MiB <large.csv
cp out b.twin
frames cat b.twin 2>err | tail -n +2 | cut -d, -f2 >texts
tail -n +2 large.csv | cut -d, -f2 | cmp - texts || fail "large rows"
frames ls --json b.twin | python3 -c '
import json, sys
sizes = [json.loads(line)["size_bytes"] for line in sys.stdin]
assert len(sizes) > 3 and max(sizes) <= (16 << 20) + 64, sizes' 2>err || fail "sizes"

for size in 0 4095 16MiB much -1; do
  expect_exit 2 twin-record --format csv --source s "--max-size=$size" <in.csv
  expect_stderr 'error: --max-size: not a size it can have: '
  expect_stderr 'hint: from 4096 to 15728640 bytes'
done
