#!/usr/bin/env bash
# The disk fails or the process is killed at any write or sync of the state: no fork, nothing lost.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py
export PYTHONDONTWRITEBYTECODE=1
need strace

twin-key new node || fail "new"
"$stream" make --count 6 >a.twin
calls=0
for call in writev fdatasync rename fsync; do
  for fault in error=EIO error=ENOSPC signal=SIGKILL; do
    for number in 1 2 3 4; do
      rm -rf state all.twin
      strace -f -o trace -e trace="$call" -e inject="$call:$fault:when=$number" \
        hashchain --key node.key --state state <a.twin >out 2>err
      code=$?
      [ $code = 0 ] || calls=$((calls + 1))
      case $code in 0 | 5 | 137) ;; *) fail "exit $code at $call $number, $fault" ;; esac
      cat out >all.twin
      hashchain --key node.key --state state <a.twin >again 2>err || fail "after $call $number, $fault"
      # A cut in the middle of a frame is left out, as a store does.
      python3 - <<'END'
import subprocess, sys, os
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli/hashchain")
import twin_stream
with open("all.twin", "wb") as file:
    file.write(b"\x89TW\x01\r\n\x1a\n")
    for name in ("out", "again"):
        for frame in twin_stream.read(name):
            if frame[0] != 6:
                file.write(frame[4])
END
      [ "$("$stream" check all.twin)" = 6 ] || fail "fork or loss after $call $number, $fault"
    done
  done
done
[ "$calls" -gt 20 ] || fail "only $calls faults happened"
exit 0
