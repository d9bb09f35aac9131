"""A plugin in Python: pages through one connection, and one page as it arrives.

Built into a component by componentize-py, and given its client by composition with sandpiper.wasm, or, for https, sandpiper-tls.wasm.
"""

from componentize_py_types import Err, Ok, Result
from wit_world import exports
from wit_world.exports.pages import Page
from wit_world.imports import types
from wit_world.imports.client import ClientConn, Event_Exchange, Origin, Poll, Readiness, Send

CONTENT_MAX = 1 << 20


def connect(host: str, port: int, tls: types.TlsOptions | None) -> ClientConn:
    with Origin.create(types.Endpoint(host, port, addresses=[], tls=tls), options=None) as origin:
        return ClientConn.connect(origin)


def get(target: str) -> types.Request:
    return types.Request(
        method="GET",
        request_target=target,
        authority=None,  # that of the connection
        fields=[("Accept", b"*/*")],
        content=types.RequestContent_None_(),
        options=None,
    )


def collect(sent: Result[Send, types.Failure]) -> Result[Page, types.Failure]:
    """A failure is a value in a list of results, and raised, as `Err`, by a call that fails."""
    if isinstance(sent, Err):
        return sent
    with sent.value as send:
        try:
            response = send.collect(CONTENT_MAX)
        except Err as failure:
            return Err(failure.value)
    return Ok(Page(response.head.status, response.content))


class Pages(exports.Pages):
    def get_all(
        self, host: str, port: int, tls: types.TlsOptions | None, targets: list[str]
    ) -> list[Result[Page, types.Failure]]:
        with connect(host, port, tls) as conn:
            return [collect(sent) for sent in conn.send_all([get(target) for target in targets], first_token=0)]

    def get_streaming(self, host: str, port: int, tls: types.TlsOptions | None, target: str) -> Page:
        with connect(host, port, tls) as conn, Poll(None) as poll:
            poll.insert(conn, token=1)
            with conn.send(get(target), token=2) as send:
                content = bytearray()
                while True:
                    for event in poll.wait(timeout=None, events_max=16):
                        if not isinstance(event, Event_Exchange):
                            continue
                        ready = event.value.ready  # what is not acted upon is reported again
                        if ready & (Readiness.HEAD | Readiness.FAILED):
                            status = send.head().status  # raises the failure
                        if ready & Readiness.READABLE:
                            match send.read(CONTENT_MAX):
                                case types.Chunk_Data(data):
                                    content += data
                                case types.Chunk_End():
                                    return Page(status, bytes(content))
