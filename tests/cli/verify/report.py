#!/usr/bin/env -S python3 -IS
"""Compares a JSON report of verify with verify(1), with its text, and with what a test expects.

usage: report.py REPORT TEXT CODE REASON   REASON: kind of the finding, "-" for none
       report.py --list REPORT             no comparison; also for the findings of store fsck --json
Prints the findings, one a line: |NAME=VALUE|NAME=VALUE|...|
"""
import json
import os
import re
import sys

VERDICTS = {0: "verified", 1: "refuted", 3: "incomplete", 4: "damaged", 6: "not checked",
            7: "not proven"}
SEVERITY_CODES = {"note": 0, "unproven": 7, "peer": 6, "loss": 3, "malformed": 4, "refuted": 1}
ORDER = ["note", "unproven", "peer", "loss", "malformed", "refuted"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")
HASH = re.compile(r"[0-9a-f]{64}$")
ID = re.compile(r"[0-9a-f]{32}$")
NUMBERS = {"size_bytes", "frames", "links", "first_link", "last_link", "more_signers", "receipts",
           "covered_to", "sequence", "last_sequence", "offset", "count", "findings_left_out",
           "more_sources", "windows", "silent_windows", "short_windows", "lost_windows", "rows",
           "rows_of_rated_windows", "samples", "rejected_rows", "late_rows", "duplicate_rows",
           "out_of_order_rows", "gaps", "gap_total_ns", "largest_gap_ns", "columns_shown",
           "columns_withheld"}
TIMES = {"window_start", "window_end", "time"}
HASHES = {"head", "key", "block"}
IDS = {"source_id", "record"}
TOP = {"version", "program", "verdict", "reason", "exit_code", "offline", "ledger_asked", "inputs",
       "frames", "sources", "more_sources", "findings", "findings_left_out", "finding_counts"}


def demand(truth, message):
    if not truth:
        sys.exit("report.py: " + message)


def page():
    """Members and kinds of findings that verify(1) names."""
    source = os.environ["TWINCHAIN_SOURCE"]
    with open(source + "/man/verify.1", encoding="utf-8") as file:
        text = file.read()
    findings = text[text.index(".Ss Findings"):text.index(".Sh POLICY")]
    kinds = set()
    for line in re.findall(r"^\.It Cm (.*)", findings, re.M):
        kinds.update(re.split(r"[ ,]+", line.strip()))
    members = set()
    for line in text[text.index(".Sh JSON"):text.index(".Sh EXIT STATUS")].splitlines():
        if line.startswith((".It Cm", ".Cm", ".Pq Cm")):
            members.update(word for word in re.split(r"[ ,]+", line) if re.fullmatch(r"[a-z_]+", word))
    return kinds, members


def check_value(name, value):
    if value is None:
        return
    if name in NUMBERS:
        demand(isinstance(value, str) and re.fullmatch(r"-?\d+", value), f"{name}: {value!r}")
    elif name in TIMES:
        demand(TIME.match(value), f"{name} is no time: {value!r}")
    elif name in HASHES:
        demand(HASH.match(value), f"{name} is no hash: {value!r}")
    elif name in IDS:
        demand(ID.match(value), f"{name} is no id: {value!r}")


def check_members(value, members, path=""):
    if isinstance(value, list):
        for one in value:
            check_members(one, members, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            demand(name in members, f"{path}.{name} is not in verify(1)")
            if isinstance(inner, (dict, list)):
                if name != "finding_counts":
                    check_members(inner, members, path + "." + name)
            else:
                check_value(name, inner)


def check(report, text, code, reason):
    kinds, members = page()
    demand(set(report) == TOP, f"members are {sorted(report)}")
    demand(report["version"] == 1, "version")
    demand(re.fullmatch(r"verify \d+\.\d+\.\d+", report["program"]), "program")
    check_members(report, members)
    demand(report["exit_code"] == code, f"exit_code {report['exit_code']}")
    demand(report["verdict"] == VERDICTS[code], f"verdict {report['verdict']!r}")
    demand((report["reason"] or "-") == reason, f"reason {report['reason']} instead of {reason}")
    worst = max((ORDER.index(one["severity"]) for one in report["findings"]), default=0)
    demand(SEVERITY_CODES[ORDER[worst]] == code, "the worst finding does not give the exit code")
    counts = {}
    for one in report["findings"]:
        demand(one["kind"] in kinds, f"{one['kind']} is not in verify(1)")
        demand(one["message"] and "\n" not in one["message"], "message of more than a line")
        counts[one["kind"]] = counts.get(one["kind"], 0) + int(one["count"])
        if "sequence" in one:
            demand(int(one["sequence"]) <= int(one["last_sequence"]), "sequence")
    for kind in report["finding_counts"]:
        demand(kind in counts, f"{kind} is counted and not listed")
    lines = text.splitlines()
    demand(lines and lines[0].startswith(VERDICTS[code]), f"first line: {lines[:1]}")
    listed = [line for line in lines if re.match(r"(%s): [a-z-]+: " % "|".join(ORDER), line)]
    demand(len(listed) == len(report["findings"]), "text and JSON list different findings")
    for line, one in zip(listed, report["findings"]):
        demand(line.startswith(f"{one['severity']}: {one['kind']}: "), f"order: {line}")
        demand(one["message"] in line, f"message: {line}")
    for source in report["sources"]:
        if source["links"] != "0":
            demand(any(source["head"] in line for line in lines), "head")


def main():
    compare = sys.argv[1] != "--list"
    with open(sys.argv[1 if compare else 2], encoding="utf-8") as file:
        report = json.load(file)
    if compare:
        with open(sys.argv[2], encoding="utf-8") as file:
            check(report, file.read(), int(sys.argv[3]), sys.argv[4])
    for one in report["findings"]:
        members = [f"{name}={','.join(value) if isinstance(value, list) else value}"
                   for name, value in one.items()]
        print("|" + "|".join(members) + "|")


if __name__ == "__main__":
    main()
