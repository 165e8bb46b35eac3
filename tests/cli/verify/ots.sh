#!/usr/bin/env bash
# OpenTimestamps: every published example has the outcome that its publishers say, against the header
# of the block that it names; wrong files, damaged proofs, headers that do not go there.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
need_shared vectors/opentimestamps
need jq
vectors=$TWINCHAIN_SHARED/vectors/opentimestamps
hash_358391=000000000000000003e892881a8cdcdc117c06d444057c98b6f04a9ee75a2319
printf '%s' 02000000b96394585a281b7e5f438fd1c9ed492645a1fd61cb380204000000000000000000 \
  7ee445d23ad061af4a36b809501fab1ac4f2d7e7a739817dd0cbb7ec661b8a1e376755f58616186272def6 |
  xxd -r -p >one.header
one_header=(--headers one.header --network bitcoin --first-height 358391 --checkpoint "$hash_358391")

# judge CODE REASON ARGUMENT...: exit code and reason, in text and JSON; the JSON is in report.json.
judge() {
  local code=$1 reason=$2
  shift 2
  expect_exit "$code" verify ots --json "$@"
  mv out report.json
  expect_no_stderr
  jq -e --arg reason "$reason" --argjson code "$code" \
    '.version == 1 and .kind == "ots" and .exit_code == $code and
     .reason == (if $reason == "-" then null else $reason end)' report.json >/dev/null ||
    fail "not $reason: $(cat report.json)"
  expect_exit "$code" verify ots "$@"
  expect_no_stderr
}
# outcomes: of all attestations, sorted.
outcomes() { jq -r '.attestations[] | "\(.network // "-") \(.height // "-") \(.outcome)"' report.json | sort; }
expect_outcomes() { [ "$(outcomes)" = "$(printf '%s\n' "$@" | sort)" ] || fail "outcomes: $(outcomes)"; }

judge 0 - "$vectors/hello-world.txt.ots" "${one_header[@]}"
expect_outcomes "bitcoin 358391 proven"
expect_stdout "verified: $vectors/hello-world.txt existed at 2015-05-28T15:41:18Z, as bitcoin block 358391 shows (1 deep; by the bitcoin headers of one.header up to block 358391)"
expect_stdout "proven: bitcoin block 358391: 2015-05-28T15:41:18Z, block hash $hash_358391, 1 deep"
[ "$(jq -r .existed_at report.json)" = 2015-05-28T15:41:18Z ] || fail "existed_at"
judge 0 - "$vectors/hello-world.txt.ots" "$vectors/hello-world.txt" "${one_header[@]}"
expect_exit 0 verify -v ots -q "$vectors/hello-world.txt.ots" - "${one_header[@]}" <"$vectors/hello-world.txt"
[ ! -s out ] || fail "--quiet prints"
judge 7 not-deep "$vectors/hello-world.txt.ots" "${one_header[@]}" --min-depth 2
expect_outcomes "bitcoin 358391 not-deep"

# The proof of another file, a stamp that is none, and blocks that the headers do not reach.
judge 1 wrong-target "$vectors/hello-world.txt.ots" "$vectors/empty" "${one_header[@]}"
expect_stdout "refuted: $vectors/empty is not the file of this proof"
judge 1 refuted "$vectors/bad-stamp.txt.ots" "${one_header[@]}"
expect_outcomes "bitcoin 358391 refuted"
judge 7 not-checked "$vectors/empty.ots" "${one_header[@]}"
jq -e '[.attestations[] | select(.network == "bitcoin")] == [.attestations[] | select(.height == "129405")]' \
  report.json >/dev/null || fail "empty: $(cat report.json)"
expect_stdout 'the bitcoin headers at hand do not go there'
judge 7 not-checked "$vectors/different-blockchains.txt.ots" "${one_header[@]}"
outcomes | grep -q '^bitcoin 455605 not-checked$' || fail "different-blockchains: $(outcomes)"
! outcomes | grep -q proven || fail "different-blockchains: $(outcomes)"
for name in incomplete known-and-unknown-notary; do
  judge 7 pending "$vectors/$name.txt.ots" "${one_header[@]}"
  ! outcomes | grep -qvE ' (pending|unknown)$' || fail "$name: $(outcomes)"
done
outcomes | grep -q unknown || fail "no unknown attestation"
expect_stdout 'of a kind that this program does not know'
expect_stdout 'a promise of this calendar, and no proof yet'

# What is not read, with the byte.
for name in bad-major-version exceeds-max-msg-length invalid-file-digest-type; do
  expect_exit 4 verify ots "$vectors/invalid/$name.ots" "$vectors/empty" "${one_header[@]}"
  grep -qE "^verify: error: .*$name.ots: ots: byte [0-9]+: " err || fail "$name: $(cat err)"
done

# No target: a proof about a hash.
cp "$vectors/hello-world.txt.ots" alone.ots
judge 7 no-target alone.ots "${one_header[@]}"
expect_stdout 'no file was compared with that'
# No headers; offline; a ledger of another network, or away.
judge 7 not-checked "$vectors/hello-world.txt.ots"
expect_stdout 'no headers and no ledger of bitcoin were given'
judge 7 not-checked "$vectors/hello-world.txt.ots" --offline
"$TWINCHAIN_SOURCE/tests/cli/anchor/make_links.py" | anchor --ledger dir:ledger >/dev/null || fail "anchor"
judge 7 not-checked "$vectors/hello-world.txt.ots" --ledger dir:ledger
judge 6 away "$vectors/hello-world.txt.ots" --timeout 5s --ledger "bitcoin:http://127.0.0.1:$(free_port)"
# An unchecked first header is believed, and that is said; a wrong one is not.
judge 0 - "$vectors/hello-world.txt.ots" --headers one.header --network bitcoin --first-height 358391
expect_stdout 'of which the first is believed'
expect_exit 1 verify ots "$vectors/hello-world.txt.ots" "${one_header[@]:0:6}" --checkpoint "${hash_358391//3/4}"
judge 7 not-checked "$vectors/hello-world.txt.ots" --headers one.header --network bitcoin --first-height 358392

# Every byte changed, every length: never proven but where nothing was proven by that byte, and
# never a crash. The proof is a path without forks.
cp "$vectors/hello-world.txt" "$vectors/hello-world.txt.ots" .
python3 - hello-world.txt.ots "${one_header[@]}" <<'PYTHON' || fail "a changed proof"
import subprocess, sys
proof = open(sys.argv[1], "rb").read()
def check(data, what):
    open("changed.ots", "wb").write(data)
    code = subprocess.run(["verify", "ots", "-q", "changed.ots", "hello-world.txt", *sys.argv[2:]],
                          capture_output=True).returncode
    if code not in (1, 4, 7):
        sys.exit(f"{what}: exit code {code}")
for at in range(len(proof)):
    check(proof[:at] + bytes([proof[at] ^ (1 << at % 8)]) + proof[at + 1:], f"byte {at}")
    if at % 7 == 0:
        check(proof[:at], f"{at} bytes")
check(proof + b"\0", "a byte more")
PYTHON

# Usage.
expect_exit 2 verify ots
expect_stderr 'verify ots --help'
expect_exit 2 verify ots alone.ots --offline --ledger dir:ledger
expect_exit 2 verify ots alone.ots --key node.pub
expect_exit 5 verify ots missing.ots
expect_exit 5 verify ots alone.ots missing
# A file of the command's name is read as ever, in any other place or as ./ots.
printf 'no stream' >ots
expect_exit 4 verify ./ots
expect_exit 4 verify --offline ots
expect_exit 4 verify -- ots
exit 0
