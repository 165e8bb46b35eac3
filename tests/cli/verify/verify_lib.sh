# Real records and what verify says of them: sourced after tests/cli/lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the tests that source this
tamper=$TWINCHAIN_SOURCE/tests/cli/verify/tamper.py
report=$TWINCHAIN_SOURCE/tests/cli/verify/report.py

# samples FIRST COUNT: CSV of two channels, 4 rows a second from second FIRST on; one row in second
# 2 cannot be read.
samples() {
  local second quarter
  echo time,temperature,pressure
  for ((second = $1; second < $1 + $2; ++second)); do
    for quarter in 000 250 500 750; do
      printf '2026-01-01T00:00:%02d.%sZ,%d.5,%d\n' "$second" "$quarter" $((600 + second)) $((second * 7))
    done
    [ "$second" != 2 ] || echo 'not-a-time,1,2'
  done
}

# record SOURCE FIRST COUNT [OPTION...]: DATA frames of a second each, to standard output.
record() {
  local source=$1 first=$2 count=$3
  shift 3
  samples "$first" "$count" |
    twin-record --format csv --source "$source" --clock data --every 1s "$@" 2>>record.err
}

# make_record: a.twin of six windows, sealed with node.key, anchored after link 2 and after link 5 in
# dir:ledger.
make_record() {
  [ -e node.key ] || twin-key new node || fail "twin-key"
  record engine-1 0 6 --rate 4 >raw.twin || fail "twin-record: $(cat record.err)"
  hashchain --key node.key <raw.twin >sealed.twin || fail "hashchain"
  frames cut --sequence 0..2 sealed.twin | anchor --ledger dir:ledger >first.twin || fail "anchor"
  anchor --ledger dir:ledger sealed.twin >second.twin || fail "anchor"
  "$tamper" second.twin a.twin put=first.twin,ANCHOR:2,LINK:2 || fail "tamper.py"
}

# judge CODE REASON ARGUMENT...: verify ends with CODE, for this reason ("-" for none), in text and
# as JSON; the JSON is what verify(1) says. Text in ./out, JSON in ./report.json, its findings in
# ./findings.
judge() {
  local code=$1 reason=$2 got=0
  shift 2
  verify --json "$@" >report.json 2>err || got=$?
  [ "$got" = "$code" ] || fail "exit $got instead of $code: verify $* ($(verify "$@" 2>&1 | head -n 12))"
  expect_exit "$code" verify "$@"
  "$report" report.json out "$code" "$reason" >findings || fail "verify $*: $(head -n 20 out)"
}

# finds NAME=VALUE...: there is a finding with all of these; channels are separated by commas, of a
# message a part will do.
finds() {
  local wanted lines
  lines=$(cat findings)
  for wanted; do
    [[ $wanted == message=* ]] || wanted="|$wanted|"
    lines=$(grep -F -- "$wanted" <<<"$lines") || fail "no finding with $*: $(cat findings)"
  done
}
# finds_only [KIND...]: all findings, in their order (notes included).
# shellcheck disable=SC2120  # without arguments: none
finds_only() {
  [ "$(sed 's/^|kind=\([a-z-]*\)|.*/\1/' findings | tr '\n' ' ')" = "${*:+$* }" ] ||
    fail "other findings than $*: $(cat findings)"
}

# where FILE SELECTION: the byte offset of a frame.
where() {
  if [ -e "$1.where" ] && [ ! "$1" -nt "$1.where" ] && [[ $2 == *:* && $2 != */* ]]; then
    sed -n "s/^$2 //p" "$1.where"
  else
    "$tamper" --where "$1" "$2" | cut -d ' ' -f 1
  fi
}
