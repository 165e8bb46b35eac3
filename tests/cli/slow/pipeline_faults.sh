#!/usr/bin/env bash
# Each write-like system call of each tool of the pipeline fails (EIO, ENOSPC) or is the last one
# (SIGKILL); then the same line is started again: no acknowledged frame is lost, no row that was read
# is lost, and the chain does not fork.
#
# FAULT_STRIDE  only every so many-th fault (default 20; 1: all), from a random offset on
# FAULT_OFFSET  the offset, to repeat a run
# FAULT_TOOL    only this tool's
# shellcheck source=tests/cli/lib.sh
source "$TWINCHAIN_SOURCE/tests/cli/lib.sh"
need strace
helper=$TWINCHAIN_SOURCE/tests/cli/slow/pipeline_faults.py
stride=${FAULT_STRIDE:-20}
offset=${FAULT_OFFSET:-$((RANDOM % stride))}
calls=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate
calls+=,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,openat,creat
calls+=,msync,fallocate,copy_file_range,sendfile,splice
seconds=5

twin-key new node >/dev/null || fail "twin-key"

# line FIRST-SECOND: the whole pipeline; `before` holds what stands before each tool's name. What the
# shell itself says of a killed tool is left out.
# shellcheck disable=SC2086  # several words
line() {
  {
    timeout 60 "$helper" feed "$1" $seconds read spool 2>feed.err |
      timeout 60 ${before[twin-record]:-} twin-record --format csv --source s --every 1s --clock data \
        --spool spool --spool-size 1MiB --sync-every 0s 2>record.err |
      timeout 60 ${before[hashchain]:-} hashchain --key node.key --state state 2>hashchain.err |
      timeout 60 ${before[store]:-} store put --acknowledge spool rec 2>store.err
    codes=("${PIPESTATUS[@]:1}")
  } 2>/dev/null
}
declare -A before=() index=([twin-record]=0 [hashchain]=1 [store]=2)
declare -A messages=([twin-record]=record.err [hashchain]=hashchain.err [store]=store.err)

# fresh PHASE: where the faulty run begins. first: nothing is there. again: after a recorder that was
# killed in the middle of a window, with frames that nobody has acknowledged.
fresh() {
  rm -rf spool state rec read trace ./*.err ./*.twin
  [ "$1" = first ] || cp -a again/. .
}

acknowledged() {
  if [ -s spool/acknowledged ]; then awk '{ print $2 }' spool/acknowledged; else echo 0; fi
}

check_messages() {
  local tool
  [ ! -s feed.err ] || fail "$where: the producer: $(tail -n 1 feed.err)"
  for tool in twin-record hashchain store; do
    if grep -qvE "^$tool: (note|warning|error|hint): [^ ]" "${messages[$tool]}"; then
      fail "$where: not a message of $tool: $(grep -vE "^$tool: (note|warning|error|hint): [^ ]" "${messages[$tool]}")"
    fi
  done
}

check_codes() {
  local tool code
  for tool in twin-record hashchain store; do
    code=${codes[${index[$tool]}]}
    if [ "$tool" = "$1" ]; then
      case $2:$code in
        error=*:5 | error=*:0 | signal=SIGKILL:137 | signal=SIGKILL:0) ;;
        *) fail "$where: exit $code: $(cat "${messages[$tool]}")" ;;
      esac
      if [ "$code" = 5 ]; then
        grep -q "^$tool: error: " "${messages[$tool]}" || fail "$where: exit 5 without a reason"
      fi
    else
      # The reader has gone (141), or the input has ended without END (4).
      case $code in 0 | 4 | 141) ;; *) fail "$where: $tool ended with $code: $(cat "${messages[$tool]}")" ;; esac
    fi
  done
}

round() {
  local tool=$1 call=$2 number=$3 fault=$4 phase=$5 next wanted begin=0
  where="$tool $phase, $call $number, $fault"
  fresh "$phase"
  [ "$phase" = first ] || begin=$seconds
  before=([$tool]="strace -f -qq -e signal=none -o trace -e trace=$call -e inject=$call:$fault:when=$number")
  line $begin
  before=()
  check_codes "$tool" "$fault"
  check_messages
  if [ "${codes[${index[$tool]}]}" != 0 ] || grep -q INJECTED trace; then happened=$((happened + 1)); fi
  next=$(acknowledged)
  if [ "$phase" = again ] && [ "$next" -lt "$(cat again.next)" ]; then next=$(cat again.next); fi
  if [ "$next" -gt 0 ]; then
    store get rec >before.twin 2>err || fail "$where: store get after the fault"
  else
    : >before.twin
  fi
  # What had been read and not yet written down is lost with the recorder.
  if [ "$tool" = twin-record ] && [ "${codes[0]}" != 0 ]; then sed -i '$d' read 2>/dev/null; fi
  line $((begin + seconds))
  [ "${codes[*]}" = "0 0 0" ] || fail "$where: the next start ended with ${codes[*]}: $(cat ./*.err)"
  check_messages
  store get rec >after.twin 2>err || fail "$where: store get"
  frames cat after.twin >after.csv 2>err || fail "$where: frames cat"
  wanted=$(sort -n read)
  # shellcheck disable=SC2086  # several numbers
  "$helper" check before.twin after.twin "$next" after.csv $wanted 2>err ||
    fail "$where: acknowledged before $next, read were seconds $(tr '\n' ' ' <<<"$wanted")"
  [ "$(grep -c . <<<"$wanted")" -ge $seconds ] || fail "$where: the producer was not read from"
  verify --offline --key node.pub rec >out 2>err
  case $? in 0 | 3) ;; *) fail "$where: verify: $(head -n 3 out)" ;; esac
  if grep -qE '^(refuted|malformed|unproven)' out; then fail "$where: verify: $(head -n 3 out)"; fi
  store fsck rec >out 2>err || fail "$where: fsck: $(head -n 3 out)"
}

where=
before=([twin-record]="strace -f -qq -e signal=none -o trace -e trace=fdatasync -e inject=fdatasync:signal=SIGKILL:when=9")
fresh first
line 0
[ "${codes[0]}" = 137 ] || fail "the recorder was not killed: ${codes[*]}"
sed -i '$d' read
acknowledged >again.next
[ "$(cat again.next)" -gt 0 ] || fail "nothing was acknowledged before the kill"
# As after a power cut: the file is replaced by a rename that nobody waits for.
rm spool/acknowledged
mkdir again
mv spool state rec read again

all=0
tried=0
happened=0
for phase in first again; do
  for tool in ${FAULT_TOOL:-twin-record hashchain store}; do
    fresh $phase
    before=([$tool]="strace -f -qq -e signal=none -o trace -e trace=$calls")
    if [ $phase = first ]; then line 0; else line $seconds; fi
    [ "${codes[*]}" = "0 0 0" ] || fail "the run without a fault ended with ${codes[*]}: $(cat ./*.err)"
    "$helper" points trace >"points-$tool"
    count=$(grep -c . "points-$tool")
    [ "$count" -gt 15 ] || fail "only $count calls of $tool"
    printf '%s, %s: %d write-like calls:' "$tool" "$phase" "$count"
    awk '{ ++n[$1] } END { for (c in n) printf " %s %d", c, n[c]; printf "\n" }' "points-$tool"
    while read -r call number; do
      for fault in error=EIO error=ENOSPC signal=SIGKILL; do
        all=$((all + 1))
        [ $(((all + offset) % stride)) = 0 ] || continue
        tried=$((tried + 1))
        round "$tool" "$call" "$number" "$fault" $phase
      done
    done <"points-$tool"
  done
done
printf '%d of %d faults tried (stride %d, offset %d), %d happened\n' \
  "$tried" "$all" "$stride" "$offset" "$happened"
[ $((happened * 2)) -gt "$tried" ] || fail "only $happened of $tried faults happened"
