#!/usr/bin/env bash
# Several ANCHOR frames of one link, as after a reorganisation, and several REJECT frames of one window
# are all kept: by put, get, export, gc, and an index that is made anew.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

# Two ledgers of a kind: for each the other's block is one that was reorganised away.
make_record
anchor --ledger dir:second sealed.twin >other.twin || fail "anchor"
anchor --ledger dir:second a.twin >twice.twin || fail "anchor"
expect_types 'ANCHOR 3 DATA 6 LINK 6 REJECT 1 SCHEMA 1' twice.twin

all_there() { # DIR
  local command
  for command in "get $1" "export $1"; do
    # shellcheck disable=SC2086
    expect_exit 0 store $command
    [ "$(sorted out)" = "$(sorted twice.twin)" ] || fail "store $command: $(sorted out)"
  done
  expect_exit 0 store get "$1" --type anchor --sequence 5
  expect_types 'ANCHOR 2' out
  expect_exit 0 store ls "$1"
  expect_exit 0 store fsck "$1"
  judge 0 - --key node.pub --offline "$1"
}

# In one stream, and one after the other.
expect_exit 0 store put one twice.twin
all_there one
expect_exit 0 store put two a.twin
expect_exit 0 store put -v two twice.twin
expect_stderr 'stored 1 frames'
all_there two
# Again and again: nothing more.
cp two/segments/00000001.twin before
for input in twice.twin a.twin twice.twin; do expect_exit 0 store put two "$input"; done
expect_same before two/segments/00000001.twin
rm -r two/index
all_there two
# A whole re-anchored record: the same links, other receipts, in another order.
expect_exit 0 store put three other.twin
expect_exit 0 store put three a.twin
expect_exit 0 store get three --type anchor
expect_types 'ANCHOR 3' out
rm -r three/index
expect_exit 0 store get three --type anchor
expect_types 'ANCHOR 3' out
# Each ledger finds its own; the other's is no harm when a later or equal link is covered.
judge 3 anchor-not-on-chain --key node.pub --ledger dir:ledger two
finds_only anchor-not-on-chain
finds kind=anchor-not-on-chain severity=loss sequence=5
judge 3 anchor-not-on-chain --key node.pub --ledger dir:second two
finds_only anchor-not-on-chain anchor-not-on-chain
finds kind=anchor-not-on-chain severity=loss sequence=2
judge 0 - --key node.pub --ledger dir:ledger --ledger dir:second two
judge 0 - --key node.pub --ledger dir:second --ledger dir:ledger two

# Two REJECT frames of a window that its DATA frame covers, sealed for real.
PYTHONPATH=$TWINCHAIN_SOURCE/tests/cli PYTHONDONTWRITEBYTECODE=1 python3 - <<'PYTHON'
import struct
from twin_format import DATA, REJECT, SCHEMA, Frame, encode_stream, leaf, sha256, source_id

source = source_id("engine-1")
def text(value):
    return struct.pack("<H", len(value)) + value.encode()
def digest(one):
    whole = one.encode()
    return sha256(whole[:60], whole[64:])
schema = Frame(SCHEMA, source, 0, 0, 1000, struct.pack("<HH", 1, 0) + text("engine-1") + text("test") + bytes(4))
rejects = []
for number in range(3):
    row = b"row %d" % number
    body = struct.pack("<IQqHI", 1, number + 1, 10, 3, len(row)) + b"bad" + row
    rejects.append(Frame(REJECT, source, 0, 0, 1000, body))
header = source + struct.pack("<QqqII", 0, 0, 1000, 0, 0) + digest(schema)
header += sha256(*map(digest, rejects)) + struct.pack("<IIQQqqqQ", 3, 0, 0, 0, 0, 0, 1000, 5) + bytes(16)
header += struct.pack("<QQQQQ", 0, 0, 0, 0, 3)
data = Frame(DATA, source, 0, 0, 1000, bytes(32) + leaf(1, header))
open("rejects.raw", "wb").write(encode_stream([schema] + rejects + [data]))
PYTHON
hashchain --key node.key <rejects.raw >rejects.twin || fail "hashchain"
judge 0 - --key node.pub --offline rejects.twin
expect_exit 0 store put rejects rejects.twin
expect_exit 0 store put -v rejects rejects.twin
expect_stderr 'stored 0 frames'
for _ in 1 2; do
  expect_exit 0 store get rejects
  expect_same rejects.twin out
  expect_exit 0 store export rejects
  expect_same rejects.twin out
  expect_exit 0 store fsck rejects
  rm -r rejects/index
done
expect_exit 0 frames rejects rejects.twin
[ "$(grep -c '"text":"row ' out)" = 3 ] || fail "rejects"

# gc keeps every anchor and drops every reject of what it drops.
long_record 9
# The same block, made in the same second by two ledgers of nothing else, would be one receipt.
anchor --ledger dir:fourth sealed.twin >/dev/null || fail "anchor"
anchor --ledger dir:third long.twin | anchor --ledger dir:fourth >long2.twin || fail "anchor"
expect_exit 0 store put long --segment-size 64KiB long2.twin
expect_exit 0 store gc --keep 1d long
expect_exit 0 store fsck long
expect_exit 0 store get long --type anchor
expect_types 'ANCHOR 2' out
judge 3 dropped-data --key node.pub --offline long
finds_only dropped-data
rm -r long/index
expect_exit 0 store get long --type anchor
expect_types 'ANCHOR 2' out
exit 0
