"""The parts of the application of origin.rs that the two servers in Python share."""

import zlib

LIMITED_OCTETS_MAX = 1 << 20
SLOW_S = 0.01


def pattern(position: int, octets: int) -> bytes:
    return bytes((at * 31 & 255) ^ ((at >> 8) * 17 & 255) ^ (at >> 16 & 255) for at in range(position, position + octets))


CHUNKS = [pattern(number * 70_000, 1 + number * 97) for number in range(40)]


class Sum:
    """Adler-32 of what was added, and how much that was."""

    def __init__(self) -> None:
        self.octets, self.value = 0, 1

    def add(self, octets: bytes) -> "Sum":
        self.octets += len(octets)
        self.value = zlib.adler32(octets, self.value)
        return self

    def __str__(self) -> str:
        return f"{self.octets} {self.value}"


def count(root: str, path: str) -> str:
    with open(f"{root}/seen.log", "a", encoding="ascii") as seen:
        seen.write(f"{path}\n")
    return f"counted {path}"
