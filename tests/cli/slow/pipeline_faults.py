#!/usr/bin/env python3
"""What pipeline_faults.sh needs beside the shell.

usage: pipeline_faults.py feed FIRST COUNT READ SPOOL  CSV of COUNT seconds from FIRST on; writes one line
                                            into READ for each second that its reader has taken
       pipeline_faults.py points TRACE      "CALL NUMBER" for each write-like call of a thread
       pipeline_faults.py check BEFORE AFTER NEXT CSV N...  frames before NEXT in BEFORE are in AFTER,
                                            byte for byte; rows of these seconds are in CSV, and none twice
"""
import csv
import fcntl
import os
import random
import re
import select
import struct
import sys
import termios
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["TWINCHAIN_SOURCE"] + "/tests/cli")
import twin_format  # noqa: E402

ROWS_A_SECOND = 3
# As much text as makes the recorder begin a new file of its spool in nearly every window.
TEXT_BYTES = 50_000


def rows_of(second):
    text = random.Random(second)
    for row in range(ROWS_A_SECOND):
        at = 1_700_000_000 + second + row / 4
        yield f"{at:.2f},{second}.{row},{text.randbytes(TEXT_BYTES // 2).hex()}\n"
    if second % 3 == 1:
        yield "no time,1,2\n"


def wait_until(done, seconds, pipe):
    """False when the reader of the pipe has gone."""
    poll = select.poll()
    poll.register(pipe, 0)
    end = time.monotonic() + seconds
    while not done():
        if poll.poll(1):
            return False
        if time.monotonic() > end:
            break
    return True


def acknowledged(spool):
    try:
        with open(spool + "/acknowledged") as file:
            return int(file.read().split()[1])
    except (OSError, IndexError):
        return 0


def feed(first, count, read, spool):
    pipe = sys.stdout.fileno()
    fcntl.fcntl(pipe, 1031, 1 << 20)  # F_SETPIPE_SZ: a second of rows in one piece

    def is_read():
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0] == 0
    for second in range(first, first + count):
        text = "".join(rows_of(second))
        if second == first:
            text = "time,value,text\n" + text
        before = acknowledged(spool)
        try:
            data = text.encode()
            while data:
                data = data[os.write(pipe, data):]
        except BrokenPipeError:
            return
        whole = wait_until(is_read, 30, pipe)
        if is_read():
            with open(read, "a") as file:
                file.write(f"{second}\n")
        # So that each window goes its way by itself; where the store is dead there is nothing to wait for.
        if not whole or not wait_until(lambda: acknowledged(spool) > before, 0.25, pipe):
            return


def points(trace):
    counts, highest, creating = {}, {}, set()
    for line in open(trace, errors="replace"):
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match:
            continue
        key = match.group(1), match.group(2)
        counts[key] = counts.get(key, 0) + 1
        call, number = match.group(2), counts[key]
        if call == "openat":
            if "O_CREAT" in line:
                creating.add((call, number))
        else:
            highest[call] = max(highest.get(call, 0), number)
    for call in sorted(highest):
        for number in range(1, highest[call] + 1):
            print(call, number)
    for call, number in sorted(creating):
        print(call, number)


def check(before, after, limit):
    def frames(path):
        found = {}
        # The tools have looked at the checksums; here they would take most of the time.
        for one in twin_format.read_frames(open(path, "rb").read(), check=False):
            if one.kind in (twin_format.DATA, twin_format.REJECT, twin_format.LINK) and one.sequence < limit:
                whole = one.start, one.end, one.flags, one.body_crc, one.body
                found.setdefault((one.kind, one.source, one.sequence), []).append(whole)
        return found
    old, new = frames(before), frames(after)
    data = {sequence for kind, _, sequence in old if kind == twin_format.DATA}
    links = {sequence for kind, _, sequence in old if kind == twin_format.LINK}
    assert data == links == set(range(limit)), ("acknowledged, but not in the store", data, links)
    for key, frame in old.items():
        assert new.get(key) == frame, ("changed or lost", key)


def rows(path, seconds):
    wanted = []
    for second in seconds:
        for row in rows_of(second):
            if not row.startswith("no"):
                wanted.append(row.split(",")[2].strip())
    found = []
    with open(path) as file:
        csv.field_size_limit(1 << 30)
        for row in list(csv.reader(file))[1:]:
            found.append(row[2])
    assert len(found) == len(set(found)), "a row is there twice"
    missing = [row[:8] for row in wanted if row not in found]
    assert not missing, ("rows are lost", missing)


def main():
    command, given = sys.argv[1], sys.argv[2:]
    if command == "feed":
        feed(int(given[0]), int(given[1]), given[2], given[3])
    elif command == "points":
        points(given[0])
    elif command == "check":
        check(given[0], given[1], int(given[2]))
        rows(given[3], [int(number) for number in given[4:]])
    else:
        sys.exit(__doc__)


main()
