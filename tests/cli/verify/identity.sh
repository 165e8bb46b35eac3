#!/usr/bin/env bash
# Renumbered, reordered, repeated, moved in time, signed again: with all checksums right, as by
# somebody who knows the format and has no key, or another one.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"
# tampered CODE REASON CHANGE...: what verify says of a.twin after these changes.
tampered() {
  local code=$1 reason=$2
  shift 2
  "$tamper" a.twin changed.twin "$@" || fail "tamper.py $*"
  judge "$code" "$reason" --key node.pub --offline changed.twin
}
at() { where changed.twin "$1"; }

make_record
tampered 0 - flip=SCHEMA,0 flip=SCHEMA,0

# A window is taken out and those behind it are numbered one lower.
tampered 1 renumbered drop=ANY:3 number=DATA:4..5,3 number=LINK:4..5,3 drop=ANCHOR:5
finds kind=renumbered sequence=4 offset="$(at DATA:3)"
finds kind=renumbered sequence=5 offset="$(at LINK:4)"
finds kind=missing-frames sequence=3
tampered 1 bad-signature drop=ANY:3 renumber=DATA:4..5,3 renumber=LINK:4..5,3 drop=ANCHOR:5
finds kind=bad-signature sequence=3 offset="$(at LINK:3)"
finds kind=altered-content sequence=3 offset="$(at DATA:3)"
finds kind=altered-content sequence=4 offset="$(at DATA:4)"

# In another order.
tampered 1 reordered swap=DATA:3,DATA:4 swap=LINK:3,LINK:4
finds kind=reordered sequence=3 offset="$(at LINK:3)"
tampered 1 reordered swap=DATA:3,LINK:3
finds kind=reordered sequence=3
tampered 1 reordered swap=DATA:1,DATA:4

# There twice: the same is a loss, as after a crash; with other content it is not.
tampered 3 duplicate-frame twice=DATA:3
finds kind=duplicate-frame sequence=3
tampered 3 duplicate-frame twice=LINK:3
tampered 1 reject-mismatch twice=REJECT:2
tampered 3 duplicate-frame twice=SCHEMA
"$tamper" a.twin twice.twin flip=DATA:3,-3
tampered 1 conflicting-data put=twice.twin,DATA:3,DATA:3
finds kind=conflicting-data sequence=3

# Another time, another source.
tampered 1 altered-window window=DATA:3,1000000000
finds kind=altered-window sequence=3 window_start=2026-01-01T00:00:03Z offset="$(at DATA:3)"
tampered 1 altered-window window=LINK:3,1000000000
tampered 1 moved-source source=DATA:3,engine-2
tampered 1 moved-source source=LINK:3,engine-2

# Content: which frame, which channels can be meant, which bytes.
tampered 1 altered-content flip=DATA:3,-3
finds kind=altered-content sequence=3 offset="$(at DATA:3)" window_start=2026-01-01T00:00:03Z window_end=2026-01-01T00:00:04Z source=engine-1
tampered 1 altered-content flip=DATA:3,0
tampered 1 reject-mismatch flip=REJECT:2,-1
finds kind=reject-mismatch sequence=2
tampered 1 missing-schema flip=SCHEMA,-1
tampered 1 bad-signature flip=LINK:3,-1
finds kind=bad-signature sequence=3 offset="$(at LINK:3)"
tampered 1 bad-signature flip=LINK:3,100

# Signed again: with the key of somebody else, hidden and named, one link and all of them.
twin-key new thief || fail "twin-key"
tampered 1 bad-signature sign=LINK:3,thief.key
finds kind=bad-signature sequence=3 offset="$(at LINK:3)"
tampered 1 key-not-committed sign-as=LINK:3,thief.key
finds kind=key-not-committed sequence=3 offset="$(at LINK:3)"
tampered 1 unknown-key sign-as=LINK,thief.key
finds kind=unknown-key sequence=0
hashchain --key thief.key <raw.twin >stolen.twin || fail "hashchain"
judge 1 unknown-key --key node.pub --offline stolen.twin
# What only the owner of the key can do is seen by whoever remembers the head, or by the anchor.
tampered 1 link-disagrees seal=LINK:3..,node.key,samples,-1
finds kind=link-disagrees sequence=3 offset="$(at DATA:3)"
finds kind=replayed-anchor sequence=5 offset="$(at ANCHOR:5)"
tampered 1 history-mismatch drop=ANCHOR seal=LINK:3,node.key,history_root,1
finds kind=history-mismatch sequence=3 offset="$(at LINK:3)"
tampered 0 - drop=ANCHOR seal=LINK:3,node.key,monotonic_ns,1

# An accident: the checksum tells which channel.
"$tamper" a.twin changed.twin damage=DATA:3,-3
judge 1 damaged-frame --key node.pub --offline changed.twin
finds kind=damaged-frame severity=refuted sequence=3 channels=pressure offset="$(at DATA:3)"
expect_stdout 'body crc mismatch, the damage is in bytes'

# Everything at once: each is listed with its place, none hides another.
"$tamper" a.twin changed.twin drop=LINK:1 flip=REJECT:2,-1 flip=DATA:3,-3 damage=DATA:4,-3 sign=LINK:5,thief.key bodies=ANCHOR:2,ANCHOR:5
cp changed.twin sound.twin
cat >>changed.twin <"$TWINCHAIN_SOURCE/README.md"
at() { where sound.twin "$1"; }
judge 1 bad-signature --key node.pub --ledger dir:ledger changed.twin
finds kind=missing-link sequence=1
finds kind=reject-mismatch sequence=2 offset="$(at DATA:2)"
finds kind=altered-content sequence=3 offset="$(at DATA:3)"
finds kind=damaged-frame sequence=4 channels=pressure offset="$(at DATA:4)" window_start=2026-01-01T00:00:04Z
finds kind=bad-signature sequence=5 offset="$(at LINK:5)"
finds kind=replayed-anchor sequence=2 offset="$(at ANCHOR:2)"
finds kind=damaged-bytes size_bytes="$(stat -c %s "$TWINCHAIN_SOURCE/README.md")"
exit 0
