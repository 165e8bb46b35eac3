# twin-record --columns, --no-header, --separator: CSV of other shapes, and raw rows.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# reads WANTED OPTION...: input in ./in, output as CSV with times in nanoseconds.
reads() {
  local wanted=$1
  shift
  expect_exit 0 twin-record --source s --clock data "$@" <in
  cp out a.twin
  frames cat --time ns a.twin >out 2>err || fail "frames cat"
  printf '%b' "$wanted" | cmp - out || fail "$*: $(cat out)"
}
wanted='time,a,b\n1000000000,1.5,x\n2000000000,2,y\n'
printf '1,1.5,x\n2,2,y\n' >in
reads "$wanted" --format csv --no-header --columns time,a,b
# One argument: what follows is the file.
expect_exit 0 twin-record --source s --clock data --format csv --no-header --columns time,a,b in
printf 'x,y,z\n1,1.5,x\n2,2,y\n' >in
reads "$wanted" --format csv --columns time,a,b
printf '1;1.5;x\r\n2;2;y\r\n' >in
reads "$wanted" --format csv --no-header --columns time,a,b --separator ';'
printf '1\t1.5\tx\n2\t2\ty\n' >in
reads "$wanted" --format csv --no-header --columns time,a,b --separator tab
printf '  1   1.5 x  \n2 2      y\n' >in
reads "$wanted" --format csv --no-header --columns time,a,b --separator ' '
printf '\xef\xbb\xbftime,a,b\n1,1.5,x\n\n2,2,y\n' >in
reads "$wanted" --format csv

# Raw rows, in pieces that end in the middle of a row.
python3 -c '
import struct, sys
for row in ((1, 1.5, -0.0), (2, 5e-324, float("nan")), (3, float("-inf"), 0.1)):
    sys.stdout.buffer.write(struct.pack("<3d", *row))' >in
reads 'time,a,b\n1000000000,1.5,-0\n2000000000,5e-324,nan\n3000000000,-inf,0.1\n' --format raw --columns time,a,b
head -c 53 in >torn
expect_exit 0 twin-record --source s --clock data --format raw --columns time,a,b <torn
cp out a.twin
expect_stderr 'of 3 rows: 1 rejected'
expect_exit 0 frames rejects a.twin
expect_stdout '"reason":"'

# Options that do not go together are said before anything is read.
usage() {
  local text=$1
  shift
  expect_exit 2 twin-record --source s "$@" <in
  expect_stderr "$text"
  [ ! -s out ] || fail "$*: something was written"
}
usage 'without a header line the columns need names' --format csv --no-header
usage 'raw rows need the names of their columns' --format raw
usage 'two columns are named "a"' --format csv --columns a,a
usage 'a column name is empty' --format csv --columns a,,b
usage '--separator: not one character' --format csv --separator '::'
usage '--separator: not one character' --format csv --separator '"'
usage 'no column is named "z"' --format raw --columns a,b --time z
usage '--format' --columns a,b
usage '--format' --format xml
expect_exit 2 twin-record --format csv <in
expect_stderr '--source'
expect_exit 5 twin-record --format csv --source s no-such-file.csv
expect_exit 2 twin-record --format csv --source s .
