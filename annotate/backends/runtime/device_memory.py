"""Reusable host buffers, pinned where CUDA is available, since it copies faster from pinned memory."""

from __future__ import annotations

import ctypes
import itertools
import math
import mmap
import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.errors import KomaError

_RUNTIMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so", "cudart64_13.dll", "cudart64_12.dll")


_NUMBERS = itertools.count(1)
SHARES = hasattr(os, "memfd_create")  # Linux


class HostBuffer:
    """`array` uint8 of a shape; `pinned`: CUDA pinned it (it refuses when lockable memory is short).

    With `share`, another process can map it by the handle `shared`, identified there by `number`. It has no name, so
    nothing is left behind however the processes end, and the limit of /dev/shm (64 MB in a container) does not apply.
    Raises KomaError when the system refuses the memory.
    """

    def __init__(self, shape: tuple[int, ...], *, pin: bool, share: bool = False, runtime: Any = None) -> None:
        self.number, self.shared = next(_NUMBERS), -1
        if share:
            self.shared, memory = _shared(math.prod(shape))
            self.array: NDArray[np.uint8] = np.frombuffer(memory, np.uint8).reshape(shape)
        else:
            self.array = np.zeros(shape, np.uint8)
        self._runtime: Any = (runtime or cuda_runtime()) if pin else None
        self.pinned = False
        if self._runtime is not None and self.array.nbytes:
            address, size = ctypes.c_void_p(self.array.ctypes.data), ctypes.c_size_t(self.array.nbytes)
            self.pinned = self._runtime.cudaHostRegister(address, size, ctypes.c_uint(0)) == 0

    def free(self) -> None:
        """Unpin and stop sharing, before the memory is freed. No copy from it may be in progress."""
        if self.pinned:
            self._runtime.cudaHostUnregister(ctypes.c_void_p(self.array.ctypes.data))
            self.pinned = False
        if self.shared >= 0:
            os.close(self.shared)
            self.shared = -1


def _shared(length: int) -> tuple[int, mmap.mmap]:
    """Create a handle and its mapping; neither stays open when the system refuses."""
    handle = -1
    try:
        handle = os.memfd_create("koma-pictures")
        os.ftruncate(handle, length)
        return handle, mmap.mmap(handle, length)
    except OSError as error:
        if handle >= 0:
            os.close(handle)
        raise KomaError(
            f"The system gives no {length:,} bytes of memory for pictures ({error.strerror or error}). "
            "Close other programs or give Koma more memory, then press Retry.",
            permanent=False,
        ) from error


@cache
def cuda_runtime() -> Any:
    """Return CUDA's runtime library, which onnxruntime has loaded if CUDA works; None without one."""
    for name in _RUNTIMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
