#!/usr/bin/env python3
"""Writes a twin stream of LINK frames to standard output, for the tests of anchor, which looks at
nothing else. The links have the right form and no valid signature.

usage: make_links.py [--source NAME] [--first N] [--count N] [--record HEX] [--pause SECONDS]
                     [--no-end] [--damage N]
--pause waits between frames; --damage changes a byte of the body of link N, its CRC stays.
"""
import argparse
import hashlib
import os
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from twin_format import PREAMBLE, end_frame, frame, source_id


def link(source, record, number, start, end):
    seed = hashlib.sha256(source + record + struct.pack("<Q", number)).digest()
    body = struct.pack("<HHI", 1, 0, 0) + source + record + struct.pack("<Q", number)
    body += bytes(32) + seed + bytes(32)
    body += struct.pack("<qqQQqQ", start, end, 1, 0, start, 0) + bytes(16)
    body += struct.pack("<II", 0, 0) + bytes(32) + bytes(32) + bytes(32)
    assert len(body) == 312
    return body + bytes(64)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--source", default="engine-1")
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=1)
    options.add_argument("--record", default="00" * 16)
    options.add_argument("--pause", type=float, default=0)
    options.add_argument("--no-end", action="store_true")
    options.add_argument("--damage", type=int, default=-1)
    given = options.parse_args()
    source = source_id(given.source)
    record = bytes.fromhex(given.record)
    out = sys.stdout.buffer
    out.write(PREAMBLE)
    size = 0
    for number in range(given.first, given.first + given.count):
        start = number * 1_000_000_000
        whole = frame(4, 0, source, number, start, start + 1_000_000_000,
                      link(source, record, number, start, start + 1_000_000_000))
        if number == given.damage:
            whole = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
        size += len(whole)
        out.write(whole)
        out.flush()
        time.sleep(given.pause)
    if not given.no_end:
        out.write(end_frame(given.count, size))


if __name__ == "__main__":
    main()
