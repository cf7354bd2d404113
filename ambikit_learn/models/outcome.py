"""Whether a run has learned what it was trained for, as its folder records it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn.models.run import RunFolder

LOSS_MOVED = 0.02
FOUND_MOVED = 0.04
"""By what share of chance the loss and the own sounds found must differ from it, beyond noise."""


@dataclass(frozen=True)
class Outcome:
    """The end of a training beside chance.

    Attributes
    ----------
    loss, chance_loss : float
        Mean loss of the last steps, and that of a model that knows nothing.
    found, chance_found : float, optional
        How often a crop's own sound was the most similar one of its clip in these steps, and how
        often it is by chance; None where the task is not to tell directions.
    """

    loss: float
    chance_loss: float
    found: float | None = None
    chance_found: float | None = None

    @property
    def failure(self) -> str | None:
        """What was not learned, in words; None if all was."""
        if self.loss > (1.0 - LOSS_MOVED) * self.chance_loss:
            return f"the loss is {self.loss:.3g}, that of guessing {self.chance_loss:.3g}"
        if self.found is None or self.chance_found is None:
            return None
        if self.found < (1.0 + FOUND_MOVED) * self.chance_found:
            return (
                f"a crop's own sound is the most similar one of its clip in {self.found:.1%}, by "
                f"guessing in {self.chance_found:.1%}"
            )
        return None

    def learned(self, *, directions: bool) -> bool:
        """Return whether anything was learned; with `directions`, whether they were as well."""
        judged = self if directions else replace(self, found=None)
        return judged.failure is None

    @classmethod
    def read(cls, run: str | Path) -> Outcome | None:
        """Return what the folder of a run records; None if it records nothing.

        Raises
        ------
        InputError
            If the record is damaged.
        """
        path = RunFolder(Path(run)).outcome
        if not path.is_file():
            return None
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is damaged ({error}): delete it, or train again") from error

    def write(self, run: str | Path) -> None:
        """Record this in the folder of a run."""
        with atomic_write(RunFolder(Path(run)).outcome) as path:
            path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
