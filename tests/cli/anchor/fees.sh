#!/usr/bin/env bash
# Fees: too low for the node, and too low to be mined.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

# By default Litecoin's nodes replace nothing that is in their mempool; Bitcoin's do.
node_start -mempoolreplacement=1
fund_wallet
fee_rate() { # of the only transaction in the mempool, in sat/vbyte
  rpc getmempoolentry "[\"$(rpc getrawmempool | jq -r '.result[0]')\"]" |
    jq '.result | (.fees.base * 100000000 / .vsize * 100 | round) / 100'
}

# The node wants 1 sat/vbyte at least.
"$links" >b.twin
expect_exit 7 anchor_node --state state --fee-rate 0.3 --no-wait <b.twin
expect_stderr 'raised the fee to'
mempool_has 1 || fail "not in the mempool"
jq -en "$(fee_rate) >= 1 and $(fee_rate) < 3" >/dev/null || fail "fee rate $(fee_rate)"
mine 1
expect_exit 0 anchor_node --state state --depth 1 <b.twin
expect_anchors 1 out
expect_published 1

# What is asked for is paid.
"$links" --source lorry-1 >b.twin
expect_exit 7 anchor_node --state state --fee-rate 7.5 --no-wait <b.twin
jq -en "$(fee_rate) >= 7.4 and $(fee_rate) < 7.7" >/dev/null || fail "fee rate $(fee_rate)"
mine 1

# Twelve blocks without it: the fee is raised, and only the replacement is left.
"$links" --source lorry-2 >b.twin
anchor_start b.twin c.twin -v --state state --fee-rate 1.1 --depth 1
wait_for 30 mempool_has 1 || fail "nothing was published"
before=$(rpc getrawmempool | jq -r '.result[0]')
sleep 2
mine_empty 12
wait_for 30 grep -q 'raised the fee to' err || fail "the fee was not raised: $(cat err)"
mempool_has 1 || fail "both are in the mempool"
[ "$(rpc getrawmempool | jq -r '.result[0]')" != "$before" ] || fail "the same transaction"
mine 1
wait $anchor_pid || fail "exit $?"
expect_anchors 1 c.twin
expect_published 3

# A node that replaces nothing: the transaction stays, and is mined in the end.
node_stop
node_start -mempoolreplacement=0
"$links" --source lorry-4 >b.twin
anchor_start b.twin c.twin -v --state state --fee-rate 1.1 --depth 1
wait_for 30 mempool_has 1 || fail "nothing was published"
sleep 2
mine_empty 12
wait_for 30 grep -q 'cannot raise the fee: the node refuses' err || fail "not tried: $(cat err)"
mempool_has 1 || fail "not in the mempool any more"
mine 1
wait $anchor_pid || fail "exit $?"
expect_anchors 1 c.twin
expect_published 4

# Coins too small to pay so much more from the change: the replacement takes further ones.
rpc createwallet '["small"]' >/dev/null
for _ in 1 2 3 4 5; do
  wallet_rpc sendtoaddress "[\"$(rpc_at wallet/small getnewaddress | jq -r .result)\",0.00012]" >/dev/null
done
mine 1
node_stop
node_start -minrelaytxfee=0.001
rpc loadwallet '["small"]' >/dev/null
"$links" --source lorry-3 >b.twin
anchor_small() {
  anchor --ledger "litecoin:http://127.0.0.1:$node_port" --cookie-file node/regtest/.cookie \
    --wallet small --state state "$@"
}
expect_exit 7 anchor_small --fee-rate 20 --no-wait <b.twin
expect_stderr 'raised the fee to'
mempool_has 1 || fail "not in the mempool"
inputs=$(rpc getrawtransaction "[\"$(rpc getrawmempool | jq -r '.result[0]')\",true]" | jq '.result.vin | length')
[ "$inputs" -ge 2 ] || fail "$inputs inputs"
mine 1
expect_exit 0 anchor_small --depth 1 <b.twin
expect_anchors 1 out
expect_published 5
