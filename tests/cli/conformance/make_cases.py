#!/usr/bin/env python3
"""Makes test files in the formats of Bitcoin Core's src/test/data, with an implementation of its own
of signature hashes, ECDSA and addresses: nothing of it is shared with what it tests.

usage: make_cases.py FOLDER

Writes sighash.json, tx_valid_new.json, tx_valid_old.json and tx_invalid.json, all of whose cases hold
(but for the one of tx_valid_new.json and the one of tx_invalid.json that need segregated witness), and
for each a bad_*.json whose cases are all wrong.
"""
import hashlib
import json
import random
import sys
from pathlib import Path

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
ALL, NONE, SINGLE, ANYONE = 1, 2, 3, 0x80
CODESEPARATOR = 0xAB


def add_points(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k, point=G):
    total = None
    while k:
        if k & 1:
            total = add_points(total, point)
        point = add_points(point, point)
        k >>= 1
    return total


def compressed(secret):
    x, y = multiply(secret)
    return bytes([2 + (y & 1)]) + x.to_bytes(32, "big")


def hybrid(secret):
    x, y = multiply(secret)
    return bytes([6 + (y & 1)]) + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def der_integer(value, pad=b""):
    digits = pad + value.to_bytes((value.bit_length() + 8) // 8, "big")
    return b"\x02" + bytes([len(digits)]) + digits


def sign(secret, digest, high_s=False, pad=b""):
    k = int.from_bytes(hashlib.sha256(secret.to_bytes(32, "big") + digest).digest(), "big") % N
    r = multiply(k)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * secret) % N
    if (s > N // 2) != high_s:
        s = N - s
    body = der_integer(r, pad) + der_integer(s)
    return b"\x30" + bytes([len(body)]) + body


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data):
    return hashlib.new("ripemd160", hashlib.sha256(data).digest()).digest()


def compact(n):
    return bytes([n]) if n < 253 else b"\xfd" + n.to_bytes(2, "little")


def u32(n):
    return (n & 0xFFFFFFFF).to_bytes(4, "little")


def serialize(tx, inputs=None, outputs=None):
    inputs = tx["in"] if inputs is None else inputs
    outputs = tx["out"] if outputs is None else outputs
    raw = u32(tx["version"]) + compact(len(inputs))
    for txid, index, script, sequence in inputs:
        raw += txid + u32(index) + compact(len(script)) + script + u32(sequence)
    raw += compact(len(outputs))
    for value, script in outputs:
        raw += (value % 2**64).to_bytes(8, "little") + compact(len(script)) + script
    return raw + u32(tx["lock"])


def operations(script):
    """(where it begins, opcode, where it ends) of well-formed scripts."""
    at = 0
    while at < len(script):
        opcode, begin = script[at], at
        at += 1
        if opcode < 0x4C:
            at += opcode
        elif opcode == 0x4C:
            at += 1 + script[at]
        yield begin, opcode, at


def signature_hash(tx, index, script, kind):
    if kind & 31 == SINGLE and index >= len(tx["out"]):
        return (1).to_bytes(32, "little")
    script = b"".join(script[b:e] for b, op, e in operations(script) if op != CODESEPARATOR)
    inputs = []
    for i, (txid, at, _, sequence) in enumerate(tx["in"]):
        if i == index:
            inputs.append((txid, at, script, sequence))
        elif not kind & ANYONE:
            loose = kind & 31 in (NONE, SINGLE)
            inputs.append((txid, at, b"", 0 if loose else sequence))
    outputs = tx["out"]
    if kind & 31 == NONE:
        outputs = []
    if kind & 31 == SINGLE:
        outputs = [(-1, b"")] * index + [tx["out"][index]]
    return sha256d(serialize(tx, inputs, outputs) + u32(kind))


def push(data):
    return (bytes([len(data)]) if len(data) < 0x4C else b"\x4c" + bytes([len(data)])) + data


def pay_to_key_hash(key):
    return b"\x76\xa9" + push(hash160(key)) + b"\x88\xac"


def pay_to_script(script):
    return b"\xa9" + push(hash160(script)) + b"\x87"


def spend(count=1, version=1, lock=0, sequence=0xFFFFFFFF, outputs=1):
    return {"version": version, "lock": lock,
            "in": [(hashlib.sha256(b"txid %d" % i).digest(), i, b"", sequence) for i in range(count)],
            "out": [(1000 + i, b"\x51") for i in range(outputs)]}


def with_script(tx, index, script):
    txid, at, _, sequence = tx["in"][index]
    tx["in"][index] = (txid, at, script, sequence)
    return tx


def case(tx, scripts, flags):
    spent = [[txid[::-1].hex(), at, "0x" + script.hex() if script else ""]
             for (txid, at, _, _), script in zip(tx["in"], scripts)]
    return [spent, serialize(tx).hex(), flags]


def key_hash_spend(kind=ALL, secret=7, **how):
    """An input that spends a key's hash; what signs may be badly written."""
    key = how.pop("key", compressed(secret))
    digest_of = how.pop("other_script", None)
    tx = spend()
    script = pay_to_key_hash(key)
    digest = signature_hash(tx, 0, digest_of or script, kind)
    signature = sign(secret, digest, **how) + bytes([kind & 255])
    return with_script(tx, 0, push(signature) + push(key)), [script]


def multisig_spend(dummy=b"\x00", in_script_hash=False):
    keys = [compressed(secret) for secret in (3, 4, 5)]
    script = b"\x52" + b"".join(map(push, keys)) + b"\x53\xae"
    tx = spend()
    digest = signature_hash(tx, 0, script, ALL)
    unlock = dummy + b"".join(push(sign(secret, digest) + b"\x01") for secret in (3, 5))
    if in_script_hash:
        return with_script(tx, 0, unlock + push(script)), [pay_to_script(script)]
    return with_script(tx, 0, unlock), [script]


def separated_spend():
    """OP_CODESEPARATOR: what is before it is not signed."""
    key = compressed(9)
    signed = push(key) + b"\xac"
    tx = spend()
    signature = sign(9, signature_hash(tx, 0, signed, ALL)) + b"\x01"
    return with_script(tx, 0, push(signature)), [b"\x61\xab" + signed]


def self_deleting_spend():
    """The signature stands in the script that it signs: there it is left out (FindAndDelete)."""
    key = compressed(11)
    rest = b"\x75" + push(key) + b"\xac"
    tx = spend()
    signature = sign(11, signature_hash(tx, 0, rest, ALL)) + b"\x01"
    return with_script(tx, 0, push(signature)), [push(signature) + rest]


def single_without_output():
    """The second input, SIGHASH_SINGLE, one output: the number one is signed."""
    tx = spend(count=2)
    key = compressed(13)
    script = push(key) + b"\xac"
    signature = sign(13, (1).to_bytes(32, "little")) + bytes([SINGLE])
    with_script(tx, 0, b"\x51")
    return with_script(tx, 1, push(signature)), [b"\x61", script]


def lock_time_spend(tx_lock, wanted, sequence=0):
    tx = spend(lock=tx_lock, sequence=sequence)
    return tx, [push(wanted.to_bytes(4, "little")) + b"\xb1"]


def sequence_spend(own, wanted, version=2):
    tx = spend(version=version, sequence=own)
    return tx, [push(wanted.to_bytes(3, "little")) + b"\xb2"]


def valid_cases():
    """(transaction, scripts spent, flags excluded, flags of before)"""
    yield *key_hash_spend(), "NONE", "P2SH"
    yield *key_hash_spend(SINGLE), "NONE", "P2SH,DERSIG"
    yield *key_hash_spend(NONE | ANYONE), "NONE", "P2SH,STRICTENC"
    yield *key_hash_spend(high_s=True), "LOW_S", "P2SH,DERSIG,STRICTENC"
    yield *key_hash_spend(pad=b"\x00\x00"), "DERSIG,LOW_S,STRICTENC", "P2SH"
    yield *key_hash_spend(0x15), "STRICTENC", "P2SH,DERSIG"
    yield *key_hash_spend(key=hybrid(7)), "STRICTENC", "P2SH,DERSIG"
    yield *multisig_spend(), "NONE", "P2SH,NULLDUMMY"
    yield *multisig_spend(dummy=b"\x51"), "NULLDUMMY", "P2SH"
    yield *multisig_spend(in_script_hash=True), "NONE", "P2SH"
    yield *multisig_spend(b"\x51\x51\x75\x75\x00", True), "SIGPUSHONLY,P2SH,WITNESS,CLEANSTACK", None
    yield *separated_spend(), "CONST_SCRIPTCODE", "P2SH"
    yield *self_deleting_spend(), "CONST_SCRIPTCODE", "P2SH"
    yield *single_without_output(), "NONE", "P2SH"
    yield *lock_time_spend(600_000_000, 599_999_999), "NONE", "P2SH,CHECKLOCKTIMEVERIFY"
    yield *lock_time_spend(500_000, 500_001), "CHECKLOCKTIMEVERIFY", "P2SH"
    yield *sequence_spend(0x400010, 0x400010), "NONE", "P2SH,CHECKSEQUENCEVERIFY"
    yield *sequence_spend(0x10, 0x400010), "CHECKSEQUENCEVERIFY", "P2SH"
    tx = spend()
    yield tx, [b"\x51\x51"], "CLEANSTACK", "P2SH"
    yield tx, [b"\x51\xb9"], "DISCOURAGE_UPGRADABLE_NOPS", "P2SH"
    yield tx, [push(b"\x01")], "MINIMALDATA", "P2SH"
    # A failed signature that is not empty, taken for no.
    tx, scripts = key_hash_spend(other_script=b"\x51")
    yield tx, [scripts[0] + b"\x91"], "NULLFAIL", "P2SH"
    # A witness program that nobody looks into.
    yield spend(), [b"\x00" + push(bytes(range(1, 21)))], "WITNESS,CLEANSTACK", "P2SH"


def invalid_cases():
    yield *key_hash_spend(other_script=b"\x51"), "NONE"
    yield *key_hash_spend(high_s=True), "LOW_S"
    yield *key_hash_spend(0x15), "STRICTENC"
    yield *multisig_spend(dummy=b"\x51"), "NULLDUMMY"
    yield *lock_time_spend(500_000, 500_001), "CHECKLOCKTIMEVERIFY"
    yield *lock_time_spend(500_000, 400_000, 0xFFFFFFFF), "CHECKLOCKTIMEVERIFY"
    yield *sequence_spend(0x10, 0x11), "CHECKSEQUENCEVERIFY"
    yield *sequence_spend(0x11, 0x11, version=1), "CHECKSEQUENCEVERIFY"
    yield *separated_spend(), "CONST_SCRIPTCODE"
    tx, scripts = multisig_spend(in_script_hash=True)
    wrong = bytearray(scripts[0])
    wrong[5] ^= 1
    yield tx, [bytes(wrong)], "NONE"
    # The script is what its hash says, but what it runs is false.
    yield with_script(spend(), 0, push(b"\x00")), [pay_to_script(b"\x00")], "P2SH"
    for outputs in ([], [(-1, b"")], [(2_100_000_000_000_001, b"")],
                    [(2_100_000_000_000_000, b""), (1, b"")]):
        tx = spend()
        tx["out"] = outputs
        yield tx, [b"\x51"], "BADTX"
    tx = spend()
    tx["in"] *= 2
    yield tx, [b"\x51"] * 2, "BADTX"
    null = (bytes(32), 0xFFFFFFFF, b"", 0)
    tx = spend()
    tx["in"].append(null)
    yield tx, [b"\x51"] * 2, "BADTX"
    for size in (1, 101):
        tx = spend()
        tx["in"] = [(bytes(32), 0xFFFFFFFF, b"\x51" * size, 0)]
        yield tx, [b"\x51"], "BADTX"


def random_sighash(chance):
    tx = spend(chance.randint(1, 4), chance.getrandbits(32), chance.getrandbits(32),
               outputs=chance.randint(1, 4))
    tx["in"] = [(chance.randbytes(32), chance.getrandbits(8), b"\x51" * chance.randint(0, 300),
                 chance.getrandbits(32)) for _ in tx["in"]]
    script = bytes(chance.choice([0, 0x51, 0x63, 0x65, 0x6A, CODESEPARATOR, 0xAC])
                   for _ in range(chance.randint(0, 300)))
    index = chance.randrange(len(tx["in"]))
    kind = chance.choice([chance.getrandbits(32), chance.choice([1, 2, 3, 0x81, 0x82, 0x83])])
    kind -= (kind >> 31) << 32
    return [serialize(tx).hex(), script.hex(), index, kind,
            signature_hash(tx, index, script, kind)[::-1].hex()]


def main():
    folder = Path(sys.argv[1])

    def write(name, comments, cases):
        rows = [[comment] for comment in comments] + cases
        (folder / name).write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")

    chance = random.Random(1)
    hashes = [random_sighash(chance) for _ in range(200)]
    head = ["raw_transaction, script, input_index, hashType, signature_hash (result)"]
    write("sighash.json", head, hashes)
    wrong = [row[:4] + [hashes[i - 1][4]] for i, row in enumerate(hashes)]
    write("bad_sighash.json", head, wrong)

    new = ["serializedTransaction, excluded verifyFlags]"]
    old = ["serializedTransaction, verifyFlags]"]
    valid = list(valid_cases())
    invalid = list(invalid_cases())
    write("tx_valid_new.json", new, [case(tx, spent, flags) for tx, spent, flags, _ in valid]
          + [case(spend(), [b"\x00" + push(bytes(range(1, 21)))], "NONE")])
    write("tx_valid_old.json", old, [case(tx, spent, flags) for tx, spent, _, flags in valid if flags]
          + [case(*key_hash_spend(), True), case(*multisig_spend(), "NONE")])
    write("tx_invalid.json", old, [case(tx, spent, flags) for tx, spent, flags in invalid]
          + [case(with_script(spend(), 0, b"\x51"), [b"\x00" + push(bytes(range(1, 21)))],
                  "P2SH,WITNESS")])

    # What is invalid is not valid, neither with its flags on nor with none excluded.
    write("bad_tx_valid_new.json", new,
          [case(tx, spent, "NONE") for tx, spent, _ in invalid]
          # Excluded for nothing: it is valid with it as well.
          + [case(*key_hash_spend(), "LOW_S"), case(*multisig_spend(), "NULLDUMMY"),
             # What it spends is not given.
             [[], serialize(spend()).hex(), "NONE"]])
    write("bad_tx_valid_old.json", old,
          [case(tx, spent, flags if flags.startswith("P2SH") or flags in ("NONE", "BADTX")
                else "P2SH," + flags) for tx, spent, flags in invalid])
    write("bad_tx_invalid.json", old,
          [case(tx, spent, flags) for tx, spent, _, flags in valid if flags]
          # A flag more than is needed; and bad by itself where only a signature is wrong.
          + [case(*key_hash_spend(high_s=True), "LOW_S,NULLDUMMY"),
             case(*key_hash_spend(other_script=b"\x51"), "BADTX"),
             case({**spend(), "out": []}, [b"\x51"], "P2SH")])
    print(len(valid), sum(1 for row in valid if row[3]), len(invalid))


if __name__ == "__main__":
    main()
