"""The programs that the checks use: how they are installed and run."""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE.parents[1] / "target/languages"

INSTALL_TIMEOUT_S = 900  # wac is compiled: a minute on two cores that have nothing else to do
BUILD_TIMEOUT_S = 300
ENVIRONMENT = {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "RUST_BACKTRACE": "0"}
OUTPUT_MAX = 2000  # characters, of a program that failed

WAC_VERSION = "0.12.0"
VENV = WORK / "venv/bin"
JCO = WORK / "node_modules/.bin/jco"

# The tools that were tried in vain, and why.
uninstallable: dict[pathlib.Path, str] = {}


class Failed(Exception):
    """Of a part: what was not as it must be."""


class Unavailable(Exception):
    """A tool is not here and cannot be installed."""


def execute(command: list, timeout_s: float, directory: pathlib.Path = WORK) -> subprocess.CompletedProcess:
    """Runs a program to its end, and ends it, with all it has started, when its time is up."""
    command = [str(part) for part in command]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=directory,
        env=os.environ | ENVIRONMENT, start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"{name_of(command)} took longer than {timeout_s} s") from None
        raise
    if process.returncode != 0:
        raise Failed(f"{name_of(command)} ended with {process.returncode}:\n{(stdout + stderr).strip()[-OUTPUT_MAX:]}")
    return subprocess.CompletedProcess(command, 0, stdout, stderr)


def name_of(command: list[str]) -> str:
    return " ".join(pathlib.Path(part).name for part in command[:2])


def make(output: pathlib.Path, inputs: list, build) -> pathlib.Path:
    """Calls `build` unless `output` was made from the same inputs: paths of files, and strings."""
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(item.read_bytes() if isinstance(item, pathlib.Path) else item.encode())
        digest.update(b"\0")
    key = output.with_name(output.name + ".key")
    if output.exists() and key.exists() and key.read_text() == digest.hexdigest():
        return output
    key.unlink(missing_ok=True)
    build()
    key.write_text(digest.hexdigest())
    return output


def install(tool: pathlib.Path, inputs: list, commands: list[list], directory: pathlib.Path = WORK) -> pathlib.Path:
    """Like `make`, for a tool."""

    def build() -> None:
        print(f"... installing {tool.name}", flush=True)
        if shutil.which(commands[0][0]) is None:
            raise Failed(f"there is no {commands[0][0]} here")
        for command in commands:
            execute(command, INSTALL_TIMEOUT_S, directory)

    if tool not in uninstallable:
        try:
            return make(tool, inputs, build)
        except Failed as failure:
            uninstallable[tool] = f"{tool.name} cannot be installed: {failure}"
    raise Unavailable(uninstallable[tool])


def jco() -> pathlib.Path:
    manifests = [HERE / "package.json", HERE / "package-lock.json"]
    for manifest in manifests:
        shutil.copy(manifest, WORK)
    # Not `npm ci`: it wants every platform's optional packages in the lock file, and registries do not all have them.
    return install(JCO, manifests, [["npm", "install", "--no-audit", "--no-fund"]])


def python() -> pathlib.Path:
    requirements = HERE / "python/requirements.txt"
    commands = [
        [sys.executable, "-m", "venv", "--clear", WORK / "venv"],
        [VENV / "pip", "install", "--disable-pip-version-check", "--requirement", requirements],
    ]
    return install(VENV / "python", [requirements, sys.version], commands)


def cargo_for_wasm() -> list:
    """As `./dev` found it: the toolchain that has the target, or else one that compiles its standard library."""
    path = os.environ.get("SANDPIPER_WASM", "")
    if not path:
        return ["cargo"]
    return ["env", "-u", "RUSTUP_TOOLCHAIN", f"PATH={path}", "RUSTC_BOOTSTRAP=1", "cargo", "-Zbuild-std=std,panic_abort"]


def wac() -> pathlib.Path:
    found = shutil.which("wac")
    if found and WAC_VERSION in execute([found, "--version"], BUILD_TIMEOUT_S).stdout.split():
        return pathlib.Path(found)
    # Not optimised: what one waits for is its compilation. In a directory that names no Rust toolchain: any will do.
    root, build = pathlib.Path(os.environ.get("SANDPIPER_TOOLS", WORK / "wac")), WORK / "wac-build"
    command = ["cargo", "install", "wac-cli", "--version", WAC_VERSION, "--locked", "--force", "--profile", "dev"]
    command += ["--no-default-features", "--features", "wit,wat", "--root", root, "--target-dir", build]
    tool = install(root / "bin/wac", [WAC_VERSION], [command], pathlib.Path("/"))
    shutil.rmtree(build, ignore_errors=True)
    return tool
