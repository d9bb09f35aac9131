"""Stands in for the command of Wasmtime, where that is not installed: runs one function without arguments, and prints its text.

    python wasmtime_run.py run -S inherit-network=y --invoke 'NAME()' composed.wasm
"""

import json
import sys

from fetch import instantiate
from wasmtime import Engine
from wasmtime.component import Component


def main() -> None:
    run, option, network, invoke, call, path = sys.argv[1:]
    assert (run, option, network, invoke) == ("run", "-S", "inherit-network=y", "--invoke"), sys.argv
    engine = Engine()
    store, instance = instantiate(Component.from_file(engine, path), engine)
    function = instance.get_func(store, call.removesuffix("()"))
    print(json.dumps(function(store)))  # of plain letters, Wasmtime's own form is the same


if __name__ == "__main__":
    main()
