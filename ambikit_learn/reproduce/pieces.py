"""The pieces of a comparison, each a variant and a seed, and the plan that they share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn.data.open import is_rendered
from ambikit_learn.models.run import RunFolder
from ambikit_learn.reproduce.paper import VARIANTS, Variant

FORMAT = "ambikit-reproduce/1"


@dataclass(frozen=True)
class Plan:
    """What all runs of a comparison have in common.

    Attributes
    ----------
    data, test_data : str
        What to train on, and what to evaluate on.
    preset : str
        ``"tiny"`` or ``"paper"``.
    validation_seed, test_seed : int
        Seeds of scenes, crops and wrong pairs of the splits. Heads are trained with the former.
    steps : tuple of int, optional
        Steps of AVC and of what follows, in place of those of the configurations.
    clips : int, optional
        Largest number of clips of each split in evaluation.
    settings : mapping
        Settings of `fit` that apply to all trainings.
    contents : mapping
        Hashes of what the data hold, by their names. Names may be added to a comparison.
    """

    data: str
    test_data: str
    preset: str
    validation_seed: int
    test_seed: int
    steps: tuple[int, int] | None = None
    clips: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """Group of configurations: scenes that are rendered have their own of size tiny."""
        if self.preset == "tiny" and is_rendered(self.data):
            return "world"
        return self.preset

    def save(self, path: Path) -> None:
        """Write the plan; refuse if another one is there.

        Raises
        ------
        InputError
            If the folder holds runs of another plan, or on data that have changed since.
        """
        known: dict[str, str] = {}
        if path.is_file():
            before = Plan.load(path)
            known = {**before.contents}
            names = [f.name for f in fields(self) if f.name != "contents"]
            changed = [name for name in names if getattr(self, name) != getattr(before, name)]
            if changed:
                raise InputError(
                    f"{path.parent} holds a comparison with other settings "
                    f"({', '.join(changed)}): give another folder"
                )
        for name, content in self.contents.items():
            if known.setdefault(name, content) != content:
                raise InputError(
                    f"{name} has changed since the comparison in {path.parent} began: give another "
                    "folder, or the data as they were"
                )
        with atomic_write(path) as temporary:
            text = json.dumps({"format": FORMAT, **asdict(self), "contents": known}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan.

        Raises
        ------
        FileNotFoundError
            If there is none.
        InputError
            If it cannot be read.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: {path.parent} holds no comparison")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            document["steps"] = document["steps"] and tuple(document["steps"])
            return cls(**document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}): give another folder") from None


@dataclass(frozen=True)
class Piece:
    """A variant and a seed, and the folder in which its runs lie.

    Attributes
    ----------
    runs : Path
        Folder of all pieces.
    variant : str
        A key of `ambikit_learn.reproduce.paper.VARIANTS`.
    seed : int
        Random seed of the training, and of the scenes that are rendered for it.
    """

    runs: Path
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Variant and seed."""
        return f"{self.variant}-{self.seed}"

    @property
    def folder(self) -> Path:
        """Folder of the piece."""
        return self.runs / self.name

    @property
    def kind(self) -> Variant:
        """The variant."""
        return VARIANTS[self.variant]

    @property
    def record(self) -> Path:
        """What was done and found, as JSON."""
        return self.folder / "run.json"

    @property
    def decisions(self) -> Path:
        """Which spans of the test were decided rightly, as NumPy arrays."""
        return self.folder / "test.npz"

    @property
    def controls(self) -> Path:
        """Accuracies where the sound says less of its direction, as JSON."""
        return self.folder / "controls.json"

    @property
    def map(self) -> Path:
        """Encodings of sounds with the classes that crops show, as NumPy arrays."""
        return self.folder / "map.npz"

    @property
    def embeddings(self) -> Path:
        """Folder of the embeddings of downstream tasks, which all pieces share."""
        return self.runs / "embeddings"

    def stage(self, number: int) -> Path:
        """Return the run folder of a stage; the first one may be that of another variant."""
        owner = self.kind.begin if number == 0 and self.kind.begin else self.variant
        return self.runs / f"{owner}-{self.seed}" / self.kind.stages[number]

    @property
    def model(self) -> Path:
        """Run folder of the last stage."""
        return self.stage(len(self.kind.stages) - 1)

    def read(self) -> dict[str, Any]:
        """Return the record, empty if there is none.

        Raises
        ------
        InputError
            If it is damaged.
        """
        if not self.record.is_file():
            return {}
        try:
            document: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{self.record} is damaged ({error}): delete it, and the run is evaluated again"
            ) from None
        return document

    @property
    def evaluated(self) -> bool:
        """Whether it was tested."""
        return "test" in self.read().get("results", {}) and self.decisions.is_file()

    def task(self, name: str) -> Path:
        """Return where the result of a downstream task lies."""
        return RunFolder(self.model).result(name)

    def done(self, tasks: Iterable[str] = ()) -> bool:
        """Return whether nothing is left to do, given the downstream tasks that are wanted."""
        files = [self.controls, *map(self.task, tasks)]
        return self.evaluated and all(file.is_file() for file in files)
