#!/usr/bin/env bash
# A verdict on another record is called so loudly; what is no verdict is refused.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/report/report_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/report/report_lib.sh"

twin-key new node || fail "twin-key"
# shellcheck disable=SC2119  # no further options
samples 0 20 | record >raw.twin
hashchain --key node.key raw.twin >a.twin || fail "hashchain"
judge 0 a --key node.pub --offline

# mismatch TEXT STREAM [VERDICT]: exit 1, said on standard error and in the page instead of the verdict.
mismatch() {
  expect_exit 1 report --verdict "${3:-a.json}" -o page.html "$2"
  expect_stderr "$1"
  expect_stderr 'report: error: the verdict is not about this record'
  "$page" page.html verdict='This verdict is not about this record' verdict='Nothing on this page may be relied on' \
    verdict="$1" about='do not belong together' proof='Nothing, by these two files' proof!'exactly what was sealed' \
    verdict!'Nothing was changed' || fail "page"
}
# The same data, sealed again: another record of the same size.
hashchain --key node.key raw.twin >again.twin || fail "hashchain"
mismatch 'source lorry-7: the record does not end with the head of the verdict' again.twin
samples 0 20 | twin-record --format csv --source lorry-8 --clock data --every 5s --rate 1 2>/dev/null |
  hashchain --key node.key >other.twin || fail "other"
mismatch 'source lorry-7 of the verdict is not in the record' other.twin
mismatch 'source lorry-8 of the record is not in the verdict' other.twin
cat a.twin other.twin >two.twin
mismatch 'frames, the record has' two.twin
head -c -200 a.twin >short.twin
mismatch 'bytes, the record has' short.twin
# Changed by an accident, and by somebody who makes all checksums right again: the heads are the same.
"$tamper" a.twin flipped.twin damage=DATA:2,-3 || fail "tamper.py"
mismatch 'the record is damaged in 1 places, which the verdict does not say' flipped.twin
"$tamper" a.twin forged.twin flip=DATA:2,-3 || fail "tamper.py"
[ "$(stat -c %s a.twin)" = "$(stat -c %s forged.twin)" ] || fail "sizes"
mismatch 'source lorry-7: 1 windows are not what was sealed' forged.twin
"$tamper" a.twin relinked.twin flip=LINK:1,60 || fail "tamper.py"
mismatch 'links are out of the chain, which the verdict does not say' relinked.twin
: >empty.twin
mismatch 'the record has 0' empty.twin
# The whole output is there all the same on standard output.
expect_exit 1 report --verdict a.json other.twin
expect_stdout '</html>'

refused() {
  local code=$1 message=$2
  shift 2
  expect_exit "$code" report "$@"
  expect_stderr "$message"
  [ ! -s out ] || fail "output all the same"
}
echo '{"version":1' >cut.json
refused 4 'report: error: cut.json: not JSON' --verdict cut.json a.twin
echo '{"version":1,"program":"store 0.1.0"}' >store.json
refused 4 'report: error: store.json: JSON, but not a report of verify' --verdict store.json a.twin
jq '.version = 2' a.json >new.json
refused 2 'of version 2' --verdict new.json a.twin
jq '.findings = [{kind: "fork", severity: "refuted"}]' a.json >worse.json
refused 4 'the verdict verified is better than the finding fork' --verdict worse.json a.twin
jq '.exit_code = 1' a.json >exit.json
refused 4 'is not that of its exit code' --verdict exit.json a.twin
jq '.sources[0].head = "short"' a.json >head.json
refused 4 'unexpected member: head' --verdict head.json a.twin
refused 4 'not JSON' --verdict a.twin a.twin
refused 5 'report: error: cannot open missing.json: ' --verdict missing.json a.twin
refused 5 'report: error: cannot open missing.twin: ' --verdict a.json missing.twin
refused 2 'report: error: no source has a channel nothing' --verdict a.json --channel nothing a.twin
refused 2 'report: error: --incident: not a time: noon' --verdict a.json --incident noon a.twin
refused 2 'report: error: --around: not a duration: 5' --verdict a.json --incident 14:00 --around 5 a.twin
refused 2 'standard input can be read once only' --verdict - -
refused 2 'is a folder, and not a store' --verdict a.json .
refused 2 '' a.twin

# An older page stays when the new one cannot be made.
echo old >page.html
refused 2 '' --verdict a.json --channel nothing -o page.html a.twin
[ "$(cat page.html)" = old ] || fail "page.html was lost"
