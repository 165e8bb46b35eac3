#!/usr/bin/env bash
# kill -9 at random moments under load, with frames sent again as after a crash of the recorder.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py
export PYTHONDONTWRITEBYTECODE=1

twin-key new node || fail "new"
"$stream" make --source a --source b --count 500 --size 200 >a.twin
kills=0
for round in $(seq 1 15); do
  hashchain --key node.key --state state <a.twin >"part-$round" 2>err &
  pid=$!
  stop_on_exit $pid
  sleep "0.0$((RANDOM % 10))"
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  wait $pid 2>/dev/null
done
expect_exit 0 hashchain --key node.key --state state <a.twin
python3 - <<'END' || fail "a link differs between two runs"
import glob, os, sys
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli/hashchain")
import twin_stream
final = {(f[1], f[2]): f[3] for f in twin_stream.read("out") if f[0] == 4}
assert len(final) == 1000, len(final)
seen = 0
for name in glob.glob("part-*"):
    for frame in twin_stream.read(name):
        if frame[0] == 4:
            assert final[frame[1], frame[2]] == frame[3], (name, frame[2])
            seen += 1
print(seen, "links compared")
END
[ "$("$stream" check out)" = 1000 ] || fail "the chain is not sound"
[ "$kills" -gt 0 ] || fail "nothing was killed"
exit 0
