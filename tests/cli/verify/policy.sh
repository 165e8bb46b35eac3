#!/usr/bin/env bash
# --policy: each of its lines satisfied and breached, options before it, and malformed files.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
key=$(grep -oE '[0-9a-f]{64}' node.pub | head -n 1)
policy() { printf '%s\n' "$@" >policy.txt; }

# Who must have signed.
policy '# of the airline' "signer = the node of engine 1 $key  # since 2026"
judge 0 - --policy policy.txt --offline a.twin
expect_stdout 'signed by the node of engine 1 (epoch 0)'
policy "signer = somebody $(printf '%064d' 7)"
judge 1 unknown-key --policy policy.txt --offline a.twin
judge 0 - --policy policy.txt --key node.pub --offline a.twin

# Depth: the ledger is two blocks deep over the newest anchor at the most.
policy "signer = node $key" 'min-depth = 1'
judge 0 - --policy policy.txt --ledger dir:ledger a.twin
policy "signer = node $key" 'min-depth = 50'
judge 7 anchor-not-deep --policy policy.txt --ledger dir:ledger a.twin
expect_stdout 'hint: try again when the ledger has more blocks'
judge 0 - --policy policy.txt --min-depth 1 --ledger dir:ledger a.twin

# Anchors that must be there, and of which network.
policy "signer = node $key" 'require-anchor = yes'
judge 0 - --policy policy.txt --ledger dir:ledger a.twin
judge 7 anchor-unchecked --policy policy.txt --offline a.twin
judge 7 no-anchor --policy policy.txt --offline sealed.twin
judge 7 no-anchor --policy policy.txt sealed.twin
policy "signer = node $key" 'require-anchor = no'
judge 0 - --policy policy.txt --offline sealed.twin
policy "signer = node $key" 'network = bitcoin' 'network = dir'
judge 0 - --policy policy.txt --ledger dir:ledger a.twin
policy "signer = node $key" 'network = bitcoin'
judge 7 anchor-pending --policy policy.txt --ledger dir:ledger a.twin
finds kind=anchor-unchecked severity=note

# Gaps: the recorder did not run from second 3 to 8.
{ record engine-1 0 3 --spool spool >early.twin && record engine-1 8 2 --spool spool >late.twin; } || fail "twin-record"
cat early.twin late.twin | hashchain --key node.key >gap.twin || fail "hashchain"
judge 3 gap --key node.pub --offline gap.twin
finds kind=gap severity=loss sequence=3 window_start=2026-01-01T00:00:02.750000001Z window_end=2026-01-01T00:00:08Z offset="$(where gap.twin LINK:3)"
policy "signer = node $key" 'largest-gap = 6s'
judge 0 - --policy policy.txt --offline gap.twin
finds_only gap
policy "signer = node $key" 'largest-gap = 5s'
judge 1 gap --policy policy.txt --offline gap.twin
finds kind=gap severity=refuted sequence=3
expect_stdout ', the policy allows 5s'
judge 0 - --policy policy.txt --largest-gap 6s --offline gap.twin
judge 3 gap --key node.pub --offline gap.twin
expect_exit 2 verify --largest-gap 6 --offline gap.twin
expect_stderr 'verify: error: --largest-gap: not a duration: 6'

# Rows that the declared rate promises, of which half are there.
record engine-1 0 4 --rate 8 | hashchain --key node.key >half.twin || fail "hashchain"
policy "signer = node $key" 'least-rows = 49%'
judge 0 - --policy policy.txt --offline half.twin
policy "signer = node $key" 'least-rows = 99.5%'
judge 1 rows-missing --policy policy.txt --offline half.twin
expect_stdout 'that the declared rate promises, the policy asks for 99.5%'

# Clocks: link 3 was sealed with a clock that had been set back by an hour.
"$tamper" sealed.twin back.twin seal=LINK:3..,node.key,wall_ns,-3600000000000
policy "signer = node $key" 'clock = note'
judge 0 - --policy policy.txt --offline back.twin
finds kind=wall-clock-back severity=note sequence=3
policy "signer = node $key" 'clock = refuse'
judge 1 wall-clock-back --policy policy.txt --offline back.twin
judge 0 - --policy policy.txt --offline sealed.twin

# Malformed: the line is named, whatever else is right.
refuses() { # MESSAGE LINE...
  local message=$1
  shift
  policy '# a comment' "$@"
  expect_exit 2 verify --policy policy.txt --offline a.twin
  expect_stderr "verify: error: policy.txt: policy line $message"
  [ ! -s out ] || fail "a verdict without a policy"
}
refuses '2: unknown name depth' 'depth = 3'
expect_stderr 'verify: hint: known are signer, network, min-depth'
refuses '3: "name = value" is expected' 'clock = note' 'min-depth 3'
refuses '2: signer: a name and a public key in 64 hexadecimal digits are expected' 'signer = node 1234'
refuses '2: min-depth: a number of blocks is expected' 'min-depth = 0'
refuses '2: min-depth: a number of blocks is expected' 'min-depth = -1'
refuses '2: cosigner: a name and a public key in 64 hexadecimal digits are expected' 'cosigner = farmer 12'
refuses '2: cosigned-within: a duration such as 1d or 12h is expected' 'cosigned-within = soon'
refuses '2: require has no value' 'require ='
refuses '2: largest-gap: a duration such as 10s or 500ms is expected' 'largest-gap = 10'
refuses '2: require-anchor: yes or no is expected' 'require-anchor = maybe'
refuses '2: clock: note or refuse is expected' 'clock = ignore'
refuses '2: least-rows: a percentage such as 99.5% is expected' 'least-rows = 101%'
refuses '2: least-rows: a percentage such as 99.5% is expected' 'least-rows = nan%'
refuses '3: clock is said twice' 'clock = note' 'clock = refuse'
refuses '2: clock has no value' 'clock ='
policy 'network = moon'
expect_exit 2 verify --policy policy.txt --offline a.twin
expect_stderr 'verify: error: policy.txt: unknown network moon'
expect_exit 5 verify --policy missing.txt --offline a.twin
exit 0
