#!/usr/bin/env -S python3 -IS
"""Changes a twin stream as a tamperer would: all checksums and counts are right again afterwards.

usage: tamper.py IN OUT CHANGE...
       tamper.py --where IN SELECTION     offset and size of each selected frame, one a line
       tamper.py --body IN SELECTION      the body of the first selected frame

SELECTION is [SOURCE/]TYPE[:N[..[M]]], TYPE may be ANY: "LINK:2", "engine-1/DATA:3..", "ANCHOR".
CHANGE is one of
  drop=SELECTION             takes frames out
  twice=SELECTION            each is there again, right behind itself
  swap=SELECTION,SELECTION   two frames change places
  behind=SELECTION,SELECTION the first goes behind the second
  flip=SELECTION,BYTE        changes a byte of the body (from its end when negative)
  damage=SELECTION,BYTE      the same as an accident: the checksums stay as they were
  number=SELECTION,N         the first gets number N, the next N+1: frame headers
  renumber=SELECTION,N       the same, in header leaves and links too
  source=SELECTION,NAME      the frame headers name another source
  window=SELECTION,NS        moves the window in the frame headers
  put=FILE,SELECTION,PLACE   frames of another stream, behind the frame PLACE of this one
  exchange=FILE,SELECTION    frames of another stream in the place of those alike in this one
  bodies=SELECTION,SELECTION two frames exchange their bodies
  sign=SELECTION,KEYFILE     a link is signed with another key, which it does not name
  sign-as=SELECTION,KEYFILE  the same, and it names the key
  seal=SELECTION,KEYFILE,FIELD,DELTA  what only the owner of the key can do: adds to a field of
                             links and seals them and all later ones again
  end=0                      no END
"""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import twin_format as twin


def load(path):
    with open(path, "rb") as file:
        return [one for one in twin.read_frames(file.read(), check=False) if one.kind != twin.END]


def selected(frames, selection):
    source = None
    if "/" in selection:
        name, selection = selection.rsplit("/", 1)
        source = twin.source_id(name)
    kind, _, numbers = selection.partition(":")
    first, dots, last = numbers.partition("..")
    low = int(first) if first else 0
    high = int(last) if last else 2**64 if dots or not numbers else low
    found = [one for one in frames
             if kind in ("ANY", one.name()) and low <= one.sequence <= high
             and (source is None or one.source == source)]
    if not found:
        sys.exit("tamper.py: no frame is " + selection)
    return found


def seed_of(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("secret: "):
                return bytes.fromhex(line.split()[1])
    sys.exit("tamper.py: no secret key in " + path)


def change_byte(one, at):
    body = bytearray(one.body)
    body[at] ^= 0xFF
    one.body = bytes(body)


def flip(frames, selection, at):
    for one in selected(frames, selection):
        change_byte(one, int(at))
        if one.kind == twin.DATA:
            one.body = twin.mend_leaves(one.body)


def damage(frames, selection, at):
    for one in selected(frames, selection):
        one.body_crc = twin.crc32c(one.body)
        change_byte(one, int(at))


def number(frames, selection, first, contents=False):
    for sequence, one in enumerate(selected(frames, selection), int(first)):
        one.sequence = sequence
        body = bytearray(one.body)
        if contents and one.kind == twin.DATA:
            struct.pack_into("<Q", body, 32 + 12 + 16, sequence)
        if contents and one.kind == twin.LINK:
            struct.pack_into("<Q", body, 40, sequence)
        one.body = twin.mend_leaves(bytes(body)) if one.kind == twin.DATA else bytes(body)


def sign(frames, selection, key, name_it):
    seed = seed_of(key)
    for one in selected(frames, selection):
        link = twin.parse_link(one.body)
        if name_it:
            link["key"] = twin.public_key(seed)
        one.body = twin.sign_link(link, seed)


def add(value, delta):
    if isinstance(value, int):
        return value + delta
    total = int.from_bytes(value, "little") + delta
    return (total % 256 ** len(value)).to_bytes(len(value), "little")


def seal(frames, selection, key, field, delta):
    seed = seed_of(key)
    chosen = {id(one) for one in selected(frames, selection)}
    previous = {}
    changed = set()
    for one in frames:
        if one.kind != twin.LINK:
            continue
        link = twin.parse_link(one.body)
        if id(one) in chosen:
            link[field] = add(link[field], int(delta))
            changed.add(one.source)
        if one.source in changed:
            link["previous"] = previous.get(one.source, bytes(32))
            one.body = twin.sign_link(link, seed)
            one.start, one.end = link["window_start_ns"], link["window_end_ns"]
        previous[one.source] = twin.link_hash(one.body)


def change(frames, name, given):
    if name == "drop":
        gone = {id(one) for one in selected(frames, given[0])}
        frames[:] = [one for one in frames if id(one) not in gone]
    elif name == "twice":
        for one in selected(frames, given[0]):
            frames.insert(frames.index(one), one.copy())
    elif name in ("swap", "bodies"):
        one, other = selected(frames, given[0])[0], selected(frames, given[1])[0]
        if name == "bodies":
            one.body, other.body = other.body, one.body
        else:
            at, there = frames.index(one), frames.index(other)
            frames[at], frames[there] = other, one
    elif name == "behind":
        moved = selected(frames, given[0])
        for one in moved:
            frames.remove(one)
        at = frames.index(selected(frames, given[1])[-1]) + 1
        frames[at:at] = moved
    elif name == "source":
        for one in selected(frames, given[0]):
            one.source = twin.source_id(given[1])
    elif name == "window":
        for one in selected(frames, given[0]):
            one.start, one.end = one.start + int(given[1]), one.end + int(given[1])
    elif name == "put":
        at = frames.index(selected(frames, given[2])[-1]) + 1
        frames[at:at] = selected(load(given[0]), given[1])
    elif name == "exchange":
        for one in selected(load(given[0]), given[1]):
            there = selected(frames, "%s:%d" % (one.name(), one.sequence))[0]
            frames[frames.index(there)] = one
    elif name in ("number", "renumber"):
        number(frames, given[0], given[1], name == "renumber")
    elif name in ("sign", "sign-as"):
        sign(frames, given[0], given[1], name == "sign-as")
    elif name in ("flip", "damage", "seal"):
        {"flip": flip, "damage": damage, "seal": seal}[name](frames, *given)
    elif name != "end":
        sys.exit("tamper.py: no such change: " + name)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--where":
        for one in selected(load(sys.argv[2]), sys.argv[3]):
            print(one.at, one.size())
        return
    if len(sys.argv) == 4 and sys.argv[1] == "--body":
        sys.stdout.buffer.write(selected(load(sys.argv[2]), sys.argv[3])[0].body)
        return
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    frames = load(sys.argv[1])
    for one in frames:
        one.body_crc = None
    for given in sys.argv[3:]:
        name, _, values = given.partition("=")
        change(frames, name, values.split(","))
    with open(sys.argv[2], "wb") as file:
        file.write(twin.encode_stream(frames, end="end=0" not in sys.argv[3:]))
    # Where the frames are now, for verify_lib.sh.
    with open(sys.argv[2] + ".where", "w", encoding="ascii") as file:
        at = len(twin.PREAMBLE)
        for one in frames:
            file.write("%s:%d %d\n" % (one.name(), one.sequence, at))
            at += one.size()


if __name__ == "__main__":
    main()
