#!/usr/bin/env bash
# anchor export --ots: what it writes is a proof for verify, and for the reference client's library.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
python=/usr/bin/python3 # Debian's own, which sees Debian's packages
"$python" -c 'import opentimestamps' 2>/dev/null || skip "python3-opentimestamps is not installed"
need jq
make_block=$TWINCHAIN_SOURCE/tests/cli/anchor/make_block.py

# reference PROOF TARGET HEADER: what the reference client's library says of it.
reference() {
  "$python" - "$@" <<'PYTHON'
import hashlib, sys
from bitcoin.core import CBlockHeader
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, LitecoinBlockHeaderAttestation
from opentimestamps.core.serialize import BytesSerializationContext, StreamDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
proof, target, header = sys.argv[1:4]
with open(proof, "rb") as file:
    stamp = DetachedTimestampFile.deserialize(StreamDeserializationContext(file))
with open(target, "rb") as file:
    assert stamp.file_digest == stamp.file_hash_op.hash_fd(file), "digest of the target"
attestations = list(stamp.timestamp.all_attestations())
assert len(attestations) == 1, attestations
message, attestation = attestations[0]
block = CBlockHeader.deserialize(open(header, "rb").read())
if isinstance(attestation, LitecoinBlockHeaderAttestation):
    # "Identical in design", and not implemented there.
    attestation = BitcoinBlockHeaderAttestation(attestation.height)
time = attestation.verify_against_blockheader(message, block)
context = BytesSerializationContext()
stamp.serialize(context)
assert context.getbytes() == open(proof, "rb").read(), "serialised otherwise"
print(attestation.height, time)
PYTHON
}

for network in bitcoin litecoin; do
  "$make_block" "$network" >"$network.twin" || fail "make_block.py"
  "$make_block" "$network" --header >"$network.header"
  mapfile -t hashes < <("$make_block" "$network" --links)
  at=0
  for source in engine-1 lorry-1 lorry-2 lorry-3; do
    expect_exit 0 anchor export --ots --source "$source" --link-file link.bin --output "$source.ots" "$network.twin"
    expect_no_stderr
    [ "$(stat -c %s link.bin)" = 312 ] || fail "$source: size of the link file"
    [ "$(sha256sum <link.bin)" = "${hashes[$at]}  -" ] || fail "$source: hash of the link file"
    [ "$(reference "$source.ots" link.bin "$network.header")" = "900000 1700000000" ] ||
      fail "$network, $source: the reference library does not verify it"
    expect_exit 0 verify ots --json "$source.ots" link.bin --headers "$network.header" --network "$network" \
      --first-height 900000
    jq -e --arg network "$network" '.existed_at == "2023-11-14T22:13:20Z" and
      (.attestations | length == 1 and (.[0] | .network == $network and .height == "900000"))' out >/dev/null ||
      fail "$network, $source: $(cat out)"
    at=$((at + 1))
  done
  # Standard input and output; the id for the name; a link by its number.
  id=$(printf %s lorry-2 | sha256sum | head -c 32)
  expect_exit 0 anchor export --ots --source "$id" --sequence 0 <"$network.twin"
  expect_same lorry-2.ots out
done
cmp -s engine-1.ots lorry-1.ots && fail "two links have one proof"
# The proof of one network is none in another.
expect_exit 0 anchor export --ots --source engine-1 --link-file link.bin litecoin.twin
expect_exit 7 verify ots engine-1.ots link.bin --headers bitcoin.header --network bitcoin --first-height 900000

# What cannot be exported.
expect_exit 2 anchor export --ots litecoin.twin
expect_stderr 'anchors of several sources'
expect_exit 7 anchor export --ots --source engine-1 --sequence 1 litecoin.twin
expect_stderr 'there is no such anchor in the input'
expect_exit 7 anchor export --ots --source nobody litecoin.twin
expect_exit 2 anchor export litecoin.twin
expect_stderr 'hint: --ots'
"$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py" --count 3 >b.twin
anchor --ledger dir:ledger b.twin >c.twin || fail "anchor"
expect_exit 2 anchor export --ots -o none.ots c.twin
expect_stderr 'OpenTimestamps has no attestation for dir'
[ ! -e none.ots ] || fail "a proof of a dir: ledger"
expect_exit 7 anchor export --ots b.twin
expect_exit 4 anchor export --ots "$make_block"
# frames_of CHANGE: link and anchor of engine-1, "changed" in the last byte of the receipt (the
# coinbase's lock time), or the anchor "alone".
frames_of() {
  python3 - "$1" <<'PYTHON'
import os, struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["TWINCHAIN_SOURCE"], "tests/cli"))
from twin_format import PREAMBLE, end_frame, frame, source_id
data, at, out, count = open("litecoin.twin", "rb").read(), 8, b"", 0
while at < len(data):
    kind, _, size = struct.unpack_from("<HHI", data, at + 4)
    source, body = data[at + 16:at + 32], data[at + 64:at + 64 + size]
    at += 64 + size
    if source != source_id("engine-1") or (kind == 4 and sys.argv[1] == "alone"):
        continue
    if kind == 5 and sys.argv[1] == "changed":
        body = body[:-1] + bytes([body[-1] ^ 1])
    out += frame(kind, 0, source, 0, 0, 1_000_000_000, body)
    count += 1
sys.stdout.buffer.write(PREAMBLE + out + end_frame(count, len(out)))
PYTHON
}
# A receipt that proves nothing is not exported.
frames_of changed >changed.twin || fail "changed.twin"
expect_exit 1 anchor export --ots changed.twin
expect_stderr 'receipt: '
# Without its LINK frame there is a proof, and no link file.
frames_of alone >alone.twin || fail "alone.twin"
expect_exit 0 anchor export --ots alone.twin
expect_exit 7 anchor export --ots --link-file no.link alone.twin
expect_stderr 'the link of that anchor is not in the input'
exit 0
