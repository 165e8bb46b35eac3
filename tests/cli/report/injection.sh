#!/usr/bin/env bash
# Names, messages and file names that would be markup, or would deceive, are shown and do nothing.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/report/report_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/report/report_lib.sh"
need_browser

script='<script>document.title="owned"</script>'
turned=$'lorry\xe2\x80\xae7\xe2\x80\x8b'
twin-key new node || fail "twin-key"
printf '%s\n' "time,\"</svg>${script//\"/\"\"}\",\"x\"\" onload=\"\"alert(1)\",\"a&amp;b\",$turned" \
  2026-01-27T08:00:00Z,1,2,3,4 2026-01-27T08:00:01Z,5,6,7,8 'not a time,<b>,1,1,1' |
  twin-record --format csv --source "</title>$script'$turned" --clock data --every 1s >raw.twin 2>record.err ||
  fail "twin-record: $(cat record.err)"
hashchain --key node.key raw.twin >sealed.twin || fail "hashchain"
"$tamper" sealed.twin 'quote".twin' damage=DATA:1,-2 || fail "tamper.py"
mv 'quote".twin' "<img src=x onerror=alert(1)>.twin"
name='<img src=x onerror=alert(1)>'
judge 1 "$name" --key node.pub --offline
mv "$name.json" "'><u>.json"
expect_exit 0 report --verdict "'><u>.json" --title "--><style>*{display:none}</style>$turned" -o evil.html "$name.twin"
dom evil verdict=Refuted page='--><style>*{display:none}</style>lorry[U+202E]7[U+200B]' \
  timeline="</title>$script'lorry[U+202E]7[U+200B]" signals="</svg>$script" signals='x" onload="alert(1)' \
  signals='a&amp;b' signals='lorry[U+202E]7[U+200B]' about="$name.twin" about="'><u>.json" \
  findings='channels: lorry[U+202E]7[U+200B]' count:script=0 count:img=0 count:u=0 count:style=1 count:title=6
grep -q '<title>owned' evil.dom && fail "a script ran"

# What the JSON says is no safer: verify writes none of this, somebody else may.
evil="</td></table></main><script>alert(1)</script><a href='javascript:alert(1)' onclick=\"alert(1)\">"
jq --arg evil "$evil" --arg nul $'\x01\xe2\x81\xa7' '
  .program = "verify " + $evil | .reason = $evil |
  .finding_counts[$evil] = "3" | .sources[0].reason = $evil |
  .sources[0].signers[0].name = $evil |
  .sources[0].cosigners = [{name: ($evil + $nul), key: .sources[0].head, covered_to: "1", count: "2"}] |
  .sources[0].beacon = {network: $evil, block: .sources[0].head, height: 3, time: null} |
  .sources[0].anchors.best = {network: $evil, trivial: false, block: .sources[0].head, height: 4,
    time: "2026-01-28T00:00:00Z", depth: 5, trust: $evil} | .sources[0].anchors.covered_to = "1" |
  .sources[0].anchors.receipts = "1" |
  .findings[0].kind = $evil | .findings[0].message = $evil + $nul |
  .findings[0].input = $evil | .findings[0].channels = [$evil, "\u0000"]' "'><u>.json" >bad.json || fail "jq"
expect_exit 0 report --verdict bad.json -o bad.html "$name.twin"
dom bad signers="$evil" findings="$evil" findings='[U+0000]' findings='[U+2067]' time="$evil" \
  verdict="$evil" about="$evil" count:script=0 count:a=4
