#!/usr/bin/env bash
# The pages of a clean, a damaged, a gappy and an unanchored record, as a browser has them.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/report/report_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/report/report_lib.sh"
need_browser

twin-key new node || fail "twin-key"
# shellcheck disable=SC2119  # no further options
samples 0 60 | record >raw.twin
hashchain --key node.key raw.twin >plain.twin || fail "hashchain"
anchor --ledger dir:ledger plain.twin >first.twin || fail "anchor"
# The ledger has a block now, which the links of the record name.
hashchain --key node.key --beacon dir:ledger raw.twin >sealed.twin || fail "hashchain --beacon"
anchor --ledger dir:ledger sealed.twin >clean.twin || fail "anchor"

# Clean.
judge 0 clean --key node.pub --ledger dir:ledger
expect_exit 0 report --verdict clean.json -o clean.html clean.twin
expect_no_stderr
head=$(jq -r '.sources[0].head' clean.json)
dom clean verdict=Verified verdict='Nothing was changed in this record or taken out of it' verdict='exit status 0' \
  verdict='ledger for trying out' proof='All 12 windows' proof='60 rows' proof='the key of node' \
  time='0 to 11' time='of dir' time='can make anew' timeline='12 windows, 60 rows' \
  timeline='Damaged or refuted none' timeline='Gaps and losses none' timeline='1 anchor' \
  timeline='Recorder started 1 time' signals='temperature' signals='4.5 to 99.5, 60 values' \
  signals='door' signals='3 channels' findings='None.' hashes="$head" hashes='transaction' \
  hashes='Head: the newest link' signers="$(jq -r '.sources[0].signers[0].key' clean.json)" \
  about="$(sha256sum clean.twin | cut -d ' ' -f 1)" about="$(sha256sum clean.json | cut -d ' ' -f 1)" \
  about='not itself a proof' about='12 windows were computed anew' page='All times are in UTC' \
  count:figure.plot=2 count:figure.timeline=1 count:path.signal=2

# Around an incident: the peak of second 33 is in, and the channel that was asked for only.
expect_exit 0 report --verdict clean.json --incident 2026-01-27T08:00:30Z --around 5s \
  --channel temperature --title 'Lorry <7>' -o incident.html clean.twin
dom incident page='Lorry <7>' signals='Around 2026-01-27 08:00:30 UTC' signals='to 2026-01-27 08:00:35 UTC' \
  signals='4.5 to 99.5, 10 values' signals='incident' signals!door count:figure.plot=1 \
  count:line.incident=1
expect_exit 0 report --verdict clean.json --incident 2026-01-27T08:00:30Z --around 3s clean.twin
cp out early.html
dom early signals='4.5 to 6.5, 6 values' count:figure.plot=2
expect_exit 0 report --verdict clean.json --channel note clean.twin
cp out text.html
dom text signals='note holds text and is not drawn' count:figure.plot=0

# One byte changed.
"$tamper" clean.twin damaged.twin damage=DATA:6,-3 || fail "tamper.py"
judge 1 damaged --key node.pub --ledger dir:ledger
expect_exit 0 report --verdict damaged.json -o damaged.html damaged.twin
expect_no_stderr
dom damaged verdict=Refuted verdict='parts of it are damaged' verdict='refuted, damaged-frame' \
  proof='11 windows' proof='Damaged frames.' proof!'none was taken out' timeline='11 windows, 55 rows' \
  timeline='Damaged or refuted 1 finding' findings='damaged-frame' findings='frame 6' \
  findings='2026-01-27 08:00:30 UTC' findings='contradicts what was sealed' count:path.signal=2

# Two runs of the recorder with time between them, a window that was lost, a silent one.
{ samples 0 10 && samples 15 15 | tail -n +2; } | record --spool spool >one.twin
samples 45 15 | record --spool spool >two.twin
cat one.twin two.twin >both.twin
"$tamper" both.twin holed.twin drop=DATA:4 || fail "tamper.py"
expect_exit 3 hashchain --key node.key --accept-loss --state state -o gsealed.twin holed.twin
anchor --ledger dir:ledger gsealed.twin >gappy.twin || fail "anchor"
judge 3 gappy --key node.pub --ledger dir:ledger
expect_exit 0 report --verdict gappy.json -o gappy.html gappy.twin
dom gappy verdict=Incomplete verdict='genuine and unchanged, but it is not complete' \
  timeline='Recorder started 2 times' timeline='Gaps and losses 2 findings' findings=lost-window \
  findings=gap proof='Gaps.' proof='declared under seal' accounting='of these, silent (sealed, without a row) 1' \
  accounting='Windows declared lost 1' accounting='Gaps between windows 1'

# Sealed and never anchored.
cp plain.twin unanchored.twin
judge 0 unanchored --key node.pub --offline
expect_exit 0 report --verdict unanchored.json -o unanchored.html unanchored.twin
dom unanchored verdict='When it was made is not proven' proof='never anchored' time='nothing shows it' timeline='Anchors none' about='told to ask no ledger'
judge 7 unanchored
expect_exit 0 report --verdict unanchored.json -o unanchored.html unanchored.twin
dom unanchored verdict='Not proven' verdict='no trusted key' proof='No key that signed it was declared trustworthy' \
  signers='not declared trustworthy'

# Not sealed at all.
cp raw.twin loose.twin
judge 7 loose
expect_exit 0 report --verdict loose.json -o loose.html loose.twin
dom loose verdict='Not proven' time='Nothing is sealed' hashes='Nothing is sealed' timeline='12 windows, 60 rows'

# A part, when a part is what was asked for.
frames cut --sequence 3..6 --channel temperature clean.twin >part.twin || fail "frames cut"
judge 0 part --key node.pub --offline --partial
expect_exit 0 report --verdict part.json -o part.html part.twin
dom part verdict='What is shown of this record is unchanged' verdict!'Nothing was changed' time='3 to 6' \
  accounting='Columns withheld' proof='From link 3 to link 6' count:figure.plot=2

# A store, and pipes.
store put rec <clean.twin 2>err || fail "store put: $(cat err)"
verify --json --key node.pub --ledger dir:ledger rec >store.json || fail "verify rec"
expect_exit 0 report --verdict store.json -o store.html rec
dom store verdict=Verified about='segments/00000001.twin'
# An evidence bundle out of it.
if store evidence --help >/dev/null 2>&1; then
  store evidence --sequence 3..6 --channel temperature -o slice.bundle rec 2>err || fail "store evidence: $(cat err)"
  verify bundle --json --key node.pub --ledger dir:ledger slice.bundle >slice.json || fail "verify bundle"
  expect_exit 0 report --verdict slice.json -o slice.html slice.bundle
  dom slice verdict=Verified verdict='What is shown of this record is unchanged' proof='nothing is missing at the two ends' \
    hashes='Head: the link that proves all 11' about='4 windows were computed anew' timeline='1 anchor' count:figure.plot=2
  # Another bundle of the same store, under the first one's verdict.
  "$tamper" slice.bundle forged.bundle flip=SLICE:4,-3 || fail "tamper.py"
  expect_exit 1 report --verdict slice.json -o slice.html forged.bundle
  expect_stderr 'which the verdict does not say'
fi
report --verdict <(cat clean.json) - <clean.twin >piped.html 2>err || fail "pipes: $(cat err)"
"$page" piped.html verdict=Verified about='standard input' || fail "piped.html"
