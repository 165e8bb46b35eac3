#!/usr/bin/env bash
# anchor --fleet: one transaction for many recorders; each one's receipt is proof by itself.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

# Five recorders with a key and a chain each, in one stream.
for i in 1 2 3 4 5; do
  twin-key new "key$i" || fail "twin-key"
  record "lorry-$i" 10 3 | hashchain --key "key$i.key" >"lorry-$i.twin" || fail "hashchain"
done
cat lorry-?.twin >fleet.twin
all_keys=(--key key1.pub --key key2.pub --key key3.pub --key key4.pub --key key5.pub)

expect_exit 0 anchor --fleet --ledger dir:ledger --state state fleet.twin
mv out anchored.twin
expect_anchors 5 anchored.twin
# The genesis, a coin, and the block with the one transaction.
[ "$(anchor -v headers --ledger dir:ledger dir.headers 2>&1 | grep -c '3 headers added')" = 1 ] ||
  fail "not one block for the fleet"
expect_exit 0 verify "${all_keys[@]}" --ledger dir:ledger anchored.twin
expect_exit 0 verify "${all_keys[@]}" --headers dir.headers anchored.twin
[ "$(grep -c 'anchored in block 2 of dir' out)" -ge 5 ] || fail "not all are anchored: $(cat out)"
# Nothing is left to do; a new link of one recorder is alone.
expect_exit 0 anchor --fleet --ledger dir:ledger --state state anchored.twin
expect_anchors 10 out # links that come again get the receipts that they had
cp dir.headers before
anchor headers --ledger dir:ledger dir.headers || fail "anchor headers"
expect_same before dir.headers

# By a real node: one transaction of the wallet, as deep as wanted.
node_start
fund_wallet
(sleep 2; mine 2) &
expect_exit 0 anchor_node --fleet --depth 2 fleet.twin
expect_anchors 5 out
mv out litecoin.twin
expect_published 1
expect_exit 0 verify "${all_keys[@]}" --ledger "litecoin:http://127.0.0.1:$node_port" \
  --cookie-file "$node_folder/regtest/.cookie" --min-depth 2 litecoin.twin
# Without the option: one for each.
(sleep 3; mine 1) &
expect_exit 0 anchor_node --depth 1 fleet.twin
expect_published 6
node_stop

# A receipt is of its link alone, and every byte of it counts.
python3 - <<'PYTHON'
import os, struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["TWINCHAIN_SOURCE"], "tests/cli"))
from twin_format import PREAMBLE, end_frame, frame
data, at, frames = open("anchored.twin", "rb").read(), 8, []
while at < len(data):
    if data[at:at + 8] == PREAMBLE:
        at += 8
        continue
    kind, flags, size = struct.unpack_from("<HHI", data, at + 4)
    if kind != 6:
        source = data[at + 16:at + 32]
        sequence, start, end = struct.unpack_from("<Qqq", data, at + 32)
        frames.append([kind, flags, source, sequence, start, end, data[at + 64:at + 64 + size]])
    at += 64 + size
anchors = [each for each in frames if each[0] == 5]
anchors[0][6], anchors[1][6] = anchors[1][6], anchors[0][6]
out = b"".join(frame(*each) for each in frames)
open("changed.twin", "wb").write(PREAMBLE + out + end_frame(len(frames), len(out)))
PYTHON
expect_exit 1 verify "${all_keys[@]}" --ledger dir:ledger changed.twin
expect_stdout 'replayed-anchor'
exit 0
