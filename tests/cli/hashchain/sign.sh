#!/usr/bin/env bash
# Counter-signatures: made, passed on by every tool, kept several of a link, asked for by a policy,
# refused where there is nothing sound to sign.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/verify/verify_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/verify/verify_lib.sh"

make_record
for party in farmer haulier stranger; do twin-key new "$party" || fail "twin-key"; done
count() { frames ls "$1" | grep -c COSIGNATURE; }
cosigners() { jq -r '[.sources[0].cosigners[] | "\(.name):\(.covered_to):\(.count)"] | join(" ")' report.json; }

# One frame behind everything; all else as it was, but for END.
expect_exit 0 hashchain sign --key farmer.key a.twin
cp out signed.twin
[ "$(count signed.twin)" = 1 ] || fail "$(frames ls signed.twin)"
size=$(stat -c %s a.twin)
cmp -n $((size - 80)) a.twin signed.twin || fail "what was there has changed"
[ "$(stat -c %s signed.twin)" = $((size + 196)) ] || fail "size"
judge 0 - --key node.pub --cosigner farmer.pub --ledger dir:ledger signed.twin
[ "$(cosigners)" = farmer:5:1 ] || fail "cosigners: $(cosigners)"
expect_stdout 'signed by node (epoch 0), counter-signed by farmer, anchored in'
judge 0 - --key node.pub --offline signed.twin
finds kind=unknown-cosigner severity=note
[ "$(cosigners)" = null:5:1 ] || fail "cosigners: $(cosigners)"

# The same party again: nothing is added. Another one, each link, one link, a link by its hash.
expect_exit 0 hashchain sign -v --key farmer signed.twin
expect_stderr '0 counter-signatures added, 1 newest links had this one already'
expect_same out signed.twin
expect_exit 0 hashchain sign --key haulier.key --every-link -o each.twin signed.twin
[ "$(count each.twin)" = 7 ] || fail "--every-link"
judge 0 - --key node.pub --cosigner farmer.pub --cosigner haulier.pub --offline each.twin
[ "$(cosigners)" = "haulier:5:6 farmer:5:1" ] || fail "cosigners: $(cosigners)"
expect_exit 0 hashchain sign --key haulier.key --link 2 signed.twin
cp out second.twin
judge 0 - --key node.pub --cosigner farmer.pub --cosigner haulier.pub --offline second.twin
[ "$(cosigners)" = "haulier:2:1 farmer:5:1" ] || fail "cosigners: $(cosigners)"
expect_stdout ', counter-signed up to frame 2 by haulier, by farmer,'
head=$(verify --key node.pub --offline a.twin | sed -n 's/^head: link 5 //p')
expect_exit 0 hashchain sign --key haulier.key --head "$head" signed.twin
cp out by-hash.twin
judge 0 - --key node.pub --cosigner haulier.pub --offline by-hash.twin
expect_exit 1 hashchain sign --key haulier.key --link 6 signed.twin
expect_stderr 'hashchain: error: the link to be signed is not in the input'
expect_exit 1 hashchain sign --key haulier.key --head "${head//[0-9]/0}" signed.twin

# Every tool passes them on, and the store keeps all of them.
for tool in 'anchor --ledger dir:other' 'frames cut --sequence 0..5' 'frames recover'; do
  # shellcheck disable=SC2086
  $tool <each.twin >passed.twin 2>err || fail "$tool"
  [ "$(count passed.twin)" = 7 ] || fail "$tool: $(count passed.twin)"
done
expect_exit 0 store put rec each.twin
expect_exit 0 store put rec second.twin
expect_exit 0 store get rec --source engine-1
cp out got.twin
[ "$(count got.twin)" = 7 ] || fail "store get: $(frames ls got.twin)"
judge 0 - --key node.pub --cosigner farmer.pub --cosigner haulier.pub --offline got.twin
[ "$(cosigners | tr ' ' '\n' | sort | tr '\n' ' ')" = "farmer:5:1 haulier:5:6 " ] || fail "$(cosigners)"
expect_exit 0 store fsck rec
judge 0 - --key node.pub --cosigner farmer.pub --offline rec
rm -r rec/index
expect_exit 0 store get rec --type cosignature --sequence 5
[ "$(count out)" = 2 ] || fail "after a new index: $(frames ls out)"

# Who must have signed.
key() { grep -oE '[0-9a-f]{64}' "$1.pub" | head -n 1; }
policy() { printf '%s\n' "signer = node $(key node)" "$@" >policy.txt; }
policy "cosigner = the farmer $(key farmer)" 'require = the farmer'
judge 0 - --policy policy.txt --offline signed.twin
judge 7 cosignature-missing --policy policy.txt --offline a.twin
finds kind=cosignature-missing severity=unproven message='the farmer has counter-signed nothing of this record'
expect_stdout 'hint: hashchain sign counter-signs'
policy "cosigner = haulier $(key haulier)" 'require = haulier'
judge 7 cosignature-missing --policy policy.txt --offline second.twin
finds kind=cosignature-missing message='haulier has counter-signed up to link 2, not the links after it'
policy "cosigner = haulier $(key haulier)" 'require = haulier' 'cosigned-within = 3s'
judge 0 - --policy policy.txt --offline second.twin
policy "cosigner = haulier $(key haulier)" 'require = haulier' 'cosigned-within = 2s'
judge 7 cosignature-missing --policy policy.txt --offline second.twin
# The stranger's signature under a name that is required does not count.
hashchain sign --key stranger a.twin >strange.twin || fail "sign"
judge 7 cosignature-missing --policy policy.txt --offline strange.twin
policy 'require = farmer'
expect_exit 2 verify --policy policy.txt --offline signed.twin
expect_stderr 'verify: error: the policy requires farmer, of whom no key is given'
judge 0 - --policy policy.txt --cosigner farmer.pub --offline signed.twin

# Tampered with, all checksums right: false for any reader, also one who knows no party.
"$tamper" signed.twin flipped.twin flip=COSIGNATURE,70
judge 1 bad-cosignature --key node.pub --offline flipped.twin
finds kind=bad-cosignature severity=refuted sequence=5
"$tamper" signed.twin moved.twin number=COSIGNATURE,4
judge 1 foreign-cosignature --key node.pub --cosigner farmer.pub --offline moved.twin
finds kind=foreign-cosignature sequence=4 message='COSIGNATURE frame: what was signed is link 5'
"$tamper" signed.twin early.twin behind=COSIGNATURE,LINK:3
judge 1 reordered --key node.pub --cosigner farmer.pub --offline early.twin

# What is not sound is not signed, and no END pretends that it was.
refuses() { # CODE MESSAGE FILE
  expect_exit "$1" hashchain sign --key farmer "$3"
  expect_stderr "$2"
  [ "$(verify -q --key node.pub --offline out; echo $?)" != 0 ] || fail "$3 passes after sign"
}
"$tamper" a.twin bad.twin flip=LINK:3,320
refuses 1 'link 3 at byte ' bad.twin
expect_stderr ' has a false signature'
"$tamper" a.twin bad.twin drop=LINK:3
refuses 1 'stands after link 2, links between are missing' bad.twin
"$tamper" a.twin bad.twin flip=DATA:3,-1
refuses 1 'the DATA frame before it is not what the link seals' bad.twin
"$tamper" a.twin bad.twin damage=DATA:3,-1
refuses 4 'body crc mismatch' bad.twin
head -c 3000 a.twin >bad.twin
refuses 4 'hashchain: error: ' bad.twin
expect_exit 2 hashchain sign --key node.key a.twin
expect_stderr 'its recorder cannot be the further party'
expect_exit 2 hashchain sign a.twin
expect_exit 2 hashchain sign --key farmer --link 1 --every-link a.twin
expect_exit 2 hashchain sign --key farmer --head 12 a.twin
exit 0
