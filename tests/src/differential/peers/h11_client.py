"""h11 as a client: one case in a line of JSON, its outcome in another."""

import json
import sys

import h11


def fields(headers) -> list:
    return [[bytes(name).hex(), bytes(value).hex()] for name, value in headers]


def outcome(method: str, octets: bytes) -> dict:
    conn = h11.Connection(our_role=h11.CLIENT)
    conn.send(h11.Request(method=method, target="/", headers=[("Host", "example.test")]))
    conn.send(h11.EndOfMessage())
    head, content, ended = None, b"", False
    try:
        conn.receive_data(octets)
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    return {"refused": "it never ends"}
                ended = True
                conn.receive_data(b"")
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return {"refused": f"no response: {event}"}
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
        reusable = conn.our_state is h11.DONE and conn.their_state is h11.DONE and not conn.trailing_data[0] and not ended
    except h11.RemoteProtocolError as error:
        return {"refused": str(error)}
    return {
        "status": head.status_code, "fields": fields(head.headers), "content": content.hex(), "trailers": fields(event.headers), "reusable": reusable,
    }


for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(outcome(case["method"], bytes.fromhex(case["octets"]))))
