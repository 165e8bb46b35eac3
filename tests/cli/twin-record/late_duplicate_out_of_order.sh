# Late, duplicate, out-of-order and unparsable rows: counted window by window, reported once, kept.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# Windows of one second: 0 has a duplicate and one out of order, 2 has two late ones, one of them
# also out of order, and the rejects; 1 is silent.
{
  printf 'time,v,note\n'
  printf '0.1,1,a\n0.5,2,b\n0.5,2,b\n0.3,3,c\n'
  printf '2.1,4,d\n0.4,5,late\n0.2,6,late\n'
  printf '2.5,"7"8,"quote, ""\t\xff\xc3\xbc\n'
  printf '2.6,9,a,b\nyesterday,1,x\r\n\xff\xfe\x00\x01,1,1\n2.9,10,e\n'
} >in.csv
expect_exit 0 twin-record --format csv --source s --clock data --every 1s <in.csv
cp out a.twin
[ "$(grep -c 'warning: row rejected' err)" = 1 ] || fail "the first reject is reported, once"
expect_stderr 'twin-record: warning: row rejected, line 9: '
expect_stderr 'twin-record: note: of 12 rows: 2 late, 1 duplicate, 3 out of order, 4 rejected'

expect_exit 0 frames info --json a.twin
for counter in '"late_rows":2' '"duplicate_rows":1' '"out_of_order_rows":3' '"rejected_rows":4'; do
  expect_stdout "$counter"
done
expect_exit 0 frames cat --time ns a.twin
printf '%s\n' time,v,note 100000000,1,a 500000000,2,b 500000000,2,b 300000000,3,c \
  2100000000,4,d 400000000,5,late 200000000,6,late 2900000000,10,e | cmp - out || fail "rows"

# Raw text of rejects, to the byte, with its line and the reason.
frames rejects a.twin >rejects 2>err || fail "frames rejects"
python3 - 2>err <<'END' || fail "rejects"
import json
rejects = [json.loads(line) for line in open("rejects")]
assert [(one["line"], bytes.fromhex(one["hex"])) for one in rejects] == [
    (9, b'2.5,"7"8,"quote, ""\t\xff\xc3\xbc'),
    (10, b"2.6,9,a,b"),
    (11, b"yesterday,1,x"),
    (12, b"\xff\xfe\x00\x01,1,1"),
], rejects
assert all(one["reason"] for one in rejects) and all(one["sequence"] == 2 for one in rejects), rejects
END

# They are sealed with the window: who drops a REJECT frame is found out.
twin-key new node >/dev/null || fail "twin-key"
hashchain --key node.key --state state <a.twin >sealed.twin 2>err || fail "hashchain"
expect_exit 0 verify --offline --key node.pub sealed.twin
expect_stdout '4 rejected, 2 late, 1 duplicate, 3 out of order'
PYTHONDONTWRITEBYTECODE=1 python3 - >dropped.twin 2>err <<'END' || fail "leaving out the REJECT"
import os, sys
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli/hashchain")
import twin_stream
sys.stdout.buffer.write(b"\x89TW\x01\r\n\x1a\n")
for kind, _, _, _, whole in twin_stream.read("sealed.twin"):
    if kind not in (3, 6):
        sys.stdout.buffer.write(whole)
END
verify --offline --key node.pub dropped.twin >out 2>err
case $? in 0 | 7) fail "a record without its rejects passes" ;; esac

# By arrival two equal rows of one piece are two measurements, not a duplicate.
printf 'v\n7\n7\n7\n' | twin-record --format csv --source s >b.twin 2>err || fail "arrival"
grep -q duplicate err && fail "equal measurements count as duplicates"
[ "$(frames cat b.twin | grep -c ',7$')" = 3 ] || fail "three rows"
# With a time they are.
printf 'time,v\n1,7\n1,7\n1,7\n' | twin-record --format csv --source s --clock data >b.twin 2>err || fail "time"
grep -q 'of 3 rows: 2 duplicate' err || fail "duplicates are not counted"
