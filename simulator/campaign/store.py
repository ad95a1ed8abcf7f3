"""Results as JSON Lines: each case is one line, written when it is finished, so that an interrupted campaign can go on.

A line that was cut off when the process died is left out on reading; its case runs again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from flashcore.errors import ScenarioError
from simulator.campaign.case import Case
from simulator.campaign.oracle import Judgement, Verdict
from simulator.flashers.adapter import Result

_START = b'{"id": "'
"""How each line of a file of results begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished case.

    Args:
        case: What was asked.
        version: The flasher's release.
        result: What came of it.
        judgement: What that shows.
        clean_s: How long the job takes without faults, in virtual seconds.
    """

    case: Case
    version: str
    result: Result
    judgement: Judgement
    clean_s: float

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same run as another: case and release."""
        return self.case.id, self.version

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict

    def to_line(self) -> str:
        """Return the record as one line of JSON, without the line break."""
        return json.dumps(
            {
                "id": self.case.id,
                "version": self.version,
                "clean_s": self.clean_s,
                "verdict": self.judgement.verdict,
                "diagnosis": self.judgement.diagnosis,
                "reason": self.judgement.reason,
                "case": self.case.to_fields(),
                "result": json.loads(self.result.to_json()),
            }
        )

    @classmethod
    def from_line(cls, line: str) -> Record:
        """Return the record that `to_line` wrote.

        Raises:
            ValueError: The line is no record.
        """
        raw = json.loads(line)
        try:
            return cls(
                case=Case.from_fields(raw["case"]),
                version=str(raw["version"]),
                result=Result.from_fields(raw["result"]),
                judgement=Judgement(
                    verdict=Verdict(raw["verdict"]), diagnosis=str(raw["diagnosis"]), reason=str(raw["reason"])
                ),
                clean_s=float(raw["clean_s"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of a case: {error}") from error


class Store:
    """A file of records.

    Args:
        path: The file; it need not exist.

    Raises:
        ScenarioError: It cannot be read or written, or holds something else, which is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.exists() and not path.is_dir() and not _is_ours(path):
                raise ScenarioError(f"{path} holds no results", hint="give a new file, or one that --resume has written")
            self.records = {record.key: record for record in read(path)}
            self._file: TextIO = path.open("a", encoding="utf-8")
            if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
                self._file.write("\n")
        except OSError as error:
            raise ScenarioError(f"cannot use {path} for results: {error.strerror}") from error

    def add(self, record: Record) -> None:
        """Keep a record; it is in the file when this returns."""
        self.records[record.key] = record
        self._file.write(record.to_line() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _is_ours(path: Path) -> bool:
    """Return whether a file is empty or begins as `Record.to_line` does, even where it was cut off then.

    Nothing is added to any other: it may be a scorecard, a device that never ends, or somebody's only copy of something.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(_START))
    return _START.startswith(start)


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file that can be read; a missing file has none."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                record = Record.from_line(line)
            except ValueError:
                continue
            yield record
