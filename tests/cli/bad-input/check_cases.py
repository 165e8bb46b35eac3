"""Runs twin-record on the cases of bad input under a folder. A case is a file: lines of
"key: value", an empty line, the input.

  fault       what is wrong, for people
  run         options of twin-record; {cases} is this folder, {input} the input as a file, which
              otherwise comes on standard input
  says        the error with --strict: place and reason
  exit        exit status without and with --strict
  rows        rows recorded without --strict; not there when nothing can be recorded at all
  kept-bytes  size of the raw text that is kept of the rejected row; else it is a line
  input       hex: the input is in hexadecimal

Without --strict the row has to be kept in a REJECT frame with its line, its reason and its raw
text, and counted, and all other rows have to be recorded. With it twin-record has to stop at that
row: with this message, this exit status and no END.
"""

import json
import pathlib
import re
import subprocess
import sys


class Failed(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Failed(what)


def read_case(path):
    head, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    unknown = set(fields) - {"fault", "run", "says", "exit", "rows", "kept-bytes", "input"}
    require(not unknown, f"unknown keys {unknown}")
    if fields.get("input") == "hex":
        data = bytes.fromhex(data.decode())
    return fields, data


def tool(arguments, data):
    done = subprocess.run(arguments, input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def record(fields, data, cases, strict):
    arguments = ["twin-record", "--source", "case", "--every", "1h"]
    for word in fields["run"].split():
        if word == "{input}":
            pathlib.Path("schema.json").write_bytes(data)
            data, word = b"", "schema.json"
        arguments.append(word.replace("{cases}", str(cases)))
    if strict:
        arguments.append("--strict")
    return tool(arguments, data)


def errors(stderr):
    return [line for line in stderr.splitlines() if ": error: " in line]


def check_refused(fields, code, stream, stderr, wanted_code):
    require(code == wanted_code, f"exit {code} instead of {wanted_code}: {stderr}")
    wanted = "twin-record: error: " + fields["says"]
    require(errors(stderr) == [wanted], f"says {errors(stderr)}\ninstead of {wanted}")
    listed, _, _ = tool(["frames", "ls"], stream)
    require(listed != 0, "the stream of a run that failed has an END")


def check_kept(fields, data, code, stream, stderr, wanted_code):
    require(code == wanted_code, f"exit {code} instead of {wanted_code}: {stderr}")
    require(errors(stderr) == [], f"says {errors(stderr)}")
    place = re.match(r"(?:line|row) (\d+) at byte (\d+): (.*)", fields["says"])
    line, offset, reason = int(place[1]), int(place[2]), place[3]
    kept = data[offset:].split(b"\n")[0].removesuffix(b"\r")
    if "kept-bytes" in fields:
        kept = data[offset : offset + int(fields["kept-bytes"])]
    require("1 rejected" in stderr, f"the row is not counted: {stderr}")
    require(reason in stderr, f"the reason is not reported: {stderr}")

    listed, out, _ = tool(["frames", "rejects"], stream)
    require(listed == 0, f"frames rejects: exit {listed}")
    rejects = [json.loads(text) for text in out.splitlines()]
    require(len(rejects) == 1, f"{len(rejects)} rejects: {rejects}")
    found = rejects[0]
    require(found["line"] == line, f"line {found['line']} instead of {line}")
    require(found["reason"] == reason, f"reason {found['reason']}\ninstead of {reason}")
    require(found["hex"] == kept.hex(), f"kept {found['hex']} instead of {kept.hex()}")

    listed, out, _ = tool(["frames", "cat", "--format", "ndjson"], stream)
    require(listed == 0, f"frames cat: exit {listed}")
    rows = len(out.splitlines())
    require(rows == int(fields["rows"]), f"{rows} rows instead of {fields['rows']}")


def check(path, cases):
    fields, data = read_case(path)
    lenient, strict = (int(text) for text in fields["exit"].split())
    run = record(fields, data, cases, False)
    if "rows" in fields:
        check_kept(fields, data, *run, lenient)
    else:
        check_refused(fields, *run, lenient)
    check_refused(fields, *record(fields, data, cases, True), strict)


def main():
    cases = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    for folder in sorted(path for path in cases.iterdir() if path.is_dir()):
        paths = sorted(folder.glob("*.case"))
        for path in paths:
            try:
                check(path, cases)
            except Failed as why:
                failed += 1
                print(f"{folder.name}/{path.stem}: {why}")
        print(f"{folder.name}: {len(paths)} cases")
        if len(paths) < 8:
            failed += 1
            print(f"{folder.name}: fewer cases than were written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
