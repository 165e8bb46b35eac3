# Bitcoin Core's published cases: none fails, and what is skipped needs later rules.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

need_shared vectors/bitcoin/script_tests.json
vectors=$TWINCHAIN_SHARED/vectors/bitcoin

expect_exit 0 conformance script "$vectors/script_tests.json"
[ "$(tail -n 1 out)" = '1105 passed, 0 failed, 98 skipped' ] || fail "script: $(tail -n 1 out)"
[ "$(grep -c '^skipped: .*: needs WITNESS' out)" = 98 ] || fail 'skipped without a reason'

expect_exit 0 conformance tx-valid "$vectors/tx_valid.json"
[ "$(tail -n 1 out)" = '91 passed, 0 failed, 29 skipped' ] || fail "tx-valid: $(tail -n 1 out)"
[ "$(grep -c '^skipped: .*: needs WITNESS' out)" = 29 ] || fail 'skipped without a reason'
# Valid transactions are not invalid ones.
expect_exit 1 conformance tx-invalid "$vectors/tx_valid.json"
[ "$(tail -n 1 out)" = '0 passed, 91 failed, 29 skipped' ] || fail "tx-invalid: $(tail -n 1 out)"
