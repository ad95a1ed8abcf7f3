"""Time the SLIP codec and the checksum of the esptool in this interpreter's environment.

Run by `benchmarks/codec.py` in environments that have nothing of this project, so it imports esptool and the standard
library only.

Usage: esptool_codec.py BLOCKS BLOCK_SIZE STREAM PACKETS LEAST_S, where BLOCKS and STREAM are files. For each line of standard
input, `encode`, `checksum` or `decode CHUNK`, it prints one line of JSON: the rate in MB per second of CPU time, and a digest
of what was decoded.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from esptool.loader import ESPLoader


class FakePort:
    """As much of a serial port as the codec touches."""

    baudrate = 115200
    timeout = 3.0
    write_timeout = 3.0

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)
        self.written = 0

    def inWaiting(self) -> int:
        return 0

    def read(self, size: int) -> bytes:
        return next(self._chunks, b"")

    def write(self, data: bytes) -> None:
        self.written += len(data)


def rate(work: Callable[[], None], amount: int, least_s: float) -> float:
    times = 0
    start = now = time.process_time()
    while not times or now - start < least_s:
        work()
        times += 1
        now = time.process_time()
    return amount * times / (now - start) / 1e6


def main() -> None:
    blocks_file, block_size, stream_file, packets, least = sys.argv[1:]
    data, stream = Path(blocks_file).read_bytes(), Path(stream_file).read_bytes()
    size, least_s = int(block_size), float(least)
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    loader = ESPLoader(FakePort([]), 115200)
    digest = 0

    def encode() -> None:
        for block in blocks:
            loader.write(block)

    def checksum() -> None:
        for block in blocks:
            ESPLoader.checksum(block)

    def decode() -> None:
        nonlocal digest
        reader = ESPLoader(FakePort(chunks), 115200)
        digest = 0
        for _ in range(int(packets)):
            digest = zlib.crc32(reader.read(), digest)

    for line in sys.stdin:
        chunks: list[bytes] = []
        match line.split():
            case ["encode"]:
                figure = rate(encode, len(data), least_s)
            case ["checksum"]:
                figure = rate(checksum, len(data), least_s)
            case ["decode", chunk]:
                chunks = [stream[start : start + int(chunk)] for start in range(0, len(stream), int(chunk))]
                figure = rate(decode, len(stream), least_s)
            case _:
                sys.exit(f"esptool_codec.py: what is {line!r}?")
        print(json.dumps({"figure": figure, "digest": digest}), flush=True)


if __name__ == "__main__":
    main()
