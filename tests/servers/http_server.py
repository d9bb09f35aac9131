"""The application of origin.rs on Python's http.server: http_server.py ROOT PLAIN LIMITED"""

import http.server
import sys
import threading
import time

from application import CHUNKS, LIMITED_OCTETS_MAX, SLOW_S, Sum, count

ROOT, PLAIN, LIMITED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Plain(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    requests_max = 10_000
    octets_max = 1 << 40

    def __init__(self, *args) -> None:
        self.requests = 0
        super().__init__(*args, directory=ROOT)

    def setup(self) -> None:
        super().setup()
        self.wfile = self.connection.makefile("wb", 65_536)

    def log_message(self, *_) -> None:
        pass

    def handle_expect_100(self) -> bool:
        proceed = self.too_large() or super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def too_large(self) -> bool:
        return int(self.headers.get("Content-Length", 0)) > self.octets_max

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(code, message)
        if self.requests >= self.requests_max:
            self.send_header("Connection", "close")

    def answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def content(self):
        """http.server leaves the content to the application, the chunked coding too."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            left = int(self.headers.get("Content-Length", 0))
            while left > 0:
                part = self.rfile.read(min(left, 65_536))
                left -= len(part) or left
                yield part
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def respond(self) -> None:
        self.requests += 1
        if self.too_large():
            self.send_response(413)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            return self.end_headers()
        path, _, query = self.path.partition("?")
        parts = path.split("/")[1:]
        if parts[0] == "files":
            return super().do_HEAD() if self.command == "HEAD" else super().do_GET()
        if parts[1:2] == ["mirror"]:
            return self.mirror()
        total = Sum()
        for part in self.content():
            total.add(part)
        if parts[1:2] == ["echo"]:
            self.answer(200, str(total).encode())
        elif parts[1:2] == ["chunked"]:
            self.chunked()
        elif parts[1:2] == ["status"]:
            self.answer(int(parts[2]))
        elif parts[1:2] == ["hints"]:
            self.send_response_only(103)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
            self.answer(200, b"hinted")
        elif parts[1:2] == ["count"]:
            counted = count(ROOT, path)
            if query == "slow":
                time.sleep(SLOW_S)
            self.answer(200, counted.encode())
        else:
            self.answer(404, b"none")

    do_GET = do_HEAD = do_POST = do_PUT = respond

    def mirror(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for part in self.content():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def chunked(self) -> None:
        self.send_response(200)
        self.send_header("Trailer", "X-Sum")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        total = Sum()
        for chunk in CHUNKS:
            total.add(chunk)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(f"0\r\nX-Sum: {total}\r\n\r\n".encode())


class Limited(Plain):
    timeout = 1
    requests_max = 5
    octets_max = LIMITED_OCTETS_MAX


limited = http.server.ThreadingHTTPServer(("127.0.0.1", LIMITED), Limited)
threading.Thread(target=limited.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", PLAIN), Plain).serve_forever()
