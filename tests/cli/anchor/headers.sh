#!/usr/bin/env bash
# anchor headers: a file of block headers from a node, continued, mended and reorganised; verify takes
# it.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

# headers_node ARGUMENT...: anchor headers with this node.
headers_node() {
  anchor headers --ledger "litecoin:http://127.0.0.1:$node_port" \
    --cookie-file "$node_folder/regtest/.cookie" "$@"
}
# expect_chain FILE [FIRST]: it holds exactly the node's best chain.
expect_chain() {
  local tip first=${2:-0}
  tip=$(height)
  [ "$(stat -c %s "$1")" = $(((tip + 1 - first) * 80)) ] ||
    fail "$1 has $(stat -c %s "$1") bytes, the chain has block $tip"
  for at in "$first" $(((tip + first) / 2)) "$tip"; do
    [ "$(tail -c +$(((at - first) * 80 + 1)) "$1" | head -c 80 | xxd -p | tr -d '\n')" = \
      "$(rpc getblockheader "[\"$(rpc getblockhash "[$at]" | jq -r .result)\",false]" | jq -r .result)" ] ||
      fail "$1: header of block $at"
  done
}

node_start
mine 250 # from 431 on Litecoin's extension blocks want more than this test gives
expect_exit 0 headers_node a.headers
expect_no_stderr
expect_chain a.headers
expect_exit 0 headers_node -v a.headers
expect_stderr '0 headers added'
expect_stderr 'note: for verify: --headers a.headers'
mine 5
expect_exit 0 headers_node a.headers
expect_chain a.headers

# From a height on: what verify needs to know is said.
expect_exit 0 headers_node --from 200 b.headers
expect_chain b.headers 200
block=$(rpc getblockhash '[200]' | jq -r .result)
expect_stderr "anchor: note: for verify: --headers b.headers --network litecoin-regtest --first-height 200 --checkpoint $block"
# Continued from another height, or as another chain's: refused, and left as it was.
cp b.headers before
expect_exit 2 headers_node b.headers
expect_stderr 'does not begin with block 0 of litecoin-regtest'
expect_exit 2 headers_node --from 199 b.headers
expect_same before b.headers
expect_exit 2 headers_node --from 2000 c.headers
[ ! -e c.headers ] || fail "a file of nothing"

# A torn tail, and a tail that a power cut left as zeros.
head -c -35 a.headers >torn && cp torn a.headers
expect_exit 0 headers_node a.headers
expect_stderr 'cut off 45 bytes of a torn header'
expect_chain a.headers
{ head -c -240 a.headers && head -c 240 /dev/zero; } >torn && cp torn a.headers
expect_exit 0 headers_node a.headers
expect_stderr 'took away 3 headers'
expect_chain a.headers

# A reorganisation of 7 blocks, to a longer chain and to a shorter one.
rpc invalidateblock "[\"$(rpc getblockhash "[$(($(height) - 6))]" | jq -r .result)\"]" >/dev/null
mine 3
expect_exit 0 headers_node a.headers
expect_stderr 'took away 7 headers that are not in the best chain any more'
expect_chain a.headers
mine 9
expect_exit 0 headers_node a.headers
expect_chain a.headers
expect_exit 0 headers_node --from 200 b.headers
expect_chain b.headers 200

# What it is for: an anchor is checked without the node.
fund_wallet
twin-key new node || fail "twin-key"
record engine-1 0 3 | hashchain --key node.key >b.twin || fail "hashchain"
(sleep 1; mine 1) &
expect_exit 0 anchor_node --depth 1 <b.twin
mv out c.twin
block=$(best_block)
expect_exit 0 headers_node a.headers
expect_exit 0 headers_node --from 200 b.headers
expect_chain a.headers
node_stop
for options in "--headers a.headers" \
  "--headers b.headers --network litecoin-regtest --first-height 200 --checkpoint $(head -c 80 before |
    python3 -c 'import hashlib, sys; print(hashlib.sha256(hashlib.sha256(sys.stdin.buffer.read()).digest()).digest()[::-1].hex())')"; do
  # shellcheck disable=SC2086  # several words
  expect_exit 0 verify --json --key node.pub $options c.twin
  jq -e --arg block "$block" '.sources[0].anchors | .covered_to == "2" and .best.block == $block and
    .best.depth == 1' out >/dev/null || fail "verify: $(cat out)"
done

# The node is away: what is there stays.
cp a.headers before
expect_exit 6 headers_node --timeout 5s a.headers
expect_same before a.headers
expect_exit 6 headers_node --timeout 5s d.headers
[ ! -e d.headers ] || fail "a file of nothing"

# A dir: ledger; and usage.
anchor --ledger dir:ledger b.twin >/dev/null || fail "anchor"
expect_exit 0 anchor headers --ledger dir:ledger dir.headers
expect_exit 0 anchor headers --ledger dir:ledger dir.headers
[ "$(stat -c %s dir.headers)" = 240 ] || fail "$(stat -c %s dir.headers) bytes of dir: headers"
expect_exit 2 anchor headers --ledger dir:ledger a.headers
expect_same before a.headers
expect_exit 2 anchor headers dir.headers
expect_exit 2 anchor headers --ledger dir:ledger
expect_exit 2 anchor headers --ledger dir:missing x.headers
exit 0
