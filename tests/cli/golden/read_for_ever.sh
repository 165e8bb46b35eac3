# Streams of every earlier version: what they hold, and that they verify, must never change.
# tests/golden/NAME.twin, or NAME.bundle for evidence, has beside it NAME.ls, NAME.ndjson and NAME.verdict, and the key NAME.pub.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

golden=$TWINCHAIN_SOURCE/tests/golden
count=0
for stream in "$golden"/*.twin "$golden"/*.bundle; do
  base=${stream%.*}
  check=(verify)
  [ "${stream##*.}" = twin ] || check=(verify bundle)
  expect_exit 0 frames ls "$stream"
  expect_same out "$base.ls"
  expect_exit 0 frames cat --format ndjson --time ns "$stream"
  expect_same out "$base.ndjson"
  expect_exit 0 "${check[@]}" --offline --key "$base.pub" "$stream"
  head -n 1 out >verdict
  expect_same verdict "$base.verdict"
  count=$((count + 1))
done
[ "$count" -ge 3 ] || fail "only $count golden streams"
