#!/usr/bin/env bash
# Litecoin's extension blocks (MWEB): anchors before and after they begin, and money inside of them.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet 20
"$links" >b.twin
expect_exit 7 anchor_node --state state --no-wait <b.twin
mine 1
expect_exit 0 anchor_node --state state --depth 1 <b.twin
expect_anchors 1 out
mine $((431 - $(height)))
wallet_rpc sendtoaddress "[\"$(wallet_rpc getnewaddress '["","mweb"]' | jq -r .result)\",10]" |
  jq -e '.error == null' >/dev/null || fail "peg-in"
mine 2
[ "$(height)" = 433 ] || fail "height $(height)"
hogex() { rpc getblock "[\"$(best_block)\",2]" | jq -r '.result.tx[-1].vout[0].scriptPubKey.hex'; }
[[ $(hogex) == 5820* ]] || fail "no HogEx in the newest block: $(hogex)"

# Several transactions beside the HogEx: the branch is longer than one step.
"$links" --source lorry-1 >b.twin
expect_exit 7 anchor_node --state state --no-wait <b.twin
for _ in 1 2 3; do
  wallet_rpc sendtoaddress "[\"$(wallet_rpc getnewaddress | jq -r .result)\",1]" >/dev/null
  wallet_rpc sendtoaddress "[\"$(wallet_rpc getnewaddress '["","mweb"]' | jq -r .result)\",1]" >/dev/null
done
mine 1
[[ $(hogex) == 5820* ]] || fail "no HogEx in the newest block"
[ "$(rpc getblock "[\"$(best_block)\"]" | jq .result.nTx)" -gt 4 ] || fail "few transactions"
expect_exit 0 anchor_node --state state --depth 1 <b.twin
expect_anchors 1 out
first_height=100 expect_published 2

# All money inside the extension block: it cannot pay, and the message says why.
rpc createwallet '["inside"]' >/dev/null
address=$(rpc_at wallet/inside getnewaddress '["","mweb"]' | jq -r .result)
wallet_rpc sendtoaddress "[\"$address\",5]" >/dev/null
mine 1
"$links" --source lorry-2 >b.twin
anchor_inside() {
  anchor --ledger "litecoin:http://127.0.0.1:$node_port" --cookie-file node/regtest/.cookie \
    --wallet inside --timeout 1s "$@"
}
expect_exit 1 anchor_inside <b.twin
expect_stderr "the wallet's money is not in ordinary outputs"
# With some outside, that is used.
wallet_rpc sendtoaddress "[\"$(rpc_at wallet/inside getnewaddress '["","bech32"]' | jq -r .result)\",1]" >/dev/null
mine 1
expect_exit 7 anchor_inside --state inside --no-wait <b.twin
mine 1
expect_exit 0 anchor_inside --state inside --depth 1 <b.twin
expect_anchors 1 out
