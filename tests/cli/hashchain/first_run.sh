#!/usr/bin/env bash
# A first run as in the README: keys, links after each DATA frame, and what they hold, checked by
# code that shares nothing with the tools.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
stream=$TWINCHAIN_SOURCE/tests/cli/hashchain/twin_stream.py

expect_exit 0 twin-key new node
expect_no_stderr
"$stream" make --source engine-1 --source engine-2 --count 5 >a.twin
expect_exit 0 hashchain --key node.key --state state/ <a.twin
expect_no_stderr
mv out b.twin
[ "$("$stream" check b.twin)" = 10 ] || fail "not ten sound links"
types=$("$stream" list b.twin | cut -d' ' -f1 | tr '\n' ' ')
[ "$types" = "SCHEMA SCHEMA $(printf 'DATA LINK %.0s' {1..10})END " ] || fail "order: $types"

# All that was in the input is in the output as it was.
"$stream" list a.twin | grep -v END >wanted
"$stream" list b.twin | grep -v -e END -e LINK >got
expect_same wanted got

# What the key files say is in the links, and OpenSSL agrees with the signature.
read -r _ epoch key next < <(grep '^key:' node.pub)
[ "$("$stream" field b.twin 0 epoch)" = "$epoch" ] || fail "epoch"
[ "$("$stream" field b.twin 0 key)" = "$key" ] || fail "key"
[ "$("$stream" field b.twin 0 next_key_hash)" = "$next" ] || fail "next key hash"
[ "$("$stream" field b.twin 3 samples)" = 13 ] || fail "samples"
[ "$("$stream" field b.twin 3 rate)" = 1000000 ] || fail "rate"
[ "$("$stream" field b.twin 3 network)" = 0 ] || fail "beacon without --beacon"
boot=$(tr -d - </proc/sys/kernel/random/boot_id)
[ "$("$stream" field b.twin 3 boot_id)" = "$boot" ] || fail "boot id"
python3 - "$key" <<'END'
import hashlib, struct, sys
data = open("b.twin", "rb").read()
at = 8
while struct.unpack_from("<H", data, at + 4)[0] != 4:
    at += 64 + struct.unpack_from("<I", data, at + 8)[0]
link = data[at + 64:at + 64 + 376]
open("message", "wb").write(b"twinchain link signature 1\n" + hashlib.sha256(link[:312]).digest())
open("signature", "wb").write(link[312:])
open("key.der", "wb").write(bytes.fromhex("302a300506032b6570032100" + sys.argv[1]))
END
expect_exit 0 openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -rawin -in message \
  -sigfile signature

expect_exit 0 hashchain --status --state state
[ "$(wc -l <out)" = 2 ] || fail "two sources in the status"
source=$(printf engine-1 | sha256sum | cut -c1-32)
expect_stdout "source $source link 4 hash "
expect_stdout "epoch 0 until 1970-01-01T00:00:05Z"

# From a file to a file, and no stream at all.
expect_exit 0 hashchain -k node -o c.twin a.twin
[ "$("$stream" check c.twin)" = 10 ] || fail "-o"
expect_exit 4 hashchain --key node.key </dev/null
expect_stderr 'hashchain: error: empty input'
expect_exit 2 hashchain <a.twin
expect_stderr 'hashchain: error: --key is missing'
expect_exit 2 hashchain --status
expect_exit 5 hashchain --status --state nowhere
exit 0
