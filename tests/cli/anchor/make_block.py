#!/usr/bin/env python3
"""Writes a twin stream of LINK frames and their ANCHOR frames, in a block of Bitcoin's or
Litecoin's main network that was never mined by anybody else: it has the easiest difficulty that the
network's rules allow, and the nonce that was found for it. So its proof of work is real and its
chain is not. Link 0 of engine-1 is anchored by itself, those of lorry-1 to lorry-3 as a fleet.

usage: make_block.py NETWORK [--header | --links]
--header writes the 80 bytes of the block's header instead, --links the hashes of the links.
"""
import hashlib
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from twin_format import PREAMBLE, end_frame, frame, source_id
from make_links import link

HEIGHT = 900_000
# Magic, bits, nonce.
NETWORKS = {
    "bitcoin": (0xD9B4BEF9, 0x1D00FFFF, 1_374_362_140),
    "litecoin": (0xDBB6C0FB, 0x1E0FFFFF, 31_037),
}


def sha256(data):
    return hashlib.sha256(data).digest()


def sha256d(data):
    return sha256(sha256(data))


def transaction(payload, seed):
    script = b"\x6a" + bytes([len(payload)]) + payload
    change = b"\x00\x14" + sha256(seed)[:20]
    return (struct.pack("<i", 2) + b"\x01" + sha256(seed) + struct.pack("<I", 1) + b"\x00"
            + struct.pack("<I", 0xFFFFFFFD) + b"\x02"
            + struct.pack("<q", 0) + bytes([len(script)]) + script
            + struct.pack("<q", 123_456) + bytes([len(change)]) + change + struct.pack("<I", 0))


def coinbase():
    script = b"\x03" + struct.pack("<I", HEIGHT)[:3] + b"\x07example"
    return (struct.pack("<i", 1) + b"\x01" + bytes(32) + b"\xff\xff\xff\xff" + bytes([len(script)])
            + script + b"\xff\xff\xff\xff" + b"\x01" + struct.pack("<q", 312_500_000) + b"\x01\x51"
            + struct.pack("<I", 0))


def branch(ids, index):
    hashes = []
    while len(ids) > 1:
        hashes.append(ids[index ^ 1])
        ids = [sha256d(ids[i] + ids[i + 1]) for i in range(0, len(ids), 2)]
        index //= 2
    return hashes, ids[0]


def receipt(block, magic, hash_, index, fleet=(0, 1, [])):
    header, transactions = block
    ids = [sha256d(each) for each in transactions]
    path, _ = branch(ids, index)
    coinbase_path, _ = branch(ids, 0)
    return (struct.pack("<HHI", 1, 0, magic) + hash_ + sha256d(header) + header
            + struct.pack("<QQI", fleet[0], fleet[1], index) + bytes([len(fleet[2]), len(path)])
            + struct.pack("<HII", 0, len(transactions[index]), len(transactions[0]))
            + b"".join(fleet[2]) + b"".join(path) + b"".join(coinbase_path)
            + transactions[index] + transactions[0])


def main():
    name = sys.argv[1]
    magic, bits, nonce = NETWORKS[name]
    sources = ["engine-1", "lorry-1", "lorry-2", "lorry-3"]
    bodies = [link(source_id(source), bytes(16), 0, 0, 1_000_000_000) for source in sources]
    hashes = [sha256(body[:312]) for body in bodies]
    leaves = [sha256(b"\x00" + hash_) for hash_ in hashes[1:]]
    pair = sha256(b"\x01" + leaves[0] + leaves[1])
    root = sha256(b"\x01" + pair + leaves[2])
    paths = [[leaves[1], leaves[2]], [leaves[0], leaves[2]], [pair]]
    fleet = sha256(b"\x02" + struct.pack("<Q", 3) + root)
    transactions = [coinbase(), transaction(b"TWIN\x01" + hashes[0], b"one"),
                    transaction(b"TWIN\x01" + fleet, b"fleet"), transaction(b"other", b"other")]
    merkle_root = branch([sha256d(each) for each in transactions], 0)[1]
    header = (struct.pack("<i", 0x20000000) + sha256(b"previous") + merkle_root
              + struct.pack("<III", 1_700_000_000, bits, nonce))
    out = sys.stdout.buffer
    if "--header" in sys.argv:
        out.write(header)
        return
    if "--links" in sys.argv:
        for hash_ in hashes:
            print(hash_.hex())
        return
    block = (header, transactions)
    frames = []
    for i, source in enumerate(sources):
        frames.append(frame(4, 0, source_id(source), 0, 0, 1_000_000_000, bodies[i]))
    for i, source in enumerate(sources):
        body = (receipt(block, magic, hashes[0], 1) if i == 0
                else receipt(block, magic, hashes[i], 2, (i - 1, 3, paths[i - 1])))
        frames.append(frame(5, 0, source_id(source), 0, 0, 1_000_000_000, body))
    out.write(PREAMBLE + b"".join(frames)
              + end_frame(len(frames), sum(len(each) for each in frames)))


main()
