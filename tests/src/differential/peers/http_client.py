"""Python's http.client: one case in a line of JSON, its outcome in another."""

import http.client
import io
import json
import sys


class Octets(io.BytesIO):
    """What a socket gives; stays open, to see what was left."""

    def makefile(self, *_) -> "Octets":
        return self

    def close(self) -> None:
        pass


def hexadecimal(text: str) -> str:
    return text.encode("latin-1", "replace").hex()


def outcome(method: str, octets: bytes) -> dict:
    transport = Octets(octets)
    response = http.client.HTTPResponse(transport, method=method)
    try:
        response.begin()
        content = response.read()
    except (http.client.HTTPException, ValueError, OSError, OverflowError) as error:
        return {"refused": type(error).__name__}
    return {
        "status": response.status,
        "fields": [[hexadecimal(name), hexadecimal(value)] for name, value in response.getheaders()],
        "content": content.hex(),
        "trailers": None,
        "reusable": not response.will_close and transport.tell() == len(octets),
    }


for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(outcome(case["method"], bytes.fromhex(case["octets"]))))
