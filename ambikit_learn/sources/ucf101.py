"""The layout of UCF101: videos of actions by class, and three published divisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ambikit import InputError
from ambikit_learn.sources._clip import key_of
from ambikit_learn.sources._labelled import LabelledClip, check_fold, lines

_NAME = re.compile(r"v_(?P<group>\w+_g\d+)_c\d+")


@dataclass(frozen=True)
class UCF101:
    """Videos of 101 actions.

    ``ROOT/data/{CLASS}/v_{CLASS}_gNN_cNN.avi`` are the videos and
    ``ROOT/ucfTrainTestlist/trainlist0{1,2,3}.txt`` and ``testlist0{1,2,3}.txt`` the divisions. The
    groups are videos cut from one film.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] K. Soomro, A. R. Zamir, M. Shah, "UCF101: A dataset of 101 human action classes from
       videos in the wild", CRCV-TR-12-01, 2012.
    """

    root: Path
    folds = 3

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield the clips of a division in the order of its lists, those for training first.

        Raises
        ------
        FileNotFoundError
            A list is missing.
        InputError
            The fold does not exist, or a line does not name a video.
        """
        check_fold(fold, self.folds)
        lists = self.root / "ucfTrainTestlist"
        classes = {words[-1] for _, words in lines(lists / "classInd.txt")}
        for split in ("train", "test"):
            path = lists / f"{split}list{fold:02d}.txt"
            for number, words in lines(path):
                name = PurePosixPath(words[0])
                found = _NAME.fullmatch(name.stem)
                if found is None or len(name.parts) != 2 or name.parts[0] not in classes:
                    raise InputError(
                        f"{path}, line {number}: {words[0]!r} is no CLASS/v_CLASS_gNN_cNN.avi of a "
                        "class of classInd.txt"
                    )
                yield LabelledClip(
                    key=key_of(PurePosixPath(name.stem)),
                    path=self.root / "data" / name,
                    label=name.parts[0],
                    split=split,
                    fold=fold,
                    group=found["group"],
                )
