# C-MAPSS FD001 and FD003 through the whole pipe and back: every value bit for bit.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
need_shared data/cmapss/train_FD001.txt.gz
need_shared data/cmapss/train_FD003.txt.gz

twin-key new node >/dev/null || fail "twin-key"
columns=unit,cycle,setting_1,setting_2,setting_3
for i in $(seq 21); do columns+=,s$i; done
for set in FD001 FD003; do
  zcat "$TWINCHAIN_SHARED/data/cmapss/train_$set.txt.gz" >$set.txt || fail "zcat"
  # Rows have no time of their own: a row a second from here on.
  awk '{ print 1700000000 + NR, $0 }' $set.txt >in.txt
  twin-record --format csv --source $set --separator ' ' --no-header --columns "time,$columns" --clock data --every 1m \
    --spool spool-$set <in.txt 2>record.err |
    hashchain --key node.key --state state 2>hashchain.err |
    anchor --ledger dir:ledger --state anchors 2>anchor.err |
    store put --acknowledge spool-$set rec 2>store.err
  codes=("${PIPESTATUS[@]}")
  [ "${codes[*]}" = '0 0 0 0' ] || fail "$set: ${codes[*]}: $(cat record.err hashchain.err anchor.err store.err)"
  grep -q rejected record.err && fail "$set: rows were rejected"
  expect_exit 0 verify --key node.pub --ledger dir:ledger rec
  expect_stdout "verified: source $set, frames 0 to "
done
for set in FD001 FD003; do
  store get rec --source $set 2>err | frames cat --time ns >back.csv 2>err || fail "$set: get and cat"
  python3 - $set 2>err <<'END' || fail "$set is not the same"
import csv, struct, sys
rows = list(csv.reader(open("back.csv")))
original = [line.split() for line in open(sys.argv[1] + ".txt")]
assert len(rows) == len(original) + 1 and len(rows[0]) == 27, (len(rows), len(original), len(rows[0]))
values = 0
for number, (row, wanted) in enumerate(zip(rows[1:], original), 1):
    assert int(row[0]) == (1700000000 + number) * 10**9, (number, row[0])
    assert len(wanted) == 26 == len(row) - 1, (number, wanted)
    for back, text in zip(row[1:], wanted):
        assert struct.pack("<d", float(back)) == struct.pack("<d", float(text)), (number, back, text)
        values += 1
print(sys.argv[1], len(original), "rows,", values, "values")
END
done
exit 0
