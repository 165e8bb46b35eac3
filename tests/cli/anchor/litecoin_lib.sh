# A real litecoind in regtest for the tests of anchor: sourced after tests/cli/lib.sh.
# shellcheck shell=bash
# /usr/bin/litecoind is a wrapper that writes into the home folder: the binary itself is used.
litecoind=/usr/lib/litecoin/litecoind
need "$litecoind"
need curl
need jq
# shellcheck disable=SC2034  # used by the tests that source this
links=$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py

node_folder=$PWD/node
node_port=
node_pid=

# node_start [OPTION...]: on the same folder and port when called again.
node_start() {
  [ -n "$node_port" ] || node_port=$(free_port)
  mkdir -p "$node_folder"
  "$litecoind" -regtest -datadir="$node_folder" -server -listen=0 -rpcport="$node_port" \
    -rpcbind=127.0.0.1 -rpcallowip=127.0.0.1 -fallbackfee=0.0002 -txindex=1 -dnsseed=0 -upnp=0 \
    -printtoconsole=0 "$@" >>node.log 2>&1 &
  node_pid=$!
  stop_on_exit "$node_pid"
  wait_for 30 node_answers || fail "litecoind does not start: $(tail -n 3 node.log)"
  [ ! -e "$node_folder/regtest/wallets/w" ] || rpc loadwallet '["w"]' >/dev/null
}
node_answers() { [ "$(rpc getblockcount | jq -r .error)" = null ]; }

# node_stop: writes everything to its disk first.
node_stop() {
  kill "$node_pid"
  while kill -0 "$node_pid" 2>/dev/null && [ "$(ps -o stat= -p "$node_pid")" != Z ]; do sleep 0.1; done
  wait "$node_pid" 2>/dev/null
}
# node_kill: the power cut, except that the chain so far is on the disk.
node_kill() {
  rpc gettxoutsetinfo >/dev/null
  kill -9 "$node_pid"
  wait "$node_pid" 2>/dev/null
}

# rpc METHOD [PARAMS], wallet_rpc METHOD [PARAMS]: the whole answer; PARAMS is a JSON array.
rpc() { rpc_at "" "$@"; }
wallet_rpc() { rpc_at "wallet/w" "$@"; }
rpc_at() {
  local path=$1 method=$2 params=${3:-[]}
  curl -s --user "$(cat "$node_folder/regtest/.cookie" 2>/dev/null)" \
    --data-binary "{\"id\":1,\"method\":\"$method\",\"params\":$params}" \
    "http://127.0.0.1:$node_port/$path"
}

# mine COUNT: to an address that is nobody's of this node's.
mine() { rpc generatetodescriptor "[$1,\"raw(51)\"]" | jq -e '.error == null' >/dev/null; }
# mine_empty COUNT: blocks without the mempool's transactions.
mine_empty() {
  local i
  for ((i = 0; i < $1; i++)); do
    rpc generateblock '["raw(51)",[]]' | jq -e '.error == null' >/dev/null || fail "generateblock"
  done
}
height() { rpc getblockcount | jq -r .result; }
best_block() { rpc getbestblockhash | jq -r .result; }

# fund_wallet [BLOCKS]: makes wallet w and gives it money that can be spent.
fund_wallet() {
  rpc createwallet '["w"]' | jq -e '.error == null' >/dev/null || fail "createwallet"
  local address
  address=$(wallet_rpc getnewaddress | jq -r .result)
  rpc generatetoaddress "[${1:-5},\"$address\"]" >/dev/null
  mine 100
}

# published: how many transactions of anchors there are in the best chain and the mempool. Each line
# on standard output is a txid and the payload after the tag.
published() {
  python3 - "$node_port" "$node_folder/regtest/.cookie" "${first_height:-100}" <<'END'
import base64, http.client, json, sys
node = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
cookie = base64.b64encode(open(sys.argv[2], "rb").read()).decode()
def rpc(method, *params):
    body = json.dumps({"id": 1, "method": method, "params": params})
    node.request("POST", "/", body, {"Authorization": "Basic " + cookie})
    return json.loads(node.getresponse().read())["result"]
found = [rpc("getrawtransaction", txid, True) for txid in rpc("getrawmempool")]
for height in range(rpc("getblockcount"), int(sys.argv[3]) - 1, -1):
    found += rpc("getblock", rpc("getblockhash", height), 2)["tx"]
for transaction in found:
    for output in transaction["vout"]:
        script = output.get("scriptPubKey", {}).get("hex", "")
        if script.startswith("6a255457494e01"):
            print(transaction["txid"], script[14:])
END
}
expect_published() {
  local found
  found=$(published | wc -l)
  [ "$found" = "$1" ] || fail "$found transactions with an anchor instead of $1"
}
mempool_size() { rpc getrawmempool | jq '.result | length'; }
mempool_has() { [ "$(mempool_size)" = "$1" ]; }

# anchor_node [OPTION...]: anchor with this node and wallet.
anchor_node() {
  anchor --ledger "litecoin:http://127.0.0.1:$node_port" \
    --cookie-file "$node_folder/regtest/.cookie" --wallet w "$@"
}

# anchor_start INPUT OUTPUT [OPTION...]: the same in the background; anchor_pid is its own.
anchor_start() {
  local input=$1 output=$2
  shift 2
  anchor --ledger "litecoin:http://127.0.0.1:$node_port" \
    --cookie-file "$node_folder/regtest/.cookie" --wallet w "$@" <"$input" >"$output" 2>err &
  anchor_pid=$!
  stop_on_exit $anchor_pid
}

# frame_count FILE TYPE: frames of a type (5: ANCHOR) in a stream, counted by their headers.
frame_count() {
  python3 - "$1" "$2" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
at, found = 8, 0
while at + 64 <= len(data):
    assert data[at:at + 4] == b"\xf4TwF", at
    kind, _, size = struct.unpack_from("<HHI", data, at + 4)
    found += kind == int(sys.argv[2])
    at += 64 + size
print(found)
END
}
expect_anchors() {
  local found
  found=$(frame_count "$2" 5)
  [ "$found" = "$1" ] || fail "$found ANCHOR frames instead of $1 in $2"
}
expect_end() { [ "$(frame_count "$1" 6)" = 1 ] || fail "no END in $1"; }
expect_no_end() { [ "$(frame_count "$1" 6)" = 0 ] || fail "an END in $1"; }
