"""An upstream for the examples: answers every request with what it was asked.

    python3 examples/upstream.py 8081
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {"port": port, "method": self.command, "host": self.headers.get("host"), "path": self.path}
        body = (json.dumps(told) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8081
ThreadingHTTPServer(("127.0.0.1", port), Echo).serve_forever()
