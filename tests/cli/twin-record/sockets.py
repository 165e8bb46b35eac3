#!/usr/bin/env python3
"""Writers at a socket of twin-record, for its tests.

usage: sockets.py many ADDRESS WRITERS ROWS    all connected at the same time, each row in small pieces
       sockets.py text ADDRESS TEXT            one writer
       sockets.py reset ADDRESS TEXT           one writer, whose connection is reset
       sockets.py hold ADDRESS TEXT            one writer that stays until it is killed; prints "there"
"""
import random
import socket
import struct
import sys
import time


def connect(address):
    kind, where = address.split(":", 1)
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.connect(where)
    else:
        host, port = where.rsplit(":", 1)
        one = socket.create_connection((host.strip("[]"), int(port)))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def many(address, writers, rows):
    chance = random.Random(7)
    left = {}
    for writer in range(writers):
        # Writers differ in the order of their columns: each header is its writer's own.
        text = "time,writer,row\n" if writer % 2 else "time,row,writer\n"
        for row in range(rows):
            values = (writer, row) if writer % 2 else (row, writer)
            text += "%d.%03d,%d,%d\n" % (1_700_000_000 + row, writer, *values)
        left[connect(address)] = text.encode()
    while left:
        one = chance.choice(list(left))
        size = chance.randint(1, 40)
        one.sendall(left[one][:size])
        left[one] = left[one][size:]
        if not left[one]:
            one.close()
            del left[one]


def main():
    command, address, given = sys.argv[1], sys.argv[2], sys.argv[3:]
    if command == "many":
        many(address, int(given[0]), int(given[1]))
        return
    one = connect(address)
    one.sendall(given[0].encode().decode("unicode_escape").encode())
    if command == "reset":
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if command == "hold":
        print("there", flush=True)
        time.sleep(600)
    one.close()


main()
