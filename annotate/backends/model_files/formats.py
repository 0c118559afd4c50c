"""Files that may be part of a model: formats that are only read, never executed, checked by name and first bytes."""

from __future__ import annotations

import hashlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from annotate.backends.model_files import weights
from ingest import humane, outside_json
from ingest.errors import BadInput, Cancelled
from ingest.imaging.names import plain_text

SAFE = frozenset({".onnx", ".data", ".csv", ".json", ".npz", ".safetensors", ".txt", ".xml"})
NUMBERS = ".data"  # raw weights of an ONNX graph larger than 2 GB: any bytes
RUNS_CODE = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".npy", ".h5", ".keras", ".pb"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".7z", ".rar"})
SAFETENSORS_HEADER_MAX = 8 * 2**20  # usual headers are a hundredth of this
ARRAYS_MAX = 256 * 2**20  # total unpacked bytes of a file's arrays
# What zipfile and NumPy raise for damaged or malicious array files.
NO_ARRAYS = (
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, ValueError, OSError, EOFError, LookupError, TypeError),
    *(NotImplementedError, RuntimeError, MemoryError, OverflowError, SyntaxError),
)
READ = 1 << 20


def refusal(name: str) -> str:
    """Return why a file of this name is refused; empty if it is allowed."""
    ending = Path(name).suffix.lower()
    if not weights.NAME.fullmatch(name) or len(name) > 120:
        return "its name may hold only letters, digits, '.', '_' and '-'"
    if ending in SAFE:
        return ""
    if ending in RUNS_CODE:
        return f"{ending} files can run code when they are loaded; take the ONNX or safetensors version"
    if ending in ARCHIVES:
        return "archives inside are not opened"
    return f"{ending or 'a name without an ending'} is none of {', '.join(sorted(SAFE))}"


def check(path: Path, name: str) -> None:
    """Raise BadInput when the content does not match the name or holds Python objects."""
    with path.open("rb") as file:
        head = file.read(16)
    ending = Path(name).suffix.lower()
    if ending == ".npz":
        check_arrays(path, name)
    elif ending == NUMBERS:
        return
    elif head[:2] == b"PK" or head[:1] == b"\x80":
        raise BadInput(f"{name}: it is a pickle or a zip, which may run code. It was not installed.")
    elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise BadInput(f"{name}: it is a web page, not a model. Download the file itself.")
    elif head.startswith(b"version https:/"):
        raise BadInput(f"{name}: this is a Git LFS pointer, not the file. Get it with `git lfs pull`.")
    elif ending == ".safetensors":
        _check_safetensors(path, name)
    elif ending == ".json":
        try:
            outside_json.read(path)
        except ValueError as error:
            raise BadInput(f"{name}: not valid JSON ({error}). Download the file again.") from error


def hashes(
    path: Path, *, progress: Callable[[int], None] | None = None, stop: Callable[[], bool] = lambda: False
) -> tuple[str, str]:
    """Compute sha256 and git's blob sha1 of a file in one pass; `progress` gets the bytes read since the last call.

    Raises Cancelled when `stop` returns True.
    """
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(READ):
            if stop():
                raise Cancelled("Stopped while hashes were compared.")
            sha256.update(block)
            blob.update(block)
            if progress is not None:
                progress(len(block))
    return sha256.hexdigest(), blob.hexdigest()


def check_arrays(path: Path, name: str) -> None:
    """Raise BadInput when an array file is damaged, holds Python objects, or unpacks to more than ARRAYS_MAX bytes."""
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    reader = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, kind = reader(file)
                if kind.hasobject:
                    raise BadInput(f"{name}: it holds Python objects, which may run code. It was not installed.")
                if min(shape, default=0) < 0:
                    raise ValueError("an array has a negative size")
                total += max(member.file_size, math.prod(shape) * kind.itemsize)
                if total > ARRAYS_MAX:
                    raise BadInput(
                        f"{name}: its arrays would take more than {humane.filesize(ARRAYS_MAX)}. Download it again."
                    )
    except NO_ARRAYS as error:
        why = plain_text(str(error), bytes_max=100)
        raise BadInput(f"{name}: not a file of NumPy arrays ({why}). Download the file again.") from error


def _check_safetensors(path: Path, name: str) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            if not 2 <= length <= min(SAFETENSORS_HEADER_MAX, path.stat().st_size - 8):
                raise ValueError("its header has an impossible length")
            outside_json.parsed(file.read(length))
        except ValueError as error:
            raise BadInput(f"{name}: not a safetensors file ({str(error)[:100]}). Download the file again.") from error
