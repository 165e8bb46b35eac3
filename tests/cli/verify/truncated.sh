#!/usr/bin/env bash
# A stream without END before another one: the first is truncated, and the second is read all the same.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
record engine-2 0 3 | hashchain --key node.key >b.twin || fail "engine-2"
"$tamper" a.twin open.twin end=0
cat open.twin b.twin >both.twin
judge 4 truncated --key node.pub --offline both.twin
finds kind=truncated offset="$(stat -c %s open.twin)"
finds_only truncated
expect_stdout 'ends without an END frame, another stream follows'
expect_stdout '2 records'
expect_stdout 'source engine-2, frames 0 to 2'

# Cut inside its last frame, an ANCHOR, and inside the header of it.
at=$(where a.twin ANCHOR:5)
for more in 100 30; do
  head -c $((at + more)) a.twin >open.twin
  cat open.twin b.twin >both.twin
  judge 4 truncated --key node.pub --offline both.twin
  finds kind=truncated offset="$at" size_bytes=$more
  finds_only truncated
  expect_stdout 'another stream follows'
done

# The other tools: what is sound is passed on, and the fault is told with its place.
expect_exit 4 frames ls both.twin
expect_stderr "at byte $at"
grep -q ' LINK engine-2 2 ' out || fail "the second stream was not read"
expect_exit 3 frames recover -o saved.twin both.twin
judge 0 - --key node.pub --offline saved.twin
expect_exit 4 store put rec <both.twin
judge 0 - --key node.pub --offline rec
head -c $(($(where raw.twin DATA:5) + 30)) raw.twin >open.twin
cat open.twin raw.twin >both.twin
expect_exit 4 hashchain --key node.key both.twin
expect_stderr "input truncated at byte $(where raw.twin DATA:5): ends inside a frame header, another stream follows"
exit 0
