#!/usr/bin/env python3
"""Serves a time-stamp authority of `openssl ts` by HTTP (RFC 3161, 3.4).

usage: tsa_server.py PORT FOLDER MODE

FOLDER is what make_tsa of tsa_lib.sh makes. MODE: `good` and `refusing` are sections of its
configuration; `replay` answers every request with the answer to the first one; `flip` changes one
bit of the signature; `html` answers with a page, `error` with status 500, `huge` with 1 MiB.
"""
import http.server
import pathlib
import subprocess
import sys
import tempfile

port, folder, mode = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
first = None


def reply(query):
    with tempfile.TemporaryDirectory() as scratch:
        asked = pathlib.Path(scratch) / "query"
        answered = pathlib.Path(scratch) / "answer"
        asked.write_bytes(query)
        section = "refusing" if mode == "refusing" else "good"
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", folder / "ts.cnf", "-section", section,
             "-queryfile", asked, "-out", answered], check=True, stderr=sys.stderr)
        return answered.read_bytes()


class Authority(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global first
        query = self.rfile.read(int(self.headers["Content-Length"]))
        status, kind = 200, "application/timestamp-reply"
        if self.headers["Content-Type"] != "application/timestamp-query" or self.path != "/stamp":
            status, kind, body = 404, "text/plain", b"no"
        elif mode == "html":
            kind, body = "text/html", b"<p>Welcome</p>"
        elif mode == "error":
            status, kind, body = 500, "text/plain", b"broken"
        elif mode == "huge":
            body = bytes(1 << 20)
        else:
            body = reply(query)
            first = first or body
            if mode == "replay":
                body = first
            if mode == "flip":
                body = body[:-5] + bytes([body[-5] ^ 1]) + body[-4:]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Authority).serve_forever()
