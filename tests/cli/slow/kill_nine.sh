# The whole pipeline killed with SIGKILL at random moments, KILL_ROUNDS times (default 20), and
# started again with the same line: no acknowledged frame is lost, and the chain does not fork.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

twin-key new node >/dev/null || fail "twin-key"
samples=$TWINCHAIN_BUILD/tests/make_samples
need "$samples"
line() {
  "$samples" csv 20 "$1" quantised 1000 2>/dev/null |
    twin-record --format csv --source s --every 100ms --spool spool 2>>record.err |
    hashchain --key node.key --state state 2>>hashchain.err |
    store put --acknowledge spool rec 2>>store.err
}
export -f line
export samples
acknowledged=0
for ((round = 0; round < ${KILL_ROUNDS:-20}; ++round)); do
  setsid bash -c 'line 0' &
  group=$!
  stop_on_exit "$group"
  sleep "0.$((RANDOM % 8 + 2))"
  kill -9 -- "-$group"
  wait "$group" 2>/dev/null
  if [ -s spool/acknowledged ]; then
    next=$(awk '{ print $2 }' spool/acknowledged)
    [ "$next" -ge "$acknowledged" ] || fail "acknowledged went back from $acknowledged to $next"
    acknowledged=$next
  fi
done
[ "$acknowledged" -gt 0 ] || fail "nothing was ever acknowledged"
timeout 60 bash -o pipefail -c 'line 300' || fail "the last run ended with $?: $(tail -n 3 record.err hashchain.err store.err)"

# 3: the time between a kill and the next start is a gap, and on record as one.
expect_exit 3 verify --offline --key node.pub rec
expect_stdout 'incomplete (gaps): source s, frames 0 to '
grep -qE '^(refuted|malformed|unproven)' out && fail "more than gaps: $(grep -m1 -E '^(refuted|malformed|unproven)' out)"
last=$(sed -nE 's/^incomplete \(gaps\): source s, frames 0 to ([0-9]+),.*/\1/p' out)
[ "$last" -ge $((acknowledged - 1)) ] || fail "frames to $acknowledged were acknowledged, $last is the last"
