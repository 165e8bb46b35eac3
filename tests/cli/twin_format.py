"""Twin streams without any code of the tools: reads, makes and seals frames, for the tests.

Written from twin-stream(5) alone, so that the tools and this do not share a mistake.
"""
import hashlib
import hmac
import struct

PREAMBLE = b"\x89TW\x01\r\n\x1a\n"
MAGIC = b"\xf4TwF"
HEADER_SIZE = 64
SCHEMA, DATA, REJECT, LINK, ANCHOR, END, SLICE, COSIGNATURE = range(1, 9)
TYPES = {1: "SCHEMA", 2: "DATA", 3: "REJECT", 4: "LINK", 5: "ANCHOR", 6: "END", 7: "SLICE",
         8: "COSIGNATURE"}
SECOND = 1_000_000_000
LINK_SIZE = 312
LINK_FIELDS = [
    ("version", "H"), ("flags", "H"), ("epoch", "I"), ("source", "16s"), ("record", "16s"),
    ("number", "Q"), ("previous", "32s"), ("frame_root", "32s"), ("history_root", "32s"),
    ("window_start_ns", "q"), ("window_end_ns", "q"), ("samples", "Q"), ("rate", "Q"),
    ("wall_ns", "q"), ("monotonic_ns", "Q"), ("boot_id", "16s"), ("network", "I"),
    ("height", "I"), ("block_hash", "32s"), ("key", "32s"), ("next_key_hash", "32s")]
LINK_FORMAT = "<" + "".join(kind for _, kind in LINK_FIELDS)

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82F63B78 if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def source_id(name):
    return sha256(name.encode())[:16]


class Frame:
    """A frame of a stream; `at` is the offset of its header in what was read."""

    def __init__(self, kind, source, sequence, start, end, body, flags=0, at=None, body_crc=None):
        self.kind, self.flags, self.source, self.sequence = kind, flags, source, sequence
        self.start, self.end, self.body, self.at = start, end, body, at
        self.body_crc = body_crc  # None: the right one

    def encode(self):
        crc = crc32c(self.body) if self.body_crc is None else self.body_crc
        header = MAGIC + struct.pack("<HHII", self.kind, self.flags, len(self.body), crc)
        header += self.source + struct.pack("<QqqI", self.sequence, self.start, self.end, 0)
        return header + struct.pack("<I", crc32c(header)) + self.body

    def size(self):
        return HEADER_SIZE + len(self.body)

    def name(self):
        return TYPES.get(self.kind, hex(self.kind))

    def copy(self):
        return Frame(self.kind, self.source, self.sequence, self.start, self.end, self.body,
                     self.flags, self.at, self.body_crc)


def frame(kind, flags, source, sequence, start, end, body):
    return Frame(kind, source, sequence, start, end, body, flags).encode()


def end_frame(count, size):
    return frame(END, 1, bytes(16), 0, 0, 0, struct.pack("<QQ", count, size))


def encode_stream(frames, end=True):
    """Preamble, frames, and an END that counts them."""
    parts = [one.encode() for one in frames]
    if end:
        parts.append(end_frame(len(parts), sum(map(len, parts))))
    return PREAMBLE + b"".join(parts)


def read_frames(data, check=True):
    """The frames of a sound stream, END included; of one that was cut short those that are whole."""
    at = 0
    while at < len(data):
        if data[at:at + 8] == PREAMBLE:
            at += 8
            continue
        if len(data) - at < HEADER_SIZE:
            return
        assert data[at:at + 4] == MAGIC, at
        kind, flags, size, crc = struct.unpack_from("<HHII", data, at + 4)
        sequence, start, end = struct.unpack_from("<Qqq", data, at + 32)
        body = data[at + HEADER_SIZE:at + HEADER_SIZE + size]
        if len(body) < size:
            return
        if check:
            assert crc32c(body) == crc, at
        yield Frame(kind, data[at + 16:at + 32], sequence, start, end, body, flags, at, crc)
        at += HEADER_SIZE + size


def leaf(kind, payload):
    return struct.pack("<HHII", kind, 0, len(payload), crc32c(payload)) + payload


def leaves(body):
    """Offsets and sizes of the leaves of a DATA body, heads included."""
    at = 32
    while at + 12 <= len(body):
        size, = struct.unpack_from("<I", body, at + 4)
        if at + 12 + size > len(body):
            return
        yield at, 12 + size
        at += 12 + size


def mend_leaves(body):
    """Makes the CRCs of a DATA body's leaves right again."""
    body = bytearray(body)
    for at, size in leaves(body):
        struct.pack_into("<I", body, at + 8, crc32c(body[at + 12:at + size]))
    return bytes(body)


def tree(hashes):
    """The tree of RFC 6962, section 2.1."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01", tree(hashes[:split]), tree(hashes[split:]))


def frame_root(body):
    hashes = []
    for at, size in leaves(body):
        message = b"twinchain leaf salt 1" + struct.pack("<I", len(hashes))
        salt = hmac.new(body[:32], message, hashlib.sha256).digest()
        hashes.append(sha256(b"\x00", salt, body[at:at + size]))
    return tree(hashes)


def parse_link(body):
    values = struct.unpack(LINK_FORMAT, body[:LINK_SIZE])
    return dict(zip((name for name, _ in LINK_FIELDS), values))


def encode_link(link):
    return struct.pack(LINK_FORMAT, *(link[name] for name, _ in LINK_FIELDS))


def link_hash(body):
    return sha256(body[:LINK_SIZE])


def sign_link(link, seed):
    """The body of a LINK frame, signed with the secret key that this seed makes."""
    body = encode_link(link)
    return body + sign(seed, b"twinchain link signature 1\n" + sha256(body))


# Ed25519 as RFC 8032, section 5.1, has it: slow, and fast enough for a few links.
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    return result


def _base():
    y = 4 * pow(5, _P - 2, _P) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x & 1:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _base()


def _compress(point):
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _secret(seed):
    hashed = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(hashed[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return scalar, hashed[32:]


def public_key(seed):
    return _compress(_times(_secret(seed)[0], _BASE))


def sign(seed, message):
    scalar, prefix = _secret(seed)
    public = _compress(_times(scalar, _BASE))
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _ORDER
    point = _compress(_times(nonce, _BASE))
    challenge = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % _ORDER
    return point + ((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little")
