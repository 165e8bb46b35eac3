# The hexdumps in twin-stream(5), twin-evidence(5) and twin-network(5) are the golden files, byte for
# byte.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# page_has PAGE GOLDEN-FILE
page_has() {
  sed -n '/HEXDUMP BEGIN/,/HEXDUMP END/p' "$TWINCHAIN_SOURCE/man/$1" | grep -E '^[0-9a-f]{8}:' >dump
  [ -s dump ] || fail "no hexdump in $1"
  rm -f from-page
  xxd -r dump >from-page
  expect_same from-page "$TWINCHAIN_SOURCE/tests/golden/$2"
}

page_has twin-stream.5 tiny.v1.twin
page_has twin-evidence.5 evidence.v1.bundle
page_has twin-network.5 hello.v1.wire
