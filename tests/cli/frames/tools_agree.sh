# Every tool: --help, --version, an unknown option, and silence on success.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

for tool in "$TWINCHAIN_BUILD"/bin/*; do
  name=${tool##*/}
  expect_exit 0 "$name" --help
  expect_stdout 'See also:'
  expect_no_stderr
  expect_exit 0 "$name" --version
  expect_stdout "$name "
  expect_exit 2 "$name" --no-such-option
  expect_stderr "$name: error: "
  expect_stderr "$name: hint: $name"
done
