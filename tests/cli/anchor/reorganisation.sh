#!/usr/bin/env bash
# Reorganisations: depth counts in the present best chain, a vanished anchor comes back.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet
"$links" >b.twin
anchor_start b.twin c.twin --state state --depth 3
wait_for 30 mempool_has 1 || fail "nothing was published"
mine 2
first_branch=$(best_block)
sleep 2

# Another branch without the transaction, longer than the first one.
rpc invalidateblock "[\"$(rpc getblockhash "[$(($(height) - 1))]" | jq -r .result)\"]" >/dev/null
mine_empty 3
wait_for 30 grep -q 'is not in the best chain any more' err || fail "not noticed: $(cat err)"
kill -0 $anchor_pid || fail "three blocks of another branch counted"
expect_anchors 0 c.twin
wait_for 30 mempool_has 1 || fail "the transaction is not in the mempool again"
mine 3
wait $anchor_pid || fail "exit $?"
expect_anchors 1 c.twin
expect_published 1
receipt_block() {
  python3 - "$1" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
at = 8
while at + 64 <= len(data):
    kind, _, size = struct.unpack_from("<HHI", data, at + 4)
    if kind == 5:
        print(data[at + 64 + 40:at + 64 + 72][::-1].hex())
    at += 64 + size
END
}
depth_of() { rpc getblockheader "[\"$1\"]" | jq -r .result.confirmations; }
[ "$(depth_of "$(receipt_block c.twin)")" = 3 ] || fail "receipt of a block that is not in the chain"

# Deeper than was waited for, after the end: the next run sees it and makes the anchor anew.
old_block=$(receipt_block c.twin)
rpc invalidateblock "[\"$old_block\"]" >/dev/null
mine_empty 5
[ "$(depth_of "$old_block")" = -1 ] || fail "the old block is still in the chain"
expect_exit 7 anchor_node --state state --no-wait <b.twin
expect_stderr 'is not in the best chain any more'
mine 3
expect_exit 0 anchor_node --state state --depth 3 <b.twin
expect_anchors 1 out
[ "$(depth_of "$(receipt_block out)")" = 3 ] || fail "not anchored anew"
mv out anew.twin
expect_published 1

# An ANCHOR frame in the input, whose block is gone, counts for nothing; without any state.
expect_exit 0 anchor_node --depth 1 <anew.twin
expect_anchors 1 out
expect_published 1
(sleep 1; mine 1) &
expect_exit 0 anchor_node --depth 1 <c.twin
expect_anchors 2 out
expect_published 2

# The first branch becomes the best one again: the transaction is in it, and that is fine.
rpc reconsiderblock "[\"$first_branch\"]" >/dev/null
