#!/usr/bin/env python3
"""Makes and checks twin streams without any code of the tools, for the tests of hashchain.

usage: twin_stream.py make [--source NAME]... [--first N] [--count N] [--content TEXT] [--size BYTES]
                           [--no-schema] [--no-end] [--critical] [--pause SECONDS]
       twin_stream.py list FILE     one line a frame: TYPE SEQUENCE SOURCE SHA256-OF-THE-FRAME
       twin_stream.py check FILE    recomputes roots, chain and history of all links from 0 on;
                                    prints how many
       twin_stream.py field FILE N NAME   a field of LINK N, of the first source
FILE may be cut short, as after a kill; END is listed like a frame.
"""
import argparse
import hashlib
import os
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import twin_format
from twin_format import SECOND, frame, frame_root, leaf, parse_link, sha256, source_id, tree


def data_frame(source, number, content, size):
    start, end = number * SECOND, (number + 1) * SECOND
    header = source + struct.pack("<QqqII", number, start, end, 0, 1) + bytes(64)
    header += struct.pack("<IIQQqqqQ", 0, 0, 1, 10 + number, start, start, end, number) + bytes(16)
    header += struct.pack("<QQQQQ", 1_000_000, 0, 0, 0, 0)
    assert len(header) == 224
    seed = sha256(b"seed", source, struct.pack("<Q", number))
    payload = (content.encode() + b"." * size)[:size]
    body = seed + leaf(1, header) + leaf(3, payload)
    return frame(2, 0, source, number, start, end, body)


def schema_frame(name, source):
    def text(value):
        return struct.pack("<H", len(value)) + value.encode()
    body = struct.pack("<HH", 1, 0) + text(name) + text("made by a test") + struct.pack("<I", 1)
    body += struct.pack("<BB", 1, 0) + text("channel") + text("") + text("")
    return frame(1, 0, source, 0, 0, 0, body)


def make(given):
    out = sys.stdout.buffer
    out.write(twin_format.PREAMBLE)
    frames = []
    names = given.source or ["engine-1"]
    ids = [(name, source_id(name)) for name in names]

    def put(one):
        frames.append(len(one))
        out.write(one)
    if not given.no_schema:
        for name, source in ids:
            put(schema_frame(name, source))
    for number in range(given.first, given.first + given.count):
        for name, source in ids:
            put(data_frame(source, number, given.content, given.size))
            out.flush()
            time.sleep(given.pause)
    if given.critical:
        put(frame(0x4321, 1, ids[0][1], 0, 0, 0, b"?"))
    if not given.no_end:
        out.write(twin_format.end_frame(len(frames), sum(frames)))
    out.flush()


def read(path):
    """KIND, SOURCE, SEQUENCE, BODY and the whole of each frame."""
    for one in twin_format.read_frames(open(path, "rb").read()):
        yield one.kind, one.source, one.sequence, one.body, one.encode()


def check(path):
    chains, roots, count = {}, {}, 0
    for kind, source, sequence, body, _ in read(path):
        if kind == 2:
            roots[source, sequence] = frame_root(body)
        if kind != 4:
            continue
        link = parse_link(body)
        chain = chains.setdefault(source, [])
        assert link["source"] == source and link["number"] == sequence
        expected = bytes(32) if link["flags"] & 1 else roots[source, sequence]
        assert link["frame_root"] == expected, ("root", sequence)
        if sequence < len(chain):
            assert chain[sequence][0] == body, ("fork", sequence)
            continue
        assert sequence == len(chain), ("gap", sequence)
        if chain:
            before = parse_link(chain[-1][0])
            assert link["previous"] == sha256(chain[-1][0][:312]), ("previous", sequence)
            assert link["record"] == before["record"]
            assert link["window_start_ns"] == before["window_end_ns"]
        else:
            assert link["previous"] == bytes(32)
        chain.append((body, sha256(b"\x00", link["frame_root"])))
        assert link["history_root"] == tree([one[1] for one in chain]), ("history", sequence)
        count += 1
    print(count)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    command = sys.argv[1]
    if command == "make":
        options = argparse.ArgumentParser()
        options.add_argument("--source", action="append")
        options.add_argument("--first", type=int, default=0)
        options.add_argument("--count", type=int, default=1)
        options.add_argument("--content", default="")
        options.add_argument("--size", type=int, default=100)
        options.add_argument("--no-schema", action="store_true")
        options.add_argument("--no-end", action="store_true")
        options.add_argument("--critical", action="store_true")
        options.add_argument("--pause", type=float, default=0)
        make(options.parse_args(sys.argv[2:]))
    elif command == "list":
        for kind, source, sequence, _, whole in read(sys.argv[2]):
            name = twin_format.TYPES.get(kind, hex(kind))
            print(name, sequence, source.hex()[:8], hashlib.sha256(whole).hexdigest()[:16])
    elif command == "check":
        check(sys.argv[2])
    elif command == "field":
        for kind, _, sequence, body, _ in read(sys.argv[2]):
            if kind == 4 and sequence == int(sys.argv[3]):
                value = parse_link(body)[sys.argv[4]]
                print(value.hex() if isinstance(value, bytes) else value)
                return
        sys.exit("no such link")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
