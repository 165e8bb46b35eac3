#!/usr/bin/env bash
# A clean record, and all that must never pass: nothing, nothing sealed, no key, another key.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
judge 0 - --key node.pub --ledger dir:ledger a.twin
expect_no_stderr
finds_only ""
head -n 1 out | grep -qE '^verified: source engine-1, frames 0 to 5, 2026-01-01T00:00:00Z to 2026-01-01T00:00:05\.[0-9]+Z, signed by node \(epoch 0\), anchored in block [0-9]+ of dir ' ||
  fail "verdict: $(head -n 1 out)"
expect_stdout 'counted: 24 rows (24 of '
expect_stdout '48 samples, 1 rejected, 0 late, 0 duplicate, 0 out of order; 6 windows proven, 0 silent, 0 lost, 0 gaps'
head=$(sed -n 's/^head: link 5 //p' out)
[ "$head" = "$("$tamper" --body a.twin LINK:5 | head -c 312 | sha256sum | cut -d ' ' -f 1)" ] || fail "head"

# The JSON of it, member by member.
python3 - "$head" <<'PYTHON' || fail "JSON: $(cat report.json)"
import json, sys
report = json.load(open("report.json"))
assert report["inputs"][0]["name"] == "a.twin" and int(report["inputs"][0]["size_bytes"]) > 1000
assert report["frames"] == "16" and report["ledger_asked"] and not report["offline"]
source, = report["sources"]
assert source["source"] == "engine-1" and source["verdict"] == "verified" and source["reason"] is None
assert (source["links"], source["first_link"], source["last_link"]) == ("6", "0", "5")
assert source["head"] == sys.argv[1] and source["history_computed"]
assert source["window_start"] == "2026-01-01T00:00:00Z"
signer, = source["signers"]
assert signer["name"] == "node" and signer["trusted"] and signer["epoch"] == 0
assert (signer["first_link"], signer["last_link"]) == ("0", "5")
assert signer["key"] in open("node.pub").read()
anchors = source["anchors"]
assert (anchors["receipts"], anchors["covered_to"]) == ("2", "5")
best = anchors["best"]
assert best["network"] == "dir" and best["trivial"] and best["height"] >= 2 and best["depth"] == 1
assert "proves nothing" in best["trust"]
assert source["beacon"] is None
sums = source["accounting"]
assert sums["windows"] == "6" and sums["rows"] == "24" and sums["samples"] == "48"
assert sums["rejected_rows"] == "1" and abs(sums["expected_rows"] - 23) < 1.1
PYTHON

expect_exit 0 verify -q --key node.pub --offline a.twin
[ ! -s out ] || fail "--quiet prints"
expect_no_stderr

# Nothing, and what is no stream.
judge 4 not-a-stream --key node.pub --offline /dev/null
expect_stdout 'damaged (input is not a twin stream)'
expect_stdout 'empty input'
judge 4 not-a-stream --key node.pub --offline "$TWINCHAIN_SOURCE/README.md"
head -c 5 a.twin >start
judge 4 not-a-stream --key node.pub --offline start
expect_stdout 'byte 5: ends inside the preamble'
# CR LF became LF on the way.
python3 -c 'open("text", "wb").write(open("a.twin", "rb").read().replace(b"\r\n", b"\n"))'
judge 4 not-a-stream --key node.pub --offline text
expect_stdout 'preamble damaged, probably by a transfer in text mode'
printf '\x89TW\x02\r\n\x1a\n' >version
judge 4 not-a-stream --key node.pub --offline version
expect_stdout 'twin stream of version 2, this program reads version 1'

# Frames and no seal; an empty stream.
judge 7 nothing-sealed --key node.pub --offline raw.twin
expect_stdout 'hint: hashchain(1) seals a stream'
"$tamper" a.twin none.twin drop=ANY
judge 7 nothing-sealed --key node.pub --offline none.twin
# The newest frames are not sealed.
"$tamper" a.twin tail.twin drop=LINK:5 drop=ANCHOR:5
judge 7 unsealed --key node.pub --offline tail.twin
finds kind=unsealed sequence=5 offset="$(where tail.twin DATA:5)"

# Keys: none, one that did not sign, a secret one, no key.
judge 7 no-key --offline a.twin
expect_stdout 'hint: --key FILE.pub says whose signature is expected'
twin-key new other || fail "twin-key"
judge 1 unknown-key --key other.pub --offline a.twin
finds kind=unknown-key sequence=0 last_sequence=5
expect_stdout 'refuted (unknown key)'
judge 0 - --key other.pub --key node.pub --offline a.twin
expect_exit 4 verify --key node.key --offline a.twin
expect_stderr 'verify: error: node.key: line 1: this is a secret key, the public one is in the file ending in .pub'
expect_exit 4 verify --key "$TWINCHAIN_SOURCE/README.md" --offline a.twin
expect_stderr 'README.md: line 1: '
expect_exit 5 verify --key missing.pub --offline a.twin

# The head that somebody else remembers.
judge 0 - --key node.pub --offline --head "$head" a.twin
frames cut --sequence 0..4 a.twin >short.twin || fail "cut"
judge 0 - --key node.pub --offline short.twin
judge 1 head-missing --key node.pub --offline --head "$head" short.twin
expect_exit 2 verify --head 1234 --offline a.twin
expect_stderr 'verify: error: --head: 64 hexadecimal digits are expected'
exit 0
