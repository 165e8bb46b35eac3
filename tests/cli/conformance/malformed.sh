# Files that are not of the format: exit 4, and where.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

# refuse COMMAND TEXT MESSAGE
refuse() {
  printf '%b' "$2" >file.json
  expect_exit 4 conformance "$1" file.json
  expect_stderr "conformance: error: $3"
}

refuse script '' 'byte 0 (line 1): not a JSON array'
refuse script '{}' 'byte 0 (line 1): not a JSON array'
refuse script '[["a"],\n["b"]' 'byte 13 (line 2): the array does not end'
refuse script '[["a"],\n["b"]] x' 'byte 15 (line 2): something after the array'
refuse script '[["a"],\n["b", ]]' 'byte 8 (line 2): not JSON'
refuse script '[["a"],\n["b\\q"]]' 'byte 8 (line 2): not JSON'
refuse script '[["a"],\n]' 'byte 8 (line 2): not JSON'
refuse script '[["a"],\n"b"]' 'byte 8 (line 2): not an array'
refuse script '[["a"],\n["1", "2", "P2SH"]]' 'byte 8 (line 2): a case of fewer than four values'
refuse script '[\n["1", "NOSUCH", "P2SH", "OK"]]' 'byte 2 (line 2): script: byte 0: not a number'
refuse script '[\n["1", "1 0xabc", "P2SH", "OK"]]' 'byte 2 (line 2): script: byte 2: not a number'
refuse script '[\n["1", "4294967296", "P2SH", "OK"]]' 'byte 2 (line 2): script: byte 0: not a number'
refuse script '[\n["1", 2, "P2SH", "OK"]]' 'byte 2 (line 2): a script that is not a string'
refuse script '[\n[["00"], "1", "2", "P2SH", "OK"]]' 'byte 2 (line 2): a witness without an amount'
refuse tx-valid '[\n[[["00", 0, "1"]], "00", "P2SH"]]' 'byte 2 (line 2): a transaction id'
refuse tx-valid '[\n[[], "0", "P2SH"]]' 'byte 2 (line 2): the transaction is not hexadecimal'
refuse tx-invalid '[\n[[], "00"]]' 'byte 2 (line 2): a case that has not three values'
refuse tx-invalid '[\n[[], "00", 7]]' 'byte 2 (line 2): flags that are not a string'
refuse sighash '[\n["00", "", 0, 1]]' 'byte 2 (line 2): a case of fewer than five values'
refuse sighash '[\n["00", "", 0, 4294967296, ""]]' 'byte 2 (line 2): the hash type is not a number'
refuse sighash '[\n["00", "", -1, 1, ""]]' 'byte 2 (line 2): the input is not an index'
refuse sighash '[\n["00", "", 0, 1, "00"]]' 'byte 2 (line 2): the hash is not one of 32 bytes'

# A transaction that cannot be read is a case that failed; a file that says nothing proves nothing.
printf '[[[], "00", "P2SH"]]' >file.json
expect_exit 1 conformance tx-valid file.json
expect_stdout '0 passed, 1 failed, 0 skipped'
printf '[["only a comment"]]' >file.json
expect_exit 7 conformance script file.json
expect_stdout '0 passed, 0 failed, 0 skipped'

head -c 9000000 /dev/zero | tr '\0' ' ' >file.json
expect_exit 4 conformance script file.json
expect_stderr 'longer than 8388608 bytes'
{
  printf '[\n["'
  head -c 1100000 /dev/zero | tr '\0' a
  printf '"]]'
} >file.json
expect_exit 4 conformance script file.json
expect_stderr 'byte 2 (line 2): larger than 1048576 bytes'
expect_exit 5 conformance script no-such-file.json
