#!/usr/bin/env bash
# An anchor in a real block: depth is waited for, and the receipt says what the node says.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet
"$links" --count 5 >b.twin

# Three blocks are wanted and come one after the other.
anchor_start b.twin c.twin --depth 3
wait_for 30 mempool_has 1 || fail "nothing was published"
mine 2
sleep 2.5
kill -0 $anchor_pid || fail "anchor did not wait for the third block"
expect_anchors 0 c.twin
mine 1
wait $anchor_pid || fail "exit $?"
grep -qE 'is in no block yet|has depth' err || fail "no word about what is waited for"
expect_anchors 1 c.twin
expect_end c.twin
expect_published 1

# The receipt against the node's word: block, header, Merkle proof, position.
python3 - c.twin >receipt.txt <<'END'
import hashlib, struct, sys
data = open(sys.argv[1], "rb").read()
at, links = 8, []
while at + 64 <= len(data):
    kind, _, size = struct.unpack_from("<HHI", data, at + 4)
    body = data[at + 64:at + 64 + size]
    if kind == 4:
        links.append(hashlib.sha256(body[:312]).hexdigest())
    if kind == 5:
        assert body[8:40].hex() == links[-1], "not the last link"
        print(body[40:72][::-1].hex(), body[72:152].hex(), links[-1])
    at += 64 + size
END
read -r block header link <receipt.txt
[ "$(rpc getblockheader "[\"$block\",false]" | jq -r .result)" = "$header" ] || fail "header"
[ "$(rpc getblockheader "[\"$block\"]" | jq -r .result.confirmations)" = 3 ] || fail "depth"
[ "$(published | cut -d ' ' -f 2)" = "$link" ] || fail "payload"

# A link that has its anchor is not published again; nothing changes on the way.
expect_exit 0 anchor_node <c.twin
expect_same c.twin out
expect_no_stderr
expect_published 1

# Two sources: an anchor each.
{ "$links" --source lorry-1 && "$links" --source lorry-2; } >two.twin
(sleep 1; mine 1) &
expect_exit 0 anchor_node --depth 1 <two.twin
expect_anchors 2 out
expect_end out
