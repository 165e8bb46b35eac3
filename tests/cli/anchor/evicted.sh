#!/usr/bin/env bash
# A transaction that the node forgot, and one whose input was spent otherwise.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

node_start
fund_wallet
forgetful=(-persistmempool=0 -walletbroadcast=0)

# Evicted while anchor waits: sent again, the same transaction.
"$links" >b.twin
anchor_start b.twin c.twin --state state --depth 1
wait_for 30 mempool_has 1 || fail "nothing was published"
txid=$(rpc getrawmempool | jq -r '.result[0]')
node_stop
node_start "${forgetful[@]}"
wait_for 30 mempool_has 1 || fail "not sent again: $(cat err)"
[ "$(rpc getrawmempool | jq -r '.result[0]')" = "$txid" ] || fail "another transaction"
mine 1
wait $anchor_pid || fail "exit $?"
grep -q "sent transaction $txid again" err || fail "no word about it: $(cat err)"
expect_anchors 1 c.twin
expect_published 1

# Forgotten, and then its input is spent by somebody else: a new one, for the newest link.
"$links" --source lorry-1 --count 2 >b.twin
expect_exit 7 anchor_node --state state --no-wait <b.twin
txid=$(rpc getrawmempool | jq -r '.result[0]')
input=$(rpc getrawtransaction "[\"$txid\",true]" | jq -c '.result.vin[0] | {txid, vout}')
node_stop
node_start "${forgetful[@]}"
mempool_has 0 || fail "the mempool is not empty"
value=$(rpc gettxout "[$(jq .txid <<<"$input"),$(jq .vout <<<"$input")]" | jq .result.value)
other=$(rpc createrawtransaction "[[$input],[{\"$(wallet_rpc getnewaddress | jq -r .result)\":$(jq -n "$value - 0.001")}]]" | jq -r .result)
other=$(wallet_rpc signrawtransactionwithwallet "[\"$other\"]" | jq -r .result.hex)
rpc sendrawtransaction "[\"$other\"]" | jq -e '.error == null' >/dev/null || fail "the other transaction"
mine 1
"$links" --source lorry-1 --count 3 >b.twin
(wait_for 30 mempool_has 1; mine 1) &
expect_exit 0 anchor_node --state state --depth 1 <b.twin
expect_stderr 'cannot get into the ledger any more'
expect_anchors 1 out
expect_published 2
published | grep -q "$txid" && fail "the first transaction is in the chain"
true
