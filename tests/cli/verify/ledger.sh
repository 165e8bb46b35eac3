#!/usr/bin/env bash
# Anchors against the ledger, against its headers, and offline; receipts that prove nothing.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

# headers LEDGER: its block headers, from block 0 on; blocks.dat is magic, size, block.
headers() {
  python3 - "$1/blocks.dat" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
at = 0
while at < len(data):
    size, = struct.unpack_from("<I", data, at + 4)
    sys.stdout.buffer.write(data[at + 8:at + 88])
    at += 8 + size
PYTHON
}

make_record
judge 0 - --key node.pub --ledger dir:ledger a.twin
headers ledger >dir.headers
judge 0 - --key node.pub --headers dir.headers a.twin
expect_stdout 'by the dir headers of dir.headers up to block'
# No ledger at all: the anchors are here and nobody looked.
judge 7 anchor-unchecked --key node.pub a.twin
expect_stdout 'hint: --ledger URL or --headers FILE checks them (time-stamps: --tsa-ca FILE), --offline leaves the time unproven'
judge 0 - --key node.pub --offline a.twin
expect_stdout 'anchors not checked against a ledger, so its time is not proven'
judge 0 - --key node.pub --offline --headers dir.headers a.twin

# Links that are not anchored, or not yet.
judge 7 no-anchor --key node.pub --ledger dir:ledger sealed.twin
"$tamper" a.twin pending.twin drop=ANCHOR:5
judge 7 anchor-pending --key node.pub --ledger dir:ledger pending.twin
expect_stdout 'links 3 to 5 are not anchored yet'
judge 7 anchor-not-deep --key node.pub --min-depth 99 --ledger dir:ledger a.twin

# Another ledger of the same kind does not have these blocks: whoever shows it refutes the anchors.
"$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py" --count 2 | anchor --ledger dir:strange >/dev/null || fail "anchor"
judge 1 anchor-not-on-chain --key node.pub --ledger dir:strange a.twin
finds kind=anchor-not-on-chain sequence=2 offset="$(where a.twin ANCHOR:2)"
finds kind=anchor-not-on-chain sequence=5 offset="$(where a.twin ANCHOR:5)"
headers strange >strange.headers
judge 1 anchor-not-on-chain --key node.pub --headers strange.headers a.twin

# A chain that was reorganised: the old anchor's block is gone, a new one covers the link.
anchor --ledger dir:strange a.twin >again.twin || fail "anchor"
judge 3 anchor-not-on-chain --key node.pub --ledger dir:strange again.twin
finds kind=anchor-not-on-chain severity=loss sequence=5
expect_stdout 'a later anchor covers the link'

# A ledger that is away, or no ledger.
judge 6 ledger-away --key node.pub --timeout 5s --ledger "bitcoin:http://127.0.0.1:$(free_port)" a.twin
expect_exit 2 verify --key node.pub --ledger tape:ledger a.twin
expect_exit 2 verify --key node.pub --offline --ledger dir:ledger a.twin
expect_stderr 'verify: error: --offline and --ledger exclude each other'
expect_exit 2 verify --key node.pub --network dir a.twin
expect_stderr 'verify: error: --network and --checkpoint need --headers'

# Headers that are cut short, changed, of an unknown chain, or from a checkpoint.
count=$(($(stat -c %s dir.headers) / 80))
head -c -30 dir.headers >short.headers
expect_exit 4 verify --key node.pub --headers short.headers a.twin
expect_stderr 'short.headers'
: >empty.headers
expect_exit 2 verify --key node.pub --headers empty.headers a.twin
python3 - <<'PYTHON'
data = bytearray(open("dir.headers", "rb").read())
data[80 + 40] ^= 1  # the Merkle root of block 1
open("changed.headers", "wb").write(data)
PYTHON
expect_exit 1 verify --key node.pub --headers changed.headers a.twin
expect_stderr 'changed.headers'
tail -c +81 dir.headers >later.headers
expect_exit 2 verify --key node.pub --headers later.headers a.twin
expect_stderr 'does not begin with the first block of a known network'
expect_stderr 'verify: hint: --network NAME --first-height N --checkpoint HASH'
judge 0 - --key node.pub --headers later.headers --network dir --first-height 1 a.twin
expect_stdout 'of which the first is believed'
block=$(head -c 80 later.headers | python3 -c '
import hashlib, sys
print(hashlib.sha256(hashlib.sha256(sys.stdin.buffer.read()).digest()).digest()[::-1].hex())')
judge 0 - --key node.pub --headers later.headers --network dir --first-height 1 --checkpoint "$block" a.twin
expect_exit 1 verify --headers later.headers --network dir --first-height 1 --checkpoint "${block//0/1}" a.twin
expect_exit 2 verify --headers later.headers --network dir --checkpoint 12 a.twin
expect_exit 2 verify --headers later.headers --network moon a.twin
expect_exit 5 verify --headers missing.headers a.twin
# At a wrong height the receipt and the chain disagree.
judge 1 bad-receipt --key node.pub --headers later.headers --network dir --first-height 2 a.twin
# Headers end before the newest anchor.
head -c $(((count - 1) * 80)) dir.headers >old.headers
judge 1 anchor-not-on-chain --key node.pub --headers old.headers a.twin

# Receipts: of another link, exchanged, of another source, changed.
"$tamper" a.twin changed.twin bodies=ANCHOR:2,ANCHOR:5
judge 1 replayed-anchor --key node.pub --offline changed.twin
finds kind=replayed-anchor sequence=2 offset="$(where changed.twin ANCHOR:2)" "message=the receipt is that of link 5"
finds kind=replayed-anchor sequence=5 offset="$(where changed.twin ANCHOR:5)" "message=the receipt is that of link 2"
"$tamper" a.twin changed.twin number=ANCHOR:2,3 behind=ANCHOR:3,LINK:3
judge 1 replayed-anchor --key node.pub --ledger dir:ledger changed.twin
finds kind=replayed-anchor sequence=3 "message=the receipt is that of link 2"
record engine-2 0 3 | hashchain --key node.key | anchor --ledger dir:ledger >b.twin || fail "engine-2"
"$tamper" a.twin changed.twin put=b.twin,ANCHOR,LINK:2 source=engine-2/ANCHOR,engine-1
judge 1 replayed-anchor --key node.pub --ledger dir:ledger changed.twin
finds kind=replayed-anchor sequence=2 "message=the receipt is that of a link which is not in this record"
"$tamper" a.twin changed.twin behind=ANCHOR:2,DATA:1
judge 1 reordered --key node.pub --offline changed.twin
finds kind=reordered sequence=2 "message=ANCHOR frame stands before its link"
"$tamper" a.twin changed.twin window=ANCHOR:2,1000
judge 1 altered-window --key node.pub --offline changed.twin
"$tamper" a.twin changed.twin number=ANCHOR:5,9
judge 1 replayed-anchor --key node.pub --offline changed.twin
# Without their links receipts prove nothing of this record.
"$tamper" a.twin changed.twin drop=ANY:5 put=a.twin,ANCHOR:5,LINK:4
judge 7 anchor-unmatched --key node.pub --offline changed.twin
for byte in 0 4 8 40 72 76 108 152 160 168 172 173 176 184 -40 -1; do
  "$tamper" a.twin changed.twin flip=ANCHOR:2,$byte
  expect_exit 1 verify --key node.pub --ledger dir:ledger changed.twin
  grep -qE "^refuted: (bad-receipt|replayed-anchor): source engine-1, frame 2, .* byte $(where changed.twin ANCHOR:2): " out ||
    [ "$byte" = 0 ] || fail "byte $byte: $(cat out)"
done
exit 0
