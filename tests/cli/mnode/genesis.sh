#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

key=0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798

expect_exit 0 mnode genesis --name engines --fund 5000:$key --fund 7:03${key:2} --message 'hello there' \
  --time 2026-11-22T14:00:00Z --magic 7477696e one.net
expect_no_stderr
[ "$(wc -l <out)" = 1 ] || fail "more than the id: $(cat out)"
grep -qx '[0-9a-f]\{64\}' out || fail "no id"
[ "$(sed -n 's/^genesis-hash = //p' one.net)" = "$(cat out)" ] || fail "another id in the file"
grep -qx 'fund = 5000 76a914751e76e8199196d454941c45d1b3a323f1433bd688ac' one.net || fail "no funding"
[ "$(grep -c '^fund = ' one.net)" = 2 ] || fail "fundings"
grep -qx 'genesis-message = hello there' one.net || fail "message"
grep -qx 'half-life = 600s' one.net || fail "half-life"

# The same rules make the same network, bit for bit; another rule another one.
expect_exit 0 mnode genesis --name engines --fund 5000:$key --fund 7:03${key:2} --message 'hello there' \
  --time 2026-11-22T14:00:00Z --magic 7477696e two.net
expect_same one.net two.net
expect_exit 0 mnode genesis --name engines --fund 5000:$key --fund 7:03${key:2} --message 'hello there' \
  --time 2026-11-22T14:00:00Z --magic 7477696e --maturity 99 three.net
[ "$(sed -n 's/^genesis-hash = //p' one.net)" != "$(cat out)" ] || fail "the same id"

# Never overwritten.
cp one.net saved.net
expect_exit 2 mnode genesis --name other one.net
expect_stderr 'mnode: error: one.net is there already, parameters are never overwritten'
expect_same one.net saved.net

# Without fundings it says what that means.
expect_exit 0 mnode genesis --name poor poor.net
expect_stderr 'mnode: note: no --fund: only miners will have coins'

# Refused before anything is written.
refused() {
  local message=$1
  shift
  expect_exit 2 mnode genesis "$@" bad.net
  expect_stderr "$message"
  [ ! -e bad.net ] || fail "written: $*"
}
refused 'the name must be' --name 'a b'
refused '--spacing: not a duration' --name x --spacing 10
refused '--half-life: not a duration' --name x --half-life 1500ms
refused 'the half-life must be' --name x --half-life 1s
refused '--easiest-target: not 8' --name x --easiest-target 12
refused 'the easiest target is not' --name x --easiest-target ff000000
refused '--block-size-limit: not a size' --name x --block-size-limit big
refused 'the block size limit must' --name x --block-size-limit 1MiB
refused '--fund: not a value and a public key' --name x --fund 12
refused '--fund: not a value and a public key' --name x --fund "12:04${key:2}"
# No point of the curve has this x coordinate.
refused '--fund: not a value and a public key' --name x --fund "12:02$(printf '%064d' 5)"
refused 'the fundings' --name x --fund "0:$key"
refused '--time: not a time' --name x --time yesterday
refused '--magic: not 8' --name x --magic xyz
refused 'the data tag must' --name x --data-tag ''
expect_exit 5 mnode genesis --name x missing/x.net
expect_stderr 'missing/x.net'
