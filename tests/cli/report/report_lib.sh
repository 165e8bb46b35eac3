# Real records and the pages made of them: sourced after tests/cli/lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the tests that source this
page=$TWINCHAIN_SOURCE/tests/cli/report/page.py
tamper=$TWINCHAIN_SOURCE/tests/cli/verify/tamper.py

# samples FIRST COUNT: CSV, a row a second, a peak of one row in second 33.
samples() {
  local second
  echo time,temperature,door,note
  for ((second = $1; second < $1 + $2; ++second)); do
    printf '2026-01-27T08:00:%02d.250Z,%d.5,%s,%s\n' "$second" \
      $((second == 33 ? 99 : 4 + second % 3)) "$([ $((second % 10)) -lt 2 ] && echo true || echo false)" ok
  done
}

# record [OPTION...]: frames of five seconds each from CSV on standard input.
record() {
  twin-record --format csv --source lorry-7 --clock data --every 5s --rate 1 "$@" 2>>record.err ||
    fail "twin-record: $(cat record.err)"
}

# judge CODE NAME [OPTION...]: NAME.json of NAME.twin, which must have this exit code.
judge() {
  local code=$1 name=$2 got=0
  shift 2
  verify --json "$@" "$name.twin" >"$name.json" 2>err || got=$?
  [ "$got" = "$code" ] || fail "verify $name.twin: exit $got instead of $code"
}

# dom NAME [EXPECTATION...]: what a browser makes of NAME.html is as page.py expects; so is the file.
dom() {
  local name=$1
  shift
  "$page" "$name.html" "$@" || fail "$name.html"
  # A profile of its own, and nothing from the network.
  timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --user-data-dir="$PWD/profile" --host-resolver-rules='MAP * ~NOTFOUND' \
    --dump-dom "file://$PWD/$name.html" >"$name.dom" 2>browser.err ||
    fail "chromium: $(tail -n 3 browser.err)"
  "$page" "$name.dom" "$@" || fail "$name.dom"
}

need_browser() {
  chromium=$(command -v chromium || command -v chromium-browser || true)
  [ -n "$chromium" ] || skip "chromium is not installed"
}
