#!/usr/bin/env bash
# Readers beside a writer, in other processes: each sees whole frames, and a record that verifies.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"

long_record 12
at() { where long.twin "$1"; }
mkfifo live
store put rec --segment-size 64KiB <live 2>put.err &
writer=$!
stop_on_exit $writer
exec 9>live
has_links() { [ "$(store get rec --type link 2>/dev/null | frames ls | grep -c ' LINK ')" = "$1" ]; }

# Frame by frame, with half a frame on its way.
half=0
for number in 2 5 8 11; do
  end=$(at "LINK:$number")
  tail -c +$((half + 1)) long.twin | head -c $((end + 200 - half)) >&9
  half=$((end + 200))
  wait_for 30 has_links "$number" || fail "links before LINK $number"
  expect_exit 0 store ls rec
  expect_stdout 'engine-1'
  expect_exit 0 store info --json rec
  python3 -c 'import json; json.load(open("out"))' || fail "info --json"
  expect_exit 0 store get rec
  frames ls out >/dev/null || fail "get beside put"
  expect_exit 0 store export rec
  frames ls out >/dev/null || fail "export beside put"
  expect_exit 0 store fsck rec
  # DATA is there and its LINK is not yet.
  judge 7 unsealed --key node.pub --offline rec
done
# An index that a reader may not use does not stop it, nor the writer.
cp -r rec copy
rm -r copy/index
chmod -R a-w copy
expect_exit 0 store get copy --type link
chmod -R u+w copy
tail -c +$((half + 1)) long.twin >&9
exec 9>&-
wait $writer || fail "put: $(cat put.err)"
expect_exit 0 store get rec
[ "$(sorted out)" = "$(sorted long.twin)" ] || fail "in the end"
judge 0 - --key node.pub --offline rec

# ls and info, as text and as JSON, with what there is.
expect_exit 0 store ls rec
[ "$(grep -c ^engine-1 out)" = 1 ] || fail "one line a source: $(cat out)"
expect_exit 0 store info rec
head=$(verify --offline --key node.pub rec | sed -n 's/^head: link 11 //p')
expect_stdout "$head"
expect_exit 0 store info --json rec
python3 - "$head" <<'PYTHON' || fail "$(cat out)"
import json, sys
text = open("out").read()
report = json.loads(text)
assert report["version"] == 1 and sys.argv[1] in text
PYTHON
expect_exit 0 store ls --json rec
python3 -c 'import json; assert json.load(open("out"))["version"] == 1' || fail "$(cat out)"
exit 0
