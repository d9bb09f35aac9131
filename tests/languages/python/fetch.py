"""Sandpiper as a library in Python: gets targets of one server through one connection.
    python fetch.py sandpiper.wasm HOST PORT TARGET...        prints one line of JSON for each target
"""

import base64
import json
import sys

from wasmtime import Engine, Store, WasiConfig, _ffi
from wasmtime.component import Component, Instance, Linker, Record, Variant

CONTENT_MAX = 1 << 20


def instantiate(component: Component, engine: Engine) -> tuple[Store, Instance]:
    """The component in a sandbox of its own, from which it can reach the network, and say why it trapped."""
    wasi = WasiConfig()
    wasi.inherit_stderr()
    # The network has no Python interface yet.
    _ffi.wasi_config_inherit_network(wasi.ptr())
    _ffi.wasi_config_allow_ip_name_lookup(wasi.ptr(), True)
    store = Store(engine)
    store.set_wasi(wasi)
    linker = Linker(engine)
    linker.add_wasip2()
    return store, linker.instantiate(store, component)


def caller(store: Store, instance: Instance, interface: str):
    """Calls a function of one exported interface by its name."""
    of = instance.get_export_index(store, interface)

    def call(name: str, *args):
        func = instance.get_func(store, instance.get_export_index(store, name, of))
        result = func(store, *args)
        func.post_return(store)
        return result

    return call


def record(**fields) -> Record:
    """Names of fields are those of the interface definition, with hyphens."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def page(status: int, content: bytes) -> dict:
    return {"status": status, "content": base64.b64encode(content).decode()}


def failed(failure: Record) -> dict:
    tag, detail = failure.error.tag, failure.error.payload
    return {"error": f"{tag}({detail})" if detail else tag, "delivery": failure.delivery}


def fetch(call, host: str, port: int, targets: list[str]):
    conn = call("[static]client-conn.connect", record(host=host, port=port, addresses=[], tls=None), None)
    common = dict(method="GET", authority=None, fields=[("Accept", b"*/*")], content=Variant("none"), options=None)
    requests = [record(request_target=target, **common) for target in targets]
    for sent in call("[method]client-conn.send-all", conn, requests, 0):
        if isinstance(sent, Record):  # the failure: the two sides of this result differ in their class
            yield failed(sent)
            continue
        result = call("[method]send.collect", sent, CONTENT_MAX)
        if result.tag == "ok":  # here they do not, so that they are marked
            yield page(result.payload.head.status, result.payload.content)
        else:
            yield failed(result.payload)


if __name__ == "__main__":
    path, host, port, *targets = sys.argv[1:]
    engine = Engine()
    call = caller(*instantiate(Component.from_file(engine, path), engine), "sandpiper:http/client@0.1.0")
    for outcome in fetch(call, host, int(port), targets):
        print(json.dumps(outcome))
