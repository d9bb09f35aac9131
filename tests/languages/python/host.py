"""Runs a plugin that was composed with sandpiper.wasm. Same arguments and output as `fetch.py`, and `--streaming`.

    python host.py [--streaming] composed.wasm HOST PORT TARGET...
"""

import json
import pathlib
import sys

from fetch import caller, failed, instantiate, page
from wasmtime import Engine
from wasmtime.component import Component


def load(engine: Engine, path: pathlib.Path) -> Component:
    """Compiling a whole Python takes many seconds: the result is kept beside the component."""
    compiled = path.with_suffix(".cwasm")
    if not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime:
        compiled.write_bytes(Component.from_file(engine, str(path)).serialize())
    return Component.deserialize_file(engine, str(compiled))


def outcome(result) -> dict:
    if result.tag == "err":
        return failed(result.payload)
    return page(result.payload.status, result.payload.content)


if __name__ == "__main__":
    streaming = sys.argv[1] == "--streaming"
    path, host, port, *targets = sys.argv[1 + streaming :]
    engine = Engine()
    call = caller(*instantiate(load(engine, pathlib.Path(path)), engine), "sandpiper-tests:languages/pages@0.1.0")
    if streaming:
        results = [call("get-streaming", host, int(port), target) for target in targets]
    else:
        results = call("get-all", host, int(port), targets)
    for result in results:
        print(json.dumps(outcome(result)))
