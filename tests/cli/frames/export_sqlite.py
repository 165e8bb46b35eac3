#!/usr/bin/env -S python3 -IS
"""Compares a database of frames export with the CSV of frames cat --time ns, bit for bit.

usage: export_sqlite.py DATABASE CSV
"""
import csv
import re
import sqlite3
import struct
import sys


def demand(truth, message):
    if not truth:
        sys.exit("export_sqlite.py: " + message)


def bits(value):
    return struct.unpack("<q", struct.pack("<d", value))[0]


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    database.text_factory = bytes
    demand(database.execute("PRAGMA integrity_check").fetchone()[0] == b"ok", "integrity")
    demand(not database.execute("PRAGMA foreign_key_check").fetchall(), "a reference to nothing")
    channels = database.execute("SELECT column_name, name, type FROM channels").fetchall()
    types = {column.decode(): kind.decode() for column, _, kind in channels}
    names = {name.decode(): column.decode() for column, name, _ in channels}
    odd = {(row, column.decode()): value for row, column, value in
           database.execute("SELECT row, column_name, bits FROM odd_values")}
    with open(sys.argv[2], encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    header, rows = rows[0], rows[1:]
    demand(set(header[1:]) == set(names), f"channels: {header} {names}")
    columns = [names[name] for name in header[1:]]
    quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
    found = database.execute(f"SELECT row, time_ns, {quoted} FROM samples ORDER BY row").fetchall()
    demand(len(found) == len(rows), f"{len(found)} rows instead of {len(rows)}")
    compared = 0
    for wanted, (row, time, *values) in zip(rows, found):
        demand(int(wanted[0]) == time, f"row {row}: time {time}")
        for column, text, value in zip(columns, wanted[1:], values):
            kind = types[column]
            compared += 1
            if kind == "f64" and text != "":
                exact = odd.get((row, column))
                if exact is None:
                    demand(value is not None and bits(value) == bits(float(text)), f"row {row} {column}: {value} {text}")
                elif float(text) != float(text):
                    demand(value is None and exact & 0x7ff0000000000000 == 0x7ff0000000000000,
                           f"row {row} {column}: NaN {exact:x}")
                else:
                    demand(value == 0 and exact == bits(float(text)), f"row {row} {column}: {exact:x}")
            elif kind == "string":
                # The reader of CSV does not tell "" from nothing.
                if isinstance(value, str):
                    value = value.encode()
                demand((value or b"") == text.encode("utf-8", "surrogateescape"), f"row {row} {column}: {value}")
            elif text == "":
                demand(value is None, f"row {row} {column}: {value} instead of NULL")
            elif kind == "bool":
                demand(value == (text == "true"), f"row {row} {column}: {value}")
            else:
                demand(value == int(text), f"row {row} {column}: {value}")
    # The view's text is the same time.
    for time, text in database.execute("SELECT time_ns, time_utc FROM samples_utc"):
        demand(re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text), f"time {text}")
        seconds = database.execute("SELECT CAST(strftime('%s', ?) AS INTEGER)", (text[:19].decode() + "Z",)).fetchone()[0]
        demand(seconds * 10**9 + int(text[20:29]) == time, f"{text} is not {time}")
    print(f"{len(rows)} rows, {compared} values")


if __name__ == "__main__":
    main()
