#!/usr/bin/env bash
# A storage node: blocks come in over links, are in an ordinary store, survive kill -9, and go out
# again; BLOCK frames through put, get, ls, info, fsck and export.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"
need openssl

client() { "$TWINCHAIN_SOURCE/tests/cli/store/block_client.py" "$@"; }
expect_answers() { # TEXT COMMAND...
  local wanted=$1 got
  shift
  got=$(client "$@" 2>err | tr '\n' ' ') || fail "client: $*"
  [ "$got" = "$wanted" ] || fail "$* gives $got"
}
# serve OPTION...: a node in the background; its address is in $address, its process in $node.
serve() {
  : >serve.out
  store serve rec --network test.net --listen 127.0.0.1:0 --node-key node.key "$@" >serve.out 2>serve.err &
  node=$!
  stop_on_exit "$node"
  wait_for 60 grep -q '^node key ' serve.out || fail "no node: $(cat serve.err)"
  address=$(sed -n 's/^listening on //p' serve.out)
}

mnode genesis test.net --name test --time 2026-01-01T00:00:00Z >/dev/null 2>&1 || fail "genesis"
for name in one two; do
  openssl req -x509 -newkey ed25519 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=a 2>/dev/null ||
    fail "openssl"
  cat key.pem cert.pem >$name.pem
done
key_of() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n'; }
client make a 25 9000000 large.block
client make b 25 100 small.block
client make c 26 0 empty.block

serve --metrics 127.0.0.1:0
grep -q '^listening on 127\.0\.0\.1:[1-9]' serve.out || fail "no address: $(cat serve.out)"
expect_answers 'stored stored ' push test.net "$address" one.pem large.block small.block
expect_answers 'same same no block ' get test.net "$address" one.pem small.block large.block empty.block
expect_answers 'cut off ' push-bad test.net "$address" two.pem empty.block
expect_exit 0 mnode status --json "$address"
expect_stdout '"role":"storage"'
expect_stdout '"blocks":2,'
figures=$(sed -n 's/^figures on //p' serve.out)
expect_exit 0 python3 -c "import urllib.request as u, sys; print(u.urlopen('http://$figures/metrics').read().decode())"
expect_stdout 'twinchain_storage_blocks 2'
expect_stdout 'twinchain_storage_dropped_liars_total 1'
# Readers beside it, but no other writer.
expect_exit 0 store ls rec
expect_exit 5 store serve rec --network test.net --listen 127.0.0.1:0
expect_stderr 'in use'

# What was confirmed is there after kill -9; the key is the same one.
key=$(grep '^node key ' serve.out)
kill -9 "$node"
wait "$node" 2>/dev/null
serve
grep -qxF "$key" serve.out || fail "another key"
expect_answers 'same same ' get test.net "$address" one.pem large.block small.block
expect_answers 'stored stored ' push test.net "$address" two.pem empty.block small.block
kill -TERM "$node"
wait "$node" || fail "exit $? of a node that was told to stop: $(cat serve.err)"

# It is a store like any other: a frame each part.
expect_exit 0 store fsck rec
expect_stdout '4 frames'
expect_exit 0 store ls rec
expect_exit 0 store info rec
expect_exit 0 store get rec --type block
cp out blocks.twin
expect_types 'BLOCK 4' blocks.twin
expect_exit 0 store get rec
expect_same out blocks.twin
expect_exit 0 store get rec --sequence 26
expect_types 'BLOCK 1' out
expect_exit 1 store get rec --type skeleton

# put takes them, several parts and several blocks of a height, each once.
expect_exit 0 store put -v copy blocks.twin
expect_stderr 'stored 4 frames'
expect_exit 0 store put -v copy - <blocks.twin
expect_stderr 'stored 0 frames, 0 bytes; 4 were there already'
expect_exit 0 store get copy --type block
expect_same out blocks.twin
expect_exit 0 store fsck copy
expect_exit 0 store export copy -o exported.twin
[ "$(sorted exported.twin)" = "$(sorted blocks.twin)" ] || fail "export"

# The copy can be served; only the node with the listed key may add to it.
rm -r rec
mv copy rec
client make d 29 0 new.block
serve --allow "$(key_of one.pem)"
expect_answers 'same same same ' get test.net "$address" two.pem large.block small.block empty.block
expect_answers 'no block ' push test.net "$address" two.pem new.block
expect_answers 'stored ' push test.net "$address" one.pem new.block
kill -TERM "$node"
wait "$node" || fail "exit $?"

expect_exit 2 store serve rec --network test.net --listen nowhere
expect_exit 2 store serve rec --network test.net --listen 127.0.0.1:0 --allow 12
expect_stderr 'store: error: --allow: no node key: 12'
expect_exit 2 store serve rec --listen 127.0.0.1:0
expect_exit 2 store serve rec --network small.block --listen 127.0.0.1:0
