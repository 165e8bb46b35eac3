# Records for the tests of store: sourced after tests/cli/lib.sh.
# shellcheck shell=bash
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

# long_record COUNT: long.twin, COUNT windows of 24 KiB, of which three fill a segment of 64 KiB,
# sealed with node.key; a row of window 2 of each three could not be read.
long_record() {
  [ -e node.key ] || twin-key new node || fail "twin-key"
  python3 - "$1" >long.csv <<'PYTHON'
import random, sys
random.seed(7)
print("time," + ",".join("c%d" % i for i in range(16)))
for second in range(int(sys.argv[1])):
    for row in range(192):
        values = ",".join(repr(random.random()) for _ in range(16))
        print("%.9f,%s" % (1767225600 + second + row / 192, values))
    if second % 3 == 2:
        print("not-a-time")
PYTHON
  twin-record --format csv --source engine-1 --clock data --every 1s <long.csv 2>record.err |
    hashchain --key node.key >long.twin || fail "long record: $(cat record.err)"
}

# types FILE: how many frames of each type, like "DATA 6 LINK 6 SCHEMA 1".
types() {
  frames ls "$1" | awk '{ ++count[$3] } END { for (type in count) print type, count[type] }' |
    sort | tr '\n' ' ' | sed 's/ $//'
}
expect_types() { # TYPES FILE
  [ "$(types "$2")" = "$1" ] || fail "$2 has $(types "$2") instead of $1"
}
# sorted FILE: a line a frame, whatever the order, without its place.
sorted() { "$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py" list "$1" | grep -v '^END' | sort; }

# is_locked FILE: looked up, not tried, because trying would be in the way of who is about to lock it.
is_locked() { [ -e "$1" ] && grep -qE "FLOCK .*:$(stat -c %i "$1") 0 EOF" /proc/locks; }
