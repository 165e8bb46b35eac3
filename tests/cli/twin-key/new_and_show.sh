#!/usr/bin/env bash
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

umask 000 # the secret key's mode must not depend on it
expect_exit 0 twin-key new node
expect_no_stderr
[ ! -s out ] || fail "output"
[ "$(echo ./*)" = "./err ./node.key ./node.pub ./out" ] || fail "files: $(echo ./*)"
[ "$(stat -c %a node.key)" = 600 ] || fail "mode of the secret key"
cp node.key saved.key
cp node.pub saved.pub

# Never overwritten, whichever of the two is there.
expect_exit 2 twin-key new node
expect_stderr 'twin-key: error: node.key is there already, keys are never overwritten'
expect_exit 2 twin-key new node.key
mv node.pub away.pub
expect_exit 2 twin-key new node
mv away.pub node.pub
mv node.key away.key
expect_exit 2 twin-key new node
expect_stderr 'node.pub is there already'
mv away.key node.key
expect_same node.key saved.key
expect_same node.pub saved.pub

# The public part, from each of the files; never a secret.
secret=$(sed -n 's/^secret: //p' node.key)
next_secret=$(sed -n 's/^next-secret: //p' node.key)
read -r _ epoch key next < <(grep '^key:' node.pub)
for name in node node.key node.pub; do
  expect_exit 0 twin-key show $name
  expect_stdout "name:          node"
  expect_stdout "epoch:         $epoch"
  expect_stdout "public key:    $key"
  expect_stdout "key id:        $(printf %s "$key" | xxd -r -p | sha256sum | cut -c1-64)"
  expect_stdout "next key hash: $next"
  grep -q -e "$secret" -e "$next_secret" out && fail "show shows a secret"
done
expect_exit 0 twin-key public node.key
expect_same out node.pub
expect_exit 0 twin-key public node
expect_same out node.pub

# OpenSSL makes the same public keys from the secrets.
printf '302e020100300506032b657004220420%s' "$secret" | xxd -r -p >key.der
found=$(openssl pkey -inform DER -in key.der -pubout -outform DER | tail -c 32 | xxd -p -c 32)
[ "$found" = "$key" ] || fail "OpenSSL: $found"
printf '302e020100300506032b657004220420%s' "$next_secret" | xxd -r -p >key.der
found=$(openssl pkey -inform DER -in key.der -pubout -outform DER | tail -c 32 | sha256sum | cut -c1-64)
[ "$found" = "$next" ] || fail "hash of the successor"

expect_exit 0 twin-key new haulier --name 'Haulier Ltd, Köln'
expect_exit 0 twin-key show haulier
expect_stdout 'name:          Haulier Ltd, Köln'
expect_exit 2 twin-key new other --name $'two\nlines'
[ ! -e other.key ] || fail "key of a refused name"
expect_exit 5 twin-key new no/such/folder/node
expect_exit 5 twin-key show nobody
chmod 644 node.key
expect_exit 2 twin-key show node.key
expect_stderr 'twin-key: hint: chmod 600 node.key'
expect_exit 2 twin-key
expect_exit 2 twin-key new
exit 0
