# Files of our own in each of the formats: cases that hold, cases that do not, cases that need later
# rules. Those of transactions and hashes are made by an implementation of their own.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

need python3
here=$TWINCHAIN_SOURCE/tests/cli/conformance
python3 "$here/make_cases.py" . >counts || fail 'make_cases.py'

# expect_count EXIT "N passed, N failed, N skipped" COMMAND FILE: also through a pipe.
expect_count() {
  local code=$1 wanted=$2
  shift 2
  expect_exit "$code" conformance "$@"
  [ "$(tail -n 1 out)" = "$wanted" ] || fail "$*: $(tail -n 1 out) instead of $wanted"
  expect_no_stderr
  mv out first
  expect_exit "$code" conformance "${@:1:$#-1}" - <"${!#}"
  expect_same first out
}

expect_count 0 '38 passed, 0 failed, 4 skipped' script "$here/script_cases.json"
expect_stdout 'skipped: line 43: needs Taproot: needs TAPROOT'

expect_count 0 '200 passed, 0 failed, 0 skipped' sighash sighash.json
expect_count 1 '0 passed, 200 failed, 0 skipped' sighash bad_sighash.json

expect_count 0 '23 passed, 0 failed, 1 skipped' tx-valid tx_valid_new.json
expect_count 0 '24 passed, 0 failed, 0 skipped' tx-valid tx_valid_old.json
expect_count 1 '0 passed, 22 failed, 0 skipped' tx-valid bad_tx_valid_new.json
expect_count 1 '0 passed, 19 failed, 0 skipped' tx-valid bad_tx_valid_old.json
# What the flags mean can be said: excluding P2SH leaves little to check, but each has to matter.
expect_exit 1 conformance tx-valid --flags excluded tx_valid_old.json
expect_exit 1 conformance tx-valid --flags included bad_tx_valid_new.json

expect_count 0 '19 passed, 0 failed, 1 skipped' tx-invalid tx_invalid.json
expect_stdout 'needs WITNESS'
expect_count 1 '0 passed, 25 failed, 0 skipped' tx-invalid bad_tx_invalid.json
expect_stdout 'bad-txns-vout-empty, which the case does not say'
expect_stdout 'is invalid with LOW_S already'

# Every outcome of the script cases, changed to another, is noticed.
python3 - "$here/script_cases.json" <<'END' >changed.json || fail 'changing outcomes'
import json
import sys

cases = json.load(open(sys.argv[1]))
for case in cases:
    if len(case) == 1 or "needs" in case[-1]:
        continue
    at = 4 if isinstance(case[0], list) else 3
    case[at] = "EVAL_FALSE" if case[at] != "EVAL_FALSE" else "OK"
json.dump([case for case in cases if "needs" not in case[-1]], sys.stdout)
END
expect_count 1 '0 passed, 38 failed, 0 skipped' script changed.json
