"""A server on the loopback interface that remembers what it saw, with TLS and without."""

import pathlib
import re
import socket
import ssl
import threading
import time
from typing import NamedTuple

# What the targets of `Server` answer: status and content.
PIECES = [b"one, ", b"two, ", b"three"]
PIECES_DELAY_S = 0.05
LARGE = bytes(range(256)) * (32 << 10)  # more than wasmtime for Python takes in one list
CUT_LENGTH = 100
CUT_CONTENT = b"cut short"
DRAIN_TIMEOUT_S = 5
HANDSHAKE_TIMEOUT_S = 30


def content(target: str) -> bytes:
    """Of /page/N: different for every N, and with every octet."""
    number = int(target.rpartition("/")[2])
    return b"page %d " % number + bytes(range(256)) * (1 + number % 7)


def head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def context(identity: pathlib.Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(identity)
    made.set_alpn_protocols(["http/1.1"])

    def remember(connection: ssl.SSLSocket, name: str | None, _) -> None:
        connection.asked_for = name

    made.sni_callback = remember
    return made


class Handshake(NamedTuple):
    version: str
    resumed: bool
    # What the client asked for; none for an address.
    server_name: str | None


class Server:
    """Use in `with`; one for each check, so that its counts are the check's own. With a file that holds a certificate and its
    key, it speaks TLS. One that `closes` does so behind each answer, as HTTP/1.0 has it.
    """

    def __init__(self, identity: pathlib.Path | None = None, closes: bool = False) -> None:
        self.connections = 0
        # Those that ended well, and what was said against the others.
        self.handshakes: list[Handshake] = []
        self.refusals: list[str] = []
        self.targets: list[str] = []
        # The most requests that were there at one time without an answer.
        self.depth_max = 0
        self._tls = context(identity) if identity else None
        self._closes = closes
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> "Server":
        self._start(self._accept)
        return self

    def __exit__(self, *_) -> None:
        """Waits for the connections, so that every request is counted: the client has ended by then."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DRAIN_TIMEOUT_S)
        self._listener.close()

    def _start(self, run, *args) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if self._tls is None:
                    self._answer_all(connection)
                elif secure := self._secure(connection):
                    with secure:
                        self._answer_all(secure)
            except (ConnectionError, ssl.SSLError):
                pass

    def _secure(self, connection: socket.socket) -> ssl.SSLSocket | None:
        connection.settimeout(HANDSHAKE_TIMEOUT_S)
        try:
            secure = self._tls.wrap_socket(connection, server_side=True)
        except OSError as error:
            self.refusals.append(getattr(error, "reason", None) or str(error))
            return None
        secure.settimeout(None)
        self.handshakes.append(Handshake(secure.version(), secure.session_reused, getattr(secure, "asked_for", None)))
        return secure

    def _answer_all(self, connection: socket.socket) -> None:
        received = b""
        while octets := connection.recv(65536):
            *heads, received = (received + octets).split(b"\r\n\r\n")
            heads = heads[:1] if self._closes else heads
            targets = [re.match(rb"GET (\S+) HTTP/1\.1\r\n", head)[1].decode() for head in heads]
            self.targets += targets
            self.depth_max = max(self.depth_max, len(targets))
            for target in targets:
                if not self._answer(connection, target) or self._closes:
                    self._drain(connection)
                    return

    def _answer(self, connection: socket.socket, target: str) -> bool:
        """False: the connection ends here."""
        if target.startswith("/page/"):
            octets = content(target)
            connection.sendall(head("200 OK", f"Content-Length: {len(octets)}") + octets)
        elif target == "/pieces":
            connection.sendall(head("200 OK", "Transfer-Encoding: chunked"))
            for piece in PIECES:
                time.sleep(PIECES_DELAY_S)
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\nChecked: yes\r\n\r\n")
        elif target == "/large":
            connection.sendall(head("200 OK", f"Content-Length: {len(LARGE)}") + LARGE)
        elif target == "/cut":
            connection.sendall(head("200 OK", f"Content-Length: {CUT_LENGTH}") + CUT_CONTENT)
            return False
        else:
            connection.sendall(head("404 Not Found", "Content-Length: 0", *["Connection: close"] * self._closes))
        return True

    def _drain(self, connection: socket.socket) -> None:
        """Ends the sending direction, and takes what was on its way: a plain close could reset the connection."""
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(DRAIN_TIMEOUT_S)
        try:
            while octets := connection.recv(65536):
                self.targets += [target.decode() for target in re.findall(rb"GET (\S+) HTTP/1\.1\r\n", octets)]
        except TimeoutError:
            pass
