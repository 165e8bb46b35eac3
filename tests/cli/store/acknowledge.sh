#!/usr/bin/env bash
# --acknowledge: the spool's file says what is durable, never more; and the recorder forgets just that.
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
# shellcheck source=tests/cli/store/store_lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/store/store_lib.sh"
twin-key new node || fail "twin-key"
id=$(printf engine-1 | sha256sum | head -c 32)
acknowledged() { # NEXT: what the spool's file says
  [ "$(cat spool/acknowledged)" = "$id $1" ] || fail "acknowledged: $(cat spool/acknowledged) instead of $1"
}

record engine-1 0 4 --spool spool | hashchain --key node.key --state state | store put --acknowledge spool rec ||
  fail "pipeline: $(cat record.err)"
acknowledged 4
# The next run sends nothing again.
record engine-1 4 2 --spool spool >more.raw || fail "record"
frames ls more.raw >list
grep -q ' DATA engine-1 3 ' list && fail "sent again: $(cat list)"
grep -q ' DATA engine-1 4 ' list || fail "$(cat list)"
# Sealed but cut off before the last link: that window is not acknowledged.
hashchain --key node.key --state state <more.raw >more.twin || fail "hashchain"
head -c "$(where more.twin LINK:5)" more.twin >cut.twin
expect_exit 4 store put --acknowledge spool rec cut.twin
acknowledged 5
expect_exit 0 store put --acknowledge spool rec more.twin
acknowledged 6
# Never back, and nothing that did not come this way.
expect_exit 0 store put --acknowledge spool rec more.twin
acknowledged 6
# That a source has no links shows when its second frame is there, or the stream has ended.
record engine-3 0 1 --spool spool3 >c.raw || fail "record"
head -c -80 c.raw >open.raw
mkdir single
expect_exit 4 store put --acknowledge single rec open.raw
[ ! -s single/acknowledged ] || fail "$(cat single/acknowledged)"
expect_exit 0 store put --acknowledge single rec c.raw
[ "$(cat single/acknowledged)" = "$(printf engine-3 | sha256sum | head -c 32) 1" ] || fail "$(cat single/acknowledged)"
record engine-2 0 3 --spool spool2 >b.raw || fail "record"
head -c -80 b.raw >open.raw
mkdir fresh
expect_exit 4 store put --acknowledge fresh rec open.raw
[ "$(cat fresh/acknowledged)" = "$(printf engine-2 | sha256sum | head -c 32) 3" ] || fail "$(cat fresh/acknowledged)"
expect_exit 0 store put --acknowledge fresh rec b.raw
[ "$(cat fresh/acknowledged)" = "$(printf engine-2 | sha256sum | head -c 32) 3" ] || fail "$(cat fresh/acknowledged)"
# A folder that is not there.
expect_exit 2 store put --acknowledge nowhere rec b.raw
expect_stderr 'store: error: no folder nowhere to acknowledge to'
exit 0
