"""SLIP and checksum, beside the codecs of two esptool releases and of sliplib.

The same random bytes for all: blocks to encode and to sum, and a stream of packets to decode in pieces of several sizes, as
they come from a port. Rates count the bytes of the blocks and the wire bytes of the stream. Each esptool runs in an environment
of its own, through `probes/esptool_codec.py`; since its reader takes pieces from a port, a fake one hands them out, which
costs it a few per cent in the smallest pieces.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import sliplib

from benchmarks import workload
from benchmarks.measure import Row, Sampler, Table, Target, at_least, compare, in_turn, rate
from flashcore.protocol.packet import checksum
from flashcore.protocol.slip import Decoder, Frame, encode

PROBE = Path(__file__).parent / "probes" / "esptool_codec.py"
OLD = "esptool 4.12.0"
NEW = "esptool 5.6.0"
RELEASES = {OLD: "4.12.0", NEW: "5.6.0"}

OURS = "flashcore"
SLIPLIB = "sliplib Driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much to do.

    Args:
        pythons: For each esptool, by the name under which it is shown, the interpreter of its environment.
        blocks: How many blocks to encode and to sum.
        packets: How many packets the stream has.
        chunks: Sizes of the pieces in which the stream comes, in bytes.
        rounds: How often everything is measured.
        least_s: Least CPU time of each measurement, in seconds.
    """

    pythons: dict[str, Path]
    blocks: int = 16
    packets: int = workload.STREAM_PACKETS
    chunks: tuple[int, ...] = (64, 1024, 4096)
    rounds: int = 5
    least_s: float = 0.1


TARGETS: dict[tuple[str, str], Target] = {
    ("encode", OLD): at_least(0.9),
    ("checksum", OLD): at_least(5),
    ("decode", SLIPLIB): at_least(3),
    ("decode", OLD): at_least(20),
    ("decode", NEW): at_least(20),
}


def measure(setup: Setup) -> Table:
    """Measure and compare."""
    blocks = workload.random_blocks(setup.blocks)
    packets = workload.random_blocks(setup.packets, workload.PACKET_SIZE)
    stream = b"".join(map(encode, packets))
    size, least_s = sum(map(len, blocks)) / 1e6, setup.least_s
    contenders: dict[str, dict[str, Sampler]] = {
        "encode": {OURS: lambda: rate(lambda: _each(encode, blocks), size, least_s=least_s)},
        "checksum": {OURS: lambda: rate(lambda: _each(checksum, blocks), size, least_s=least_s)},
    }
    for chunk in setup.chunks:
        chunks = list(workload.pieces(stream, chunk))
        contenders[f"decode {chunk}"] = {
            name: _decode_sampler(decode, chunks, packets, least_s)
            for name, decode in ((OURS, _decode), (SLIPLIB, _decode_sliplib))
        }
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as probes:
        files = Path(folder, "blocks"), Path(folder, "stream")
        files[0].write_bytes(b"".join(blocks))
        files[1].write_bytes(stream)
        for name, python in setup.pythons.items():
            probe = probes.enter_context(Probe(name, python, files, setup, _digest(packets)))
            for figure, samplers in contenders.items():
                samplers[name] = partial(probe.sample, figure)
        for figure, samplers in contenders.items():
            kind, _, chunk_size = figure.partition(" ")
            title = f"decode, pieces of {chunk_size}" if chunk_size else f"{kind}, 16 KiB"
            found = in_turn(samplers, setup.rounds)
            rows += [compare(title, "MB/s", found, OURS, name, TARGETS.get((kind, name))) for name in found if name != OURS]
    return Table(name="codec", title="SLIP and checksum, MB per second of CPU time", rows=tuple(rows))


class Probe:
    """An esptool at work in its own environment.

    Args:
        name: As shown.
        python: The environment's interpreter.
        files: Blocks and stream.
        setup: How much to do.
        digest: What the decoded packets must add up to.
    """

    def __init__(self, name: str, python: Path, files: tuple[Path, Path], setup: Setup, digest: int) -> None:
        self.name = name
        self._digest = digest
        words = [PROBE, files[0], workload.BLOCK_SIZE, files[1], setup.packets, setup.least_s]
        self._process = subprocess.Popen(
            [str(python), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def sample(self, figure: str) -> float:
        """Measure `figure` once."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(figure + "\n")
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the probe of {self.name} ended with exit code {process.wait()}; see its message above")
        result = json.loads(answer)
        if figure.startswith("decode") and result["digest"] != self._digest:
            raise AssertionError(f"{self.name} loses or changes packets")
        return float(result["figure"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        # Ending its input ends the probe.
        self._process.communicate()


def _decode_sampler(
    decode: Callable[[list[bytes]], list[bytes]], chunks: list[bytes], packets: list[bytes], least_s: float
) -> Sampler:
    if decode(chunks) != packets:
        raise AssertionError(f"{decode.__name__} loses or changes packets in pieces of {len(chunks[0])} bytes")
    size = sum(map(len, chunks)) / 1e6
    return lambda: rate(lambda: decode(chunks), size, least_s=least_s)


def _decode(chunks: list[bytes]) -> list[bytes]:
    decoder = Decoder()
    packets: list[bytes] = []
    for chunk in chunks:
        for event in decoder.feed(chunk):
            if isinstance(event, Frame):
                packets.append(event.packet)
    return packets


def _decode_sliplib(chunks: list[bytes]) -> list[bytes]:
    driver = sliplib.Driver()
    packets: list[bytes] = []
    for chunk in chunks:
        driver.receive(chunk)
    # Asking once at the end suits it best: each time it has nothing costs it an exception.
    while packet := driver.get(block=False):
        packets.append(packet)
    return packets


def _each(work: Callable[[bytes], object], blocks: Sequence[bytes]) -> None:
    for block in blocks:
        work(block)


def _digest(packets: Sequence[bytes]) -> int:
    digest = 0
    for packet in packets:
        digest = zlib.crc32(packet, digest)
    return digest
