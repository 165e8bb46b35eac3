# Helpers of the transcript tests: sourced, not run. Each test is a bash script that runs in an
# empty folder with the tools first in PATH; exit 0 is a pass, 77 a skip (say why), else a failure.
# shellcheck shell=bash
set -u -o pipefail

: "${TWINCHAIN_SOURCE:?is set by tests/run}"
: "${TWINCHAIN_SHARED:=$TWINCHAIN_SOURCE/../shared}"

fail() {
  printf 'FAIL: %s\n' "$*" >&2
  if [ -s err ]; then
    printf -- '--- standard error of the last command\n' >&2
    tail -n 20 err >&2
  fi
  exit 1
}

skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}

# expect_exit CODE COMMAND...: runs it, output in ./out and ./err, and compares the exit code.
expect_exit() {
  local wanted=$1 got=0
  shift
  "$@" >out 2>err || got=$?
  [ "$got" = "$wanted" ] || fail "exit $got instead of $wanted: $*"
}

# expect_stderr TEXT, expect_stdout TEXT: the last expect_exit's output contains it.
expect_stderr() { grep -qF -- "$1" err || fail "standard error lacks: $1"; }
expect_stdout() { grep -qaF -- "$1" out || fail "standard output lacks: $1 (it has: $(head -c 300 out))"; }
expect_no_stderr() { [ ! -s err ] || fail "standard error is not empty"; }

# expect_same FILE FILE: byte for byte.
expect_same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

need() {
  command -v "$1" >/dev/null || [ -x "$1" ] || skip "$1 is not installed"
}

need_shared() {
  [ -e "$TWINCHAIN_SHARED/$1" ] || skip "no $1 under TWINCHAIN_SHARED"
}

# stop_on_exit PID: killed when the test ends, whichever way.
stop_pids=()
stop_on_exit() { stop_pids+=("$1"); }
stop_all() {
  local pid
  for pid in "${stop_pids[@]:-}"; do
    if [ -n "$pid" ]; then kill -9 "$pid" 2>/dev/null; fi
  done
}
trap stop_all EXIT
