#!/usr/bin/env bash
# What a person must mend: each says so in one line, with the right exit code.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/litecoin_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/litecoin_lib.sh"

"$links" >b.twin

# No node at all. The stream passes and is complete.
node_port=$(free_port)
mkdir -p node/regtest && echo __cookie__:0 >node/regtest/.cookie
expect_exit 6 anchor_node --timeout 1s <b.twin
expect_stderr "node at 127.0.0.1:$node_port: cannot connect: connection refused"
expect_same b.twin out
rm node/regtest/.cookie
expect_exit 6 anchor_node --timeout 1s <b.twin
expect_stderr 'is not there'
expect_stderr 'hint: a node writes it when it starts'

# Something that is no node.
python3 -c '
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
' "$node_port" >/dev/null 2>&1 &
no_node=$!
stop_on_exit $no_node
touch node/regtest/.cookie; echo a:b >node/regtest/.cookie
wait_for 10 curl -s "http://127.0.0.1:$node_port/"
expect_exit 4 anchor_node <b.twin
expect_stderr "is it a node's RPC port?"
kill $no_node
rm -r node

node_port=$(free_port)
rpc() { curl -s --user ann:secret --data-binary "{\"method\":\"$1\",\"params\":${2:-[]}}" "http://127.0.0.1:$node_port/"; }
wallet_rpc() { curl -s --user ann:secret --data-binary "{\"method\":\"$1\",\"params\":${2:-[]}}" "http://127.0.0.1:$node_port/wallet/w"; }
node_start -rpcuser=ann -rpcpassword=secret
with_file() {
  anchor --ledger "litecoin:http://127.0.0.1:$node_port" --credentials-file credentials \
    --timeout 3s --depth 1 "$@"
}

# Credentials. The output is not finished: nothing of this run is to be used.
printf 'ann:wrong\n' >credentials
chmod 644 credentials
expect_exit 2 with_file <b.twin
expect_stderr 'credentials file credentials is open to others'
expect_stderr 'hint: chmod 600 credentials'
chmod 600 credentials
expect_exit 2 with_file <b.twin
expect_stderr "node at 127.0.0.1:$node_port refuses the credentials"
expect_no_end out
printf 'nothing\n' >credentials
expect_exit 2 with_file <b.twin
expect_stderr 'is not one line user:password'
expect_exit 2 anchor --ledger "litecoin:http://127.0.0.1:$node_port" <b.twin
expect_stderr 'hint: give --cookie-file'
expect_exit 2 anchor --ledger "litecoin:http://ann:secret@127.0.0.1:$node_port" <b.twin
expect_stderr 'user name and password do not belong in the address'
printf 'ann:secret\n' >credentials

# Wallets.
expect_exit 2 with_file <b.twin
expect_stderr 'hint: load it (loadwallet), or name another: --wallet'
rpc createwallet '["w"]' | jq -e '.error == null' >/dev/null || fail createwallet
expect_exit 2 with_file --wallet other <b.twin
expect_stderr 'Requested wallet does not exist or is not loaded'
rpc createwallet '["watching",true]' >/dev/null
expect_exit 2 with_file <b.twin
expect_stderr 'node has several wallets'
expect_exit 2 with_file --wallet watching <b.twin
expect_stderr 'the wallet has no keys'
rpc createwallet '["locked",false,false,"passphrase"]' >/dev/null
expect_exit 1 with_file --wallet locked <b.twin
expect_stderr 'the wallet is locked'
expect_stderr 'hint: unlock it with walletpassphrase'

# No money: told, tried again, and the stream is complete all the same.
expect_exit 1 with_file --wallet w --state state <b.twin
expect_stderr 'the wallet has not the money for the fee of an anchor'
expect_stderr 'hint: send a small amount to it'
expect_end out

# It comes while anchor waits.
anchor --ledger "litecoin:http://127.0.0.1:$node_port" --credentials-file credentials --depth 1 \
  --wallet w --timeout 50s <b.twin >c.twin 2>err &
anchor_pid=$!
stop_on_exit $anchor_pid
wait_for 20 grep -q 'has not the money' err || fail "no word about the money"
rpc generatetoaddress "[1,\"$(wallet_rpc getnewaddress | jq -r .result)\"]" >/dev/null
mine 100
wait_for 40 mempool_has 1 || fail "not published: $(cat err)"
mine 1
wait $anchor_pid || fail "exit $?"
expect_anchors 1 c.twin

# The other family's node.
expect_exit 2 anchor --ledger "bitcoin:http://127.0.0.1:$node_port" --credentials-file credentials \
  --wallet w <b.twin
expect_stderr 'this is a node of litecoin-regtest, not of bitcoin'

# A fee beyond reason is the node's to refuse.
expect_exit 2 with_file --wallet w --fee-rate 20000 --state fees < <("$links" --source lorry-1)
expect_stderr 'the fee is too high for the node'
mempool_has 0 || fail "sent all the same"
[ "$(wallet_rpc listlockunspent | jq '.result | length')" = 0 ] || fail "coins stay locked"
