"""Runs the first plugin of the project's README, composed with sandpiper.wasm, and prints what it returns.

    python first.py composed.wasm
"""

import sys

from fetch import instantiate
from wasmtime import Engine
from wasmtime.component import Component


def main() -> None:
    engine = Engine()
    store, instance = instantiate(Component.from_file(engine, sys.argv[1]), engine)
    run = instance.get_func(store, "run")
    print(run(store), end="")


if __name__ == "__main__":
    main()
