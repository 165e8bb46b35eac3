# The hexdump in twin-stream(5) is the golden stream, byte for byte.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

sed -n '/HEXDUMP BEGIN/,/HEXDUMP END/p' "$TWINCHAIN_SOURCE/man/twin-stream.5" | grep -E '^[0-9a-f]{8}:' >dump
[ "$(wc -l <dump)" -gt 40 ] || fail "no hexdump in the page"
xxd -r dump >from-page.twin
expect_same from-page.twin "$TWINCHAIN_SOURCE/tests/golden/tiny.v1.twin"
