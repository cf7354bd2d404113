"""Optional packages: imported where they are used; what is missing is named with its extra."""

from __future__ import annotations

import importlib
import re
from importlib import metadata
from types import ModuleType

from ambikit._errors import InputError

EXTRAS = {
    "media": ("av",),
    "plot": ("matplotlib",),
    "sofa": ("sofar",),
    "ray": ("ray",),
    "onnx": ("onnx", "onnxscript"),
    "yamnet": ("ai_edge_litert",),
    "learn": (
        "torch",
        "torchvision",
        "torchaudio",
        "ultralytics",
        "cv2",
        "lightning",
        "jsonargparse",
        "webdataset",
        "pyarrow",
        "torchmetrics",
        "safetensors",
        "huggingface_hub",
        "sklearn",
        "rich",
        "tensorboard",
        "yaml",
    ),
}
"""Packages, by their import names, that each extra brings."""

_REMEDIES = {
    "wandb": "wandb",
    **{name: f"'ambikit[{extra}]'" for extra, names in EXTRAS.items() for name in names},
}
_DEBIAN = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb.so.1": "libxcb1",
    "libX11.so.6": "libx11-6",
    "libSM.so.6": "libsm6",
    "libXext.so.6": "libxext6",
    "libsndfile.so": "libsndfile1",
    "libgomp.so.1": "libgomp1",
}
"""System libraries that packages leave to the system, and the Debian packages that hold them."""


class MissingPackage(InputError, ImportError):
    """A package or system library that is not installed or does not load; the message says how.

    Examples
    --------
    >>> from ambikit.checks import MissingPackage
    >>> issubclass(MissingPackage, ImportError)
    True
    """


def package(module: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    module : str
        Name of the package or of a module in it.
    purpose : str
        What needs it, as the beginning of a sentence: "plots need".

    Returns
    -------
    module
        The module.

    Raises
    ------
    MissingPackage
        If it is not installed or does not load.

    Examples
    --------
    >>> from ambikit.checks import package
    >>> package("math", "sums need").sqrt(4.0)
    2.0
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        known = missing_package(error, purpose)
        if known is None:
            raise
        raise known from error


def missing_package(error: BaseException, purpose: str = "this needs") -> MissingPackage | None:
    """Return what to install after a failed import, or None if it failed for another reason.

    Parameters
    ----------
    error : exception
        What the import raised.
    purpose : str, optional
        What needs the package, as the beginning of a sentence.

    Returns
    -------
    MissingPackage or None
        The error to raise or to print instead.

    Examples
    --------
    >>> from ambikit.checks import missing_package
    >>> print(missing_package(ModuleNotFoundError("No module named 'av'", name="av"), "films need"))
    films need av, which is not installed: pip install 'ambikit[media]'
    """
    if isinstance(error, MissingPackage):
        return error
    library = re.search(r"\b(lib[\w+.-]+\.so[.\d]*): cannot open shared object", str(error))
    if library:
        name = library[1]
        debian = _DEBIAN.get(name)
        remedy = f"apt-get install {debian} on Debian and Ubuntu" if debian else "install it"
        return MissingPackage(f"{purpose} the system library {name}, which is not here: {remedy}")
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top in _REMEDIES:
            return MissingPackage(
                f"{purpose} {top}, which is not installed: pip install {_REMEDIES[top]}"
            )
    if "torchaudio" in str(error) or "torchvision::nms" in str(error):
        found = ", ".join(_version(name) for name in ("torch", "torchvision", "torchaudio"))
        return MissingPackage(
            f"{purpose} torch, torchvision and torchaudio that load together, and these do not "
            f"({found}): pip install --upgrade 'ambikit[learn]'"
        )
    return None


def _version(name: str) -> str:
    """Return a package with its installed version."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"
