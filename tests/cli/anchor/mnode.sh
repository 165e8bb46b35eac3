#!/usr/bin/env bash
# Anchors in a network of one's own: published, mined, proven with the node and without it; and a
# record that is itself in the blocks.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

for tool in mine-skeleton assemble twin-tx; do
  command -v $tool >/dev/null || skip "$tool is not built"
done

make_record
twin-tx key payer >payer.id || fail "key"
twin-tx key sender >sender.id || fail "key"
mnode genesis --name anchors --spacing 1s --fund "1000000000:$(cat payer.id)" \
  --fund "1000000000:$(cat sender.id)" a.net >a.id || fail "genesis"
mnode genesis --name anchors --spacing 2s b.net >b.id 2>err || fail "genesis"

node_start() {
  mnode run --network a.net --dir node --listen 127.0.0.1:0 >node.out 2>node.err &
  node_pid=$!
  stop_on_exit $node_pid
  wait_for 30 grep -q '^listening on ' node.out || fail "the node does not start: $(cat node.err)"
  address=$(sed -n 's/^listening on //p' node.out | head -n 1)
}
# mine: a block of what the node has, also into chain.twin.
mine() {
  mnode list "$address" | mine-skeleton --threads 1 2>>mine.err |
    assemble --peer "$address" --dir full >block.twin 2>>mine.err || fail "mine: $(tail -n 3 mine.err)"
  cat block.twin >>chain.twin
}

node_start
record lorry-8 0 3 >raw.twin
hashchain --key node.key --state state-b raw.twin >b.twin 2>err || fail "seal"

# Published at once; with two blocks it is deep enough.
anchor --ledger "mnode:$address" --network a.net --payer payer --state anchors --depth 2 b.twin \
  >c.twin 2>anchor.err &
anchor_pid=$!
stop_on_exit $anchor_pid
for ((i = 0; i < 20; ++i)); do
  kill -0 $anchor_pid 2>/dev/null || break
  mine
done
wait $anchor_pid || fail "anchor: exit $?: $(cat anchor.err)"
expect_exit 0 verify --key node.pub --ledger "mnode:$address" --network a.net --min-depth 1 c.twin
expect_stdout "of mnode-$(tail -c 9 a.id)"
expect_stdout 'hashes of all headers, which were checked'
expect_exit 0 verify --key node.pub --ledger "mnode:$address" --min-depth 1 c.twin
expect_stdout 'and so are the rules'
expect_exit 7 verify --key node.pub --ledger "mnode:$address" --min-depth 1000 c.twin
# A node of another network than was asked for.
expect_exit 6 verify --key node.pub --ledger "mnode:$address" --network b.net c.twin
# Again, with the state: nothing is published twice.
expect_exit 0 anchor --ledger "mnode:$address" --network a.net --payer payer --state anchors \
  --depth 2 -o d.twin b.twin
expect_same c.twin d.twin

# Without the node, with its headers.
expect_exit 0 anchor headers --ledger "mnode:$address" --network a.net a.headers
expect_exit 0 verify --key node.pub --headers a.headers --network a.net --min-depth 1 c.twin
expect_stdout 'a forger would need'
expect_exit 2 verify --key node.pub --headers a.headers c.twin
cp a.headers changed.headers
printf '\x01' | dd of=changed.headers bs=1 seek=120 conv=notrunc status=none
expect_exit 1 verify --key node.pub --headers changed.headers --network a.net c.twin

# The whole record in blocks.
twin-tx --to "$address" --key sender --network a.net <b.twin 2>err || fail "twin-tx"
for ((i = 0; i < 3; ++i)); do mine; done
expect_exit 0 verify blocks --chain chain.twin --min-depth 1 b.twin
expect_stdout 'verified: '
expect_exit 0 verify blocks --chain chain.twin --network a.net --min-depth 1 c.twin
expect_stdout 'note: 1 frames of anchors'
expect_exit 2 verify blocks --chain chain.twin --network b.net b.twin
expect_exit 7 verify blocks --chain chain.twin --min-depth 1 a.twin
expect_stdout 'missing: '

# Away.
kill $node_pid && wait $node_pid
expect_exit 6 verify --key node.pub --ledger "mnode:$address" --timeout 1s --network a.net c.twin
