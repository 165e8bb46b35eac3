#!/usr/bin/env python3
"""A peer of a storage node without any code of the tools, written from twin-network(5).

usage: block_client.py make MESSAGE HEIGHT BYTES FILE   a block with so many bytes of data (17 to 127 high)
       block_client.py {push,get,push-bad} PARAMETERS HOST:PORT PEM FILE...

push sends blocks and waits for the answer to each: prints "stored" or "no block". get asks for the
blocks in the files and compares. push-bad changes the last byte, and wants to be cut off.
"""
import hashlib
import socket
import ssl
import struct
import sys

HELLO, GET_BLOCK, BLOCK_PART, NO_BLOCK, BLOCK_STORED = 1, 14, 15, 16, 17
PART = 4 << 20


def double_sha(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def compact(number):
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + struct.pack("<H", number) if number <= 0xFFFF else b"\xfe" + struct.pack("<I", number)


def make(message, height, size, path):
    script = bytes([1, height]) + bytes([len(message)]) + message.encode()
    coinbase = struct.pack("<I", 1) + b"\x01" + bytes(32) + b"\xff\xff\xff\xff"
    coinbase += compact(len(script)) + script + b"\xff\xff\xff\xff"
    coinbase += b"\x01" + struct.pack("<q", 1) + b"\x01\x51" + bytes(4)
    transactions = [coinbase]
    if size:
        data = b"\x00\x6a\x4e" + struct.pack("<I", size) + b"\x2a" * size
        transactions.append(struct.pack("<I", 2) + b"\x01" + b"\x07" * 32 + bytes(4) + b"\x00" +
                            b"\xff\xff\xff\xff" + b"\x01" + bytes(8) + compact(len(data)) + data + bytes(4))
    ids = [double_sha(one) for one in transactions]
    root = double_sha(ids[0] + ids[1]) if size else ids[0]
    nonce = 0
    while True:
        header = struct.pack("<i32s32sIII", 0x20000000, bytes(32), root, 1767225600 + height, 0x207FFFFF, nonce)
        if double_sha(header)[31] < 0x7F:
            break
        nonce += 1
    with open(path, "wb") as out:
        out.write(header + compact(len(transactions)) + b"".join(transactions))


class Link:
    def __init__(self, parameters, address, pem):
        fields = dict(line.split("=", 1) for line in open(parameters) if "=" in line and line[0] != "#")
        fields = {name.strip(): value.strip() for name, value in fields.items()}
        self.magic = bytes.fromhex(fields["magic"])
        self.genesis = bytes.fromhex(fields["genesis-hash"])[::-1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["twinchain/1"])
        context.load_cert_chain(pem)
        host, port = address.rsplit(":", 1)
        self.socket = context.wrap_socket(socket.create_connection((host, int(port)), timeout=60))
        agent = b"a test"
        self.send(HELLO, struct.pack("<HBBH", 1, 3, 0, 0) + self.genesis + struct.pack("<I", 0) + self.genesis +
                  struct.pack("<H", len(agent)) + agent)
        kind, body = self.receive()
        assert kind == HELLO and body[2] == 4, "no hello of a storage node"

    def send(self, kind, body):
        self.socket.sendall(self.magic + struct.pack("<HHI", kind, 0, len(body)) + body)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            more = self.socket.recv(min(size - len(data), 1 << 16))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    def receive(self):
        header = self.read(12)
        assert header[:4] == self.magic
        kind, _, size = struct.unpack("<HHI", header[4:])
        return kind, self.read(size)

    def push(self, raw):
        block = double_sha(raw[:80])
        for at in range(0, len(raw), PART):
            self.send(BLOCK_PART, block + struct.pack("<QQ", len(raw), at) + raw[at:at + PART])
        kind, body = self.receive()
        assert body == block
        return {BLOCK_STORED: "stored", NO_BLOCK: "no block"}[kind]

    def get(self, raw):
        block = double_sha(raw[:80])
        self.send(GET_BLOCK, block)
        got = b""
        while len(got) < len(raw):
            kind, body = self.receive()
            if kind == NO_BLOCK:
                return "no block"
            assert kind == BLOCK_PART and body[:32] == block
            assert struct.unpack("<QQ", body[32:48]) == (len(raw), len(got))
            got += body[48:]
        return "same" if got == raw else "other"


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return
    link = Link(*sys.argv[2:5])
    for path in sys.argv[5:]:
        with open(path, "rb") as file:
            raw = file.read()
        if sys.argv[1] == "push-bad":
            try:
                print(link.push(raw[:-5] + b"\x99" + raw[-4:]))
            except (EOFError, OSError):
                print("cut off")
        else:
            print(getattr(link, sys.argv[1])(raw))


main()
