"""Folders of models: on this machine, or on the Hugging Face hub."""

from __future__ import annotations

import os
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ambikit import InputError
from ambikit_learn.models.run import RunFolder


def local_folder(name: str | os.PathLike[str], revision: str | None) -> Path:
    """Return the folder of a name, or else the fetched files of the repository of that name."""
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise InputError(
                f"{folder} is a folder, which has no revision {revision!r}: leave revision out"
            )
        return folder
    # The network is not asked for a slip in the path of a run
    if folder.parent != Path() and folder.parent.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a folder, though {folder.parent} is: give that of a finished run; "
            "for a repository of this name on the Hugging Face hub, call from another folder"
        )
    if not isinstance(name, str) or not _may_be_repository(name):
        raise FileNotFoundError(
            f"{folder} is not a folder: give that of a finished run, or the id of a repository on "
            "the Hugging Face hub, owner/name"
        )
    import huggingface_hub

    with _one_line(f"there is no folder {name!r} here, and the hub does not give it"):
        return Path(
            huggingface_hub.snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(RunFolder.PUBLISHED),
                library_name="ambikit",
            )
        )


def publish(
    save: Callable[[Path], None],
    repo_id: str,
    *,
    private: bool | None,
    token: str | None,
    revision: str | None,
    message: str,
) -> str:
    """Upload the files that `save` writes into a folder; return the address of the commit."""
    if not _may_be_repository(repo_id):
        raise InputError(f"{repo_id!r} is not the id of a repository: give owner/name")
    import huggingface_hub

    api = huggingface_hub.HfApi(token=token, library_name="ambikit")
    with tempfile.TemporaryDirectory() as temporary:
        save(Path(temporary))
        with _one_line(f"{repo_id} could not be written"):
            api.create_repo(repo_id, private=private, exist_ok=True)
            if revision is not None:
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=temporary,
                revision=revision,
                commit_message=message,
                # Results that the model no longer has
                delete_patterns=RunFolder.RESULTS,
            )
    return str(commit.commit_url)


def _may_be_repository(name: str) -> bool:
    """Return whether a name has the form of a repository, owner/name, and not of a path."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) is not None


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Report errors of the hub, or of the network, in one line."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # Errors of the hub wrap those of its HTTP client
    client_error: type[Exception] = HfHubHTTPError.__mro__[1]
    try:
        yield
    except (client_error, HFValidationError, OSError) as error:
        reason = textwrap.shorten(str(error), 200) or type(error).__name__
        raise InputError(f"{what}: {reason}") from error
