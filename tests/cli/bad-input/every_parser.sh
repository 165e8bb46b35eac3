# Bad input of each parser, one fault a case: kept as a reject, or with --strict refused by name.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

need python3
python3 "$TWINCHAIN_SOURCE/tests/cli/bad-input/check_cases.py" "$TWINCHAIN_SOURCE/tests/cli/bad-input" ||
  fail "cases of bad input"
