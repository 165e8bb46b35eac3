#!/usr/bin/env bash
# What verify reads: a file, standard input, several files, the folder of a store; and what it cannot.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
expect_exit 0 verify --key node.pub --ledger dir:ledger a.twin
mv out wanted
expect_exit 0 verify --key node.pub --ledger dir:ledger <a.twin
expect_same out wanted
expect_exit 0 verify --key node.pub --ledger dir:ledger - <a.twin
expect_same out wanted
mkfifo pipe
cat a.twin >pipe &
expect_exit 0 verify --key node.pub --ledger dir:ledger pipe
expect_same out wanted
# Options behind the input, the input behind options that may be repeated.
expect_exit 0 verify a.twin --key node.pub --ledger dir:ledger
expect_same out wanted
expect_exit 0 verify --ledger dir:ledger --key node.pub a.twin --threads 1
expect_same out wanted
expect_exit 0 verify --ledger dir:ledger --key node.pub a.twin --threads 7
expect_same out wanted

# A store, with its LOCK and index; the report names the segments.
expect_exit 0 store put rec <a.twin
judge 0 - --key node.pub --ledger dir:ledger rec
head -n 1 out >of-store
head -n 1 wanted >of-file
expect_same of-store of-file
python3 -c '
import json
names = [one["name"] for one in json.load(open("report.json"))["inputs"]]
assert names == ["rec/segments/00000001.twin"], names' || fail "inputs"
# Read-only, as on evidence media: nothing is written, nothing is locked.
find rec | sort >before
chmod -R a-w rec
expect_exit 0 verify --key node.pub --offline rec
chmod -R u+w rec
find rec | sort >after
expect_same before after
# Beside a writer.
mkfifo live
store put rec <live 2>put.err &
writer=$!
stop_on_exit $writer
exec 9>live
head -c 300 raw.twin >&9
expect_exit 0 verify --key node.pub --offline rec
exec 9>&-
wait $writer
# Files that are no segments are left alone.
cp raw.twin rec/segments/raw.twin
cp raw.twin rec/segments/0000001.twin
cp raw.twin rec/segments/00000001.twin.tmp-17
expect_exit 0 verify --key node.pub --offline rec
# A segment is damaged: its name and the offset in it; its tail is torn: noted.
at=$(where rec/segments/00000001.twin DATA:3)
printf '\377' | dd of=rec/segments/00000001.twin bs=1 seek=$((at + 425)) conv=notrunc status=none
judge 1 damaged-frame --key node.pub --offline rec
finds kind=damaged-frame sequence=3 input=rec/segments/00000001.twin offset="$at" channels=pressure
rm -r rec
expect_exit 0 store put rec <a.twin
truncate -s -100 rec/segments/00000001.twin
judge 0 - --key node.pub --offline rec
finds kind=torn-tail severity=note
# Two segments, of which one is gone.
rm -r rec
expect_exit 0 store put rec --segment-size 64KiB <a.twin
expect_exit 0 verify --key node.pub --offline rec

# An empty store, a folder that is none, nothing there, nothing readable.
expect_exit 0 store put empty --segment-size 1MiB <"$TWINCHAIN_SOURCE/tests/golden/tiny.v1.twin"
rm empty/segments/*
judge 7 nothing-sealed --key node.pub --offline empty
mkdir folder
expect_exit 2 verify --key node.pub --offline folder
expect_stderr 'verify: error: folder is a folder, and not a store'
expect_exit 5 verify --key node.pub --offline missing.twin
expect_stderr 'missing.twin'
expect_exit 5 verify --key node.pub --offline a.twin missing.twin
[ ! -s out ] || fail "a verdict about half of the inputs"
expect_exit 2 verify --threads many a.twin
expect_exit 2 verify --min-depth -1 a.twin
exit 0
