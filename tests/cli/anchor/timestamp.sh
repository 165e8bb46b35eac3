#!/usr/bin/env bash
# Time-stamps of RFC 3161 in the place of a ledger, from an authority of `openssl ts`.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/anchor/tsa_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/anchor/tsa_lib.sh"
need openssl
need jq

make_tsa authority 'Example Authority'
make_tsa stranger 'Stranger'
twin-key new node || fail "twin-key"
record() { # NAME: a sealed record of four windows
  { echo time,x && for i in 0 1 2 3; do echo "2026-01-01T00:00:0$i.5Z,$i"; done; } |
    twin-record --format csv --source "$1" --clock data --every 1s 2>/dev/null |
    hashchain --key node.key >"$1.twin" || fail "record"
}
record a
record b

# Anchored, and proven to whoever believes the root; also offline, for nobody need be asked.
start_tsa authority good
url=tsa:http://127.0.0.1:$tsa_port/stamp
expect_exit 0 anchor --ledger "$url" --tsa-ca authority/ca.pem -o c.twin a.twin
expect_exit 0 verify --key node.pub --tsa-ca authority/ca.pem c.twin
expect_stdout 'time-stamped by CN=Example Authority TSA,O=Example Authority ('
expect_stdout 'by the certificates of authority/ca.pem'
expect_stdout 'time: frames 0 to 3 not after the time-stamp of CN=Example Authority TSA'
expect_exit 0 verify --offline --key node.pub --tsa-ca stranger/ca.pem --tsa-ca authority/ca.pem --json c.twin
jq -e '.sources[0] | .anchors.covered_to == "3" and .anchors.best.authority != null and
  .anchors.best.block == null and .anchors.best.network == "tsa" and
  .time_bounds[0].not_after.confirmed and (.time_bounds[0].not_after.token | length) == 64' out >/dev/null ||
  fail "report: $(cat out)"
report --verdict out -o page.html c.twin || fail "report"
grep -q 'when the time-stamp authority' page.html || fail "page"
# The authority's own certificate may be believed instead of the root.
expect_exit 0 verify --key node.pub --tsa-ca authority/tsa.pem c.twin

# Not believed, not asked about, and not what the policy counts: not proven, and never refuted.
expect_exit 7 verify --key node.pub --tsa-ca stranger/ca.pem c.twin
expect_stdout 'anchor-unchecked: source a, frame 3'
expect_stdout 'time-stamped by CN=Example Authority TSA,O=Example Authority: time-stamp: certificate verify error'
expect_exit 7 verify --key node.pub c.twin
expect_exit 0 verify --offline --key node.pub c.twin
expect_stdout 'its time is not proven'
printf 'network = bitcoin\nrequire-anchor = yes\n' >bitcoin.policy
expect_exit 7 verify --key node.pub --policy bitcoin.policy --tsa-ca authority/ca.pem c.twin
printf 'network = tsa\nrequire-anchor = yes\n' >tsa.policy
expect_exit 0 verify --key node.pub --policy tsa.policy --tsa-ca authority/ca.pem c.twin

# What other programs say of the same token.
expect_exit 0 anchor export --timestamp --link-file link -o link.tst c.twin
openssl ts -verify -token_in -in link.tst -data link -CAfile authority/ca.pem >openssl.txt 2>&1 ||
  fail "openssl: $(cat openssl.txt)"
grep -q 'Verification: OK' openssl.txt || fail "openssl: $(cat openssl.txt)"
expect_exit 2 anchor export --ots c.twin
expect_stderr 'OpenTimestamps has no attestation for tsa'

# A fleet: one token, each record with its own path; no other record's.
cat a.twin b.twin >ab.twin
expect_exit 0 anchor --ledger "$url" --fleet -o fleet.twin ab.twin
expect_exit 0 verify --key node.pub --tsa-ca authority/ca.pem fleet.twin
frames cut --source b fleet.twin >one.twin || fail "cut"
expect_exit 0 verify --key node.pub --tsa-ca authority/ca.pem one.twin
expect_exit 2 anchor export --timestamp one.twin
expect_stderr 'the time-stamp is of a fleet'

# In evidence, which is checked without anything else.
store put rec <c.twin >/dev/null || fail "put"
store evidence rec --source a --sequence 1 -o e.bundle || fail "evidence"
expect_exit 0 verify bundle --key node.pub --tsa-ca authority/ca.pem e.bundle
expect_stdout 'time-stamped by'
expect_exit 7 verify bundle --key node.pub --tsa-ca stranger/ca.pem e.bundle

# A restart asks for no second one, and what is anchored already is not anchored again.
expect_exit 0 anchor --ledger "$url" --state st -o d.twin b.twin
expect_exit 0 anchor --ledger "$url" --state st -o e.twin b.twin
expect_same d.twin e.twin
expect_exit 0 anchor --ledger "$url" -o f.twin d.twin
expect_same d.twin f.twin

# Another authority's token, a replayed one, a wrong signature, no authority at all: the stream
# passes, and has no anchor.
expect_exit 1 anchor --ledger "$url" --tsa-ca stranger/ca.pem --timeout 1s -o g.twin a.twin
expect_stderr 'certificate verify error'
expect_stderr 'hint: does --tsa-ca name the authority'
expect_same g.twin a.twin
refused() { # MODE CODE MESSAGE
  start_tsa authority "$1"
  expect_exit "$2" anchor --ledger "tsa:http://127.0.0.1:$tsa_port/stamp" --timeout 1s -o g.twin a.twin
  expect_stderr "$3"
}
refused refusing 6 'the authority refuses'
refused error 6 'HTTP status 500'
refused flip 1 'time-stamp: '
refused html 4 'not an answer of a time-stamp authority'
refused huge 4 'body limit exceeded'
start_tsa authority replay
url=tsa:http://127.0.0.1:$tsa_port/stamp
expect_exit 0 anchor --ledger "$url" -o g.twin a.twin
expect_exit 1 anchor --ledger "$url" --timeout 1s -o g.twin b.twin
expect_stderr 'time-stamp: the token is of another digest'
expect_exit 1 anchor --ledger "$url" --timeout 1s -o g.twin a.twin
expect_stderr 'time-stamp: the token is the answer to another request'
expect_exit 6 anchor --ledger "tsa:http://127.0.0.1:$(free_port)/" --timeout 1s -o g.twin a.twin
expect_stderr 'cannot connect'

# Usage.
expect_exit 2 anchor --ledger tsa:https://127.0.0.1/ a.twin
expect_exit 2 anchor --ledger tsa:127.0.0.1 a.twin
expect_exit 2 anchor --ledger "$url" --tsa-ca node.pub a.twin
expect_stderr 'node.pub: no certificate in it'
expect_exit 2 verify --key node.pub --ledger "$url" c.twin
expect_stderr 'hint: --tsa-ca FILE'
expect_exit 2 anchor headers --ledger "$url" --from 0 x.headers
expect_stderr 'no block headers'
expect_exit 2 hashchain --key node.key --beacon "$url" a.twin
expect_stderr 'a time-stamp authority has no blocks'
expect_exit 2 verify --key node.pub --network tsa --headers a.twin c.twin
expect_stderr 'unknown network tsa'
