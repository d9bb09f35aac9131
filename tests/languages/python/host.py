"""Runs a plugin that was composed with sandpiper.wasm or sandpiper-tls.wasm. Same arguments and output as `fetch.py`, and
`--streaming`, but nothing about handshakes: the interface `tls` is not among what the composition exports.

    python host.py [--streaming] composed.wasm HOST PORT TARGET...
"""

import json
import pathlib

from fetch import caller, copy_octets_at_once, failed, instantiate, name_of, page, parser, tls_options
from wasmtime import Engine
from wasmtime.component import Component, Variant


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


def outcomes(call, options) -> list[dict]:
    """Of one connection."""
    server = options.host, options.port, tls_options(options)
    if options.streaming:
        return [outcome(call("get-streaming", *server, target)) for target in options.targets]
    results = call("get-all", *server, options.targets)
    if isinstance(results, Variant):
        return [{"error": name_of(results)}] * len(options.targets)
    return [outcome(result) for result in results]


def main() -> None:
    options = parser().parse_args()
    copy_octets_at_once()
    engine = Engine()
    call = caller(*instantiate(load(engine, options.component), engine), "sandpiper-tests:languages/pages@0.1.0")
    for _ in range(options.connections):
        for made in outcomes(call, options):
            print(json.dumps(made))


if __name__ == "__main__":
    main()
