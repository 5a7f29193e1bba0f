"""The list of what is wrong in a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.errors import ManifestError, Problem

__all__ = ["Problems"]


@dataclass(slots=True)
class Problems:
    """Collects problems in file order; keeps the first ``keep`` of them, so that a hopeless file costs no memory.

    Attributes:
        file: the manifest's name as the user gave it.
        total: how many there were, kept or not.
    """

    file: str
    keep: int = 1000
    total: int = 0
    kept: list[Problem] = field(default_factory=list)

    def add(self, text: str, *, line: int = 0, row: str = "") -> None:
        """Note one problem: what is wrong and what to do."""
        self.total += 1
        if len(self.kept) < self.keep:
            self.kept.append(Problem(self.file, line, row, text))

    def raise_if_any(self) -> None:
        """Raise ManifestError with all of them, if there are any."""
        if self.total:
            raise ManifestError(sorted(self.kept, key=lambda problem: problem.line), self.total)
