#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

key=0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798
mnode genesis --name engines --fund 5000:$key engines.net >id || fail "no network"
mnode genesis --name others --fund 5000:$key others.net >other-id || fail "no network"

# lists NETWORK ID BITS: a stream with the network's rules and an empty list, made by other code.
lists() {
  PYTHONPATH="$TWINCHAIN_SOURCE/tests/cli" python3 - "$@" <<'PYTHON'
import struct, sys
from twin_format import Frame, encode_stream, sha256
rules = open(sys.argv[1], "rb").read()
tip = bytes.fromhex(open(sys.argv[2]).read().strip())[::-1]
time_s = 1_800_000_000
part = struct.pack("<HBBIQ", 1, 1, 0, 0, 4) + sha256(b"") + tip
part += struct.pack("<IIIIqQII", 1, int(sys.argv[3], 16), time_s, 0, 0, 0, 0, 0)
frames = [Frame(10, tip[:16], 0, 0, 0, rules),
          Frame(11, tip[:16], 4, time_s * 10**9, time_s * 10**9, part)]
sys.stdout.buffer.write(encode_stream(frames))
PYTHON
}
lists engines.net id 207fffff >lists.twin || fail "no lists"

# frames_of FILE: the types of its frames, and of skeletons the header's work and time.
frames_of() {
  PYTHONPATH="$TWINCHAIN_SOURCE/tests/cli" python3 - "$1" <<'PYTHON'
import hashlib, struct, sys
data, at = open(sys.argv[1], "rb").read(), 8
while at < len(data):
    kind, size = struct.unpack_from("<H", data, at + 4)[0], struct.unpack_from("<I", data, at + 8)[0]
    body = data[at + 64:at + 64 + size]
    at += 64 + size
    print({10: "NETWORK", 11: "SNAPSHOT", 12: "SKELETON", 6: "END"}.get(kind, kind))
    if kind == 12:
        header = body[4:84]
        work = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1]
        print("work" if work[0] < 0x80 else "no work", header[4:36][::-1].hex(),
              struct.unpack_from("<I", header, 68)[0] >= 1_800_000_000)
PYTHON
}

expect_exit 0 mine-skeleton --threads 2 -o mined.twin <lists.twin
expect_stderr 'mine-skeleton: note: no --pay: the blocks take neither subsidy nor fees'
frames_of mined.twin >seen || fail "cannot read what was mined"
printf 'NETWORK\nSNAPSHOT\nSKELETON\nwork %s True\nEND\n' "$(cat id)" >wanted
expect_same wanted seen

# Paid, pinned to the network's file, and an end after one block though the input goes on.
mkfifo feed
{
  head -c -80 lists.twin
  sleep 60
} >feed 2>/dev/null &
stop_on_exit $!
expect_exit 0 mine-skeleton --pay $key --network engines.net --count 1 -o paid.twin <feed
expect_no_stderr
grep -qa "$(printf 'u\036v\350\031\221\226')" paid.twin || fail "the key's hash is not in the coinbase"

expect_exit 1 mine-skeleton --pay $key --network others.net -o refused.twin <lists.twin
expect_stderr 'mine-skeleton: error: the input is of another network: engines'
[ ! -e refused.twin ] || fail "written though refused"

# A difficulty that the network does not have: no block, and it says so.
lists engines.net id 217fffff >easy.twin
expect_exit 0 mine-skeleton --pay $key -o none.twin <easy.twin
expect_stderr 'a difficulty that this network does not have'
[ "$(frames_of none.twin)" = "$(printf 'NETWORK\nEND')" ] || fail "mined: $(frames_of none.twin)"

head -c -80 lists.twin >cut.twin
expect_exit 4 mine-skeleton --pay $key -o cut.out <cut.twin
expect_exit 2 mine-skeleton --pay "02$(printf '%064d' 5)" -o key.out <lists.twin
expect_stderr '--pay: not a public key'
expect_exit 2 mine-skeleton --pay $key --network missing.key -o x --to 127.0.0.1:1
