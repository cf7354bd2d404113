"""The layout of HMDB51: videos of actions by class, and three published divisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ambikit import InputError
from ambikit_learn.sources._clip import key_of
from ambikit_learn.sources._labelled import LabelledClip, check_fold, lines

# FILM_CLASS_, then visible body parts, camera motion, people, view, quality, and a number.
_NAME = re.compile(r"(.+)_[fhlu]_(?:cm|nm)_np\d_(?:fr|ba|le|ri)_(?:bad|med|goo)_\d+")
_SPLITS = {"0": None, "1": "train", "2": "test"}


@dataclass(frozen=True)
class HMDB51:
    """Videos of 51 actions.

    ``ROOT/videos/{CLASS}/{NAME}.avi`` are the videos and
    ``ROOT/splits/{CLASS}_test_split{1,2,3}.txt`` the divisions: lines ``NAME.avi 1`` for training,
    ``2`` for testing, ``0`` for neither. Videos cut from one film, by their names, are a group.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] H. Kuehne et al., "HMDB: A large video database for human motion recognition", ICCV 2011.
    """

    root: Path
    folds = 3

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield the clips of a division, class by class, in the order of its lists.

        Raises
        ------
        FileNotFoundError
            The lists are missing.
        InputError
            The fold does not exist, or a line has another form.
        """
        check_fold(fold, self.folds)
        ending = f"_test_split{fold}.txt"
        lists = sorted((self.root / "splits").glob(f"*{ending}"))
        if not lists:
            raise FileNotFoundError(
                f"{self.root / 'splits'} holds no CLASS{ending}: fetch the lists that are "
                "published with the data set"
            )
        for path in lists:
            label = path.name.removesuffix(ending)
            for number, words in lines(path):
                if len(words) != 2 or words[1] not in _SPLITS:
                    raise InputError(f"{path}, line {number}: expected 'NAME.avi' and 0, 1 or 2")
                split = _SPLITS[words[1]]
                if split is not None:
                    stem = PurePosixPath(words[0]).stem
                    yield LabelledClip(
                        key=key_of(PurePosixPath(label, stem)),
                        path=self.root / "videos" / label / words[0],
                        label=label,
                        split=split,
                        fold=fold,
                        group=_film(stem, label),
                    )


def _film(stem: str, label: str) -> str:
    """Return the name of the film from which a video was cut."""
    found = _NAME.fullmatch(stem)
    return found[1].removesuffix(f"_{label}") if found else stem
