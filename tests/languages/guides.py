"""The programs of the guides, taken from the pages: a page is the test of what it says.

The line before a snippet is a mark, which says what to do with the snippet:

    <!-- project NAME: file PATH -->    a file of the project
    <!-- project NAME: run -->          commands, in the project's directory; `../sandpiper` is this repository
    <!-- project NAME: install -->      tools: those that tools.py has, in its versions

The page names a server at 127.0.0.1:8080; a run has a server of its own, at another port.
"""

import os
import pathlib
import re
import shutil
import sys
from typing import NamedTuple

import server
from tools import BUILD_TIMEOUT_S, HERE, INSTALL_TIMEOUT_S, WAC_VERSION, WORK, Failed, cargo_for_wasm, execute, jco, python, wac

ROOT = HERE.parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs/concepts.md", *sorted(ROOT.glob("docs/guide/*.md"))]
SNIPPET = re.compile(r"<!-- project (\w+): (file \S+|run|install) -->\n```\w*\n(.*?)```", re.DOTALL)
PORT = "127.0.0.1:8080"
TARGETS = ["/a", "/b", "/c"]


class Step(NamedTuple):
    act: str
    text: str


def projects() -> dict[str, list[Step]]:
    """The steps of every project, in the order of its page."""
    found: dict[str, list[Step]] = {}
    for page in PAGES:
        for name, act, text in SNIPPET.findall(page.read_text()):
            found.setdefault(name, []).append(Step(act, text))
    return found


def wrapper(path: pathlib.Path, command: list) -> None:
    """A program that runs a command, with more arguments."""
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in command) + ' "$@"\n')
    path.chmod(0o755)


def commands() -> pathlib.Path:
    """A directory with the tools that the guides name, as they are here."""
    directory = WORK / "guides/bin"
    directory.mkdir(parents=True, exist_ok=True)
    first, *rest = cargo_for_wasm()
    wrapper(directory / "cargo", [shutil.which(first), *rest])  # by its path: this directory is the first to be searched
    wrapper(directory / "wac", [wac()])
    wrapper(directory / "jco", [jco()])
    wrapper(directory / "python3", [python()])
    wrapper(directory / "componentize-py", [python().with_name("componentize-py")])
    if shutil.which("wasmtime") is None:
        wrapper(directory / "wasmtime", [python(), HERE / "python/wasmtime_run.py"])
    return directory


def check_installed(text: str) -> None:
    """Commands that install: what they name is what the checks use."""
    requirements = (HERE / "python/requirements.txt").read_text().split("\n")
    packages = re.findall(r'"(@bytecodealliance/[^"]+)": "([^"]+)"', (HERE / "package.json").read_text())
    known = {*requirements, *(f"{name}@{version}" for name, version in packages), f"wac-cli@{WAC_VERSION}", "wasm32-unknown-unknown"}
    for line in text.splitlines():
        named = [word for word in line.split("#")[0].split() if re.search(r"==|@|^wasm32", word)]
        if not named or not set(named) <= known:
            raise Failed(f"{line}: the checks do not use that; they use {sorted(known)}")


def run_step(directory: pathlib.Path, step: Step, port: int, printed: str) -> str:
    """Returns what the commands so far have printed."""
    text = step.text.replace(PORT, f"127.0.0.1:{port}").replace("port: 8080", f"port: {port}").replace("port=8080", f"port={port}")
    act, _, path = step.act.partition(" ")
    if act == "file":
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    elif act == "install":
        check_installed(text)
    else:
        path = f"{commands()}:{os.environ['PATH']}"
        return execute(["env", f"PATH={path}", "sh", "-ec", text], INSTALL_TIMEOUT_S + BUILD_TIMEOUT_S, directory).stdout
    return printed


def run(name: str, closes: bool = False) -> None:
    """Plays a project from its beginning, against a server that may close each connection; built files of the last run are there."""
    steps = projects()[name]
    directory = WORK / "guides" / name
    directory.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(directory / "wit", ignore_errors=True)
    link = directory.with_name("sandpiper")
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT)
    if not any(step.act == "run" for step in steps):
        raise Failed(f"{name} runs nothing")
    printed = ""
    with server.Server(closes=closes) as peer:
        for step in steps:
            printed = run_step(directory, step, peer.port, printed)
    # Every program of the guides gets the same, and prints a line for each.
    if sorted(set(peer.targets)) != TARGETS or printed.count(" octets") != len(TARGETS):
        raise Failed(f"{name} requested {peer.targets} and printed {printed!r}")


if __name__ == "__main__":
    for project in sys.argv[1:] or projects():
        run(project)
        print(f"{project}: passed")
