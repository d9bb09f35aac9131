"""Sandpiper as a library in Python: gets targets of one server, all of them through each of the connections.
    python fetch.py [--streaming] sandpiper.wasm HOST PORT TARGET...      prints one line of JSON for each target
    python fetch.py --tls sandpiper-tls-admin.wasm HOST PORT TARGET...    and, behind those of a connection, one for its handshake
"""

import argparse
import base64
import ctypes
import json
import pathlib

from wasmtime import Engine, Store, WasiConfig, _ffi
from wasmtime.component import Component, Instance, Linker, ListType, Record, Variant

# Wasmtime for Python takes no list of octets that is longer than some 2.8 MiB: an octet costs it 48, and one call may cost 128 MiB. What is
# longer is read in pieces.
CONTENT_MAX = 1 << 20


def copy_octets_at_once() -> None:
    """Has wasmtime convert a list of octets by one copy with a stride. By itself it makes a call for each octet."""
    convert_list, value = ListType.convert_from_c, _ffi.wasmtime_component_val_t

    def convert(self: ListType, raw) -> bytes | list:
        if not self._is_bytes():
            return convert_list(self, raw)
        octets, width = raw.of.list, ctypes.sizeof(value)
        try:
            return ctypes.string_at(octets.data, octets.size * width)[value.of.offset :: width]
        finally:
            _ffi.wasmtime_component_vallist_delete(ctypes.byref(octets))

    ListType.convert_from_c = convert


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    made.add_argument("--connections", type=int, default=1)
    made.add_argument("--streaming", action="store_true", help="take contents as they arrive")
    made.add_argument("--tls", action="store_true")
    made.add_argument("--roots", type=pathlib.Path, help="trust anchors, PEM; without, the built-in ones")
    made.add_argument("--server-name")
    made.add_argument("--any-certificate", action="store_true")
    made.add_argument("component", type=pathlib.Path)
    made.add_argument("host")
    made.add_argument("port", type=int)
    made.add_argument("targets", nargs="+")
    return made


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


def tls_options(options: argparse.Namespace) -> Record | None:
    if not options.tls:
        return None
    return record(
        server_name=options.server_name, roots_pem=options.roots and options.roots.read_bytes(), with_builtin_roots=None,
        identity_pem=None, alpn=None, version_min=None, spki_pins=None, resumption=None, key_log=None,
        accept_any_certificate=options.any_certificate,
    )


def page(status: int, content: bytes) -> dict:
    return {"status": status, "content": base64.b64encode(content).decode()}


def name_of(error: Variant) -> str:
    return f"{error.tag}({error.payload})" if error.payload else error.tag


def failed(failure: Record) -> dict:
    return {"error": name_of(failure.error), "delivery": failure.delivery}


def get(target: str) -> Record:
    return record(
        method="GET", request_target=target, authority=None, fields=[("Accept", b"*/*")], content=Variant("none"), options=None
    )


def take(call, sent, parts: list[bytes]):
    """Takes what has come of the content, and returns what comes behind it: `would-block`, the trailers as a list, or the failure."""
    while isinstance(chunk := call("[method]send.read", sent, CONTENT_MAX), bytes):
        parts.append(chunk)
    return chunk


def stream(call, sent, poll) -> dict:
    head, parts = None, []
    while True:
        for event in call("[method]poll.wait", poll, None, 16):
            ready = event.payload.ready if event.tag == "exchange" else set()
            if ready & {"head", "failed"}:
                head = call("[method]send.head", sent)
                if head.tag == "err":
                    return failed(head.payload)
            end = take(call, sent, parts) if "readable" in ready else None
            if isinstance(end, Record):
                return failed(end)
            if isinstance(end, list):
                return page(head.payload.status, b"".join(parts))


def fetch_streaming(call, conn, targets: list[str]):
    poll = call("[constructor]poll", None)
    call("[method]poll.insert", poll, conn, 1)
    for target in targets:
        sent = call("[method]client-conn.send", conn, get(target), 2)
        yield failed(sent) if isinstance(sent, Record) else stream(call, sent, poll)


def fetch(call, conn, targets: list[str]):
    for sent in call("[method]client-conn.send-all", conn, [get(target) for target in targets], 0):
        if isinstance(sent, Record):  # the failure: the two sides of this result differ in their class
            yield failed(sent)
            continue
        result = call("[method]send.collect", sent, CONTENT_MAX)
        if result.tag == "ok":  # here they do not, so that they are marked
            yield page(result.payload.head.status, result.payload.content)
        else:
            yield failed(result.payload)


def handshake(info: Record) -> dict:
    """What the checks ask about it."""
    described = {"version": info.version, "resumed": info.resumed, "server-name": getattr(info, "server-name")}
    return {"handshake": described | ({"names": info.refusal.names} if info.refusal else {})}


def main() -> None:
    arguments = parser()
    arguments.add_argument("--allow-any-certificate", action="store_true", help="as the host, for which it is")
    options = arguments.parse_args()
    copy_octets_at_once()
    engine = Engine()
    sandbox = instantiate(Component.from_file(engine, str(options.component)), engine)
    call = caller(*sandbox, "sandpiper:http/client@0.2.0")
    call_tls = caller(*sandbox, "sandpiper:http/tls@0.2.0") if options.tls else None
    if options.allow_any_certificate:
        caller(*sandbox, "sandpiper:http/tls-admin@0.2.0")("allow", {"any-certificate"})
    endpoint = record(host=options.host, port=options.port, addresses=[], tls=tls_options(options))
    for _ in range(options.connections):
        origin = call("[static]origin.create", endpoint, None)
        if isinstance(origin, Variant):
            for _ in options.targets:
                print(json.dumps({"error": name_of(origin)}))
            continue
        conn = call("[static]client-conn.connect", origin)
        for outcome in (fetch_streaming if options.streaming else fetch)(call, conn, options.targets):
            print(json.dumps(outcome))
        info = call_tls and call_tls("info", call("[method]client-conn.info", conn).id)
        if info:  # nothing, where it was never connected
            print(json.dumps(handshake(info)))
        conn.drop(sandbox[0])
        origin.drop(sandbox[0])


if __name__ == "__main__":
    main()
