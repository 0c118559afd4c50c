"""Buffers are pinned where CUDA's runtime agrees, and given back."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from annotate.backends.runtime.device_memory import SHARES, HostBuffer
from ingest.errors import KomaError


class Runtime:
    """Stands for CUDA's runtime library, which no test machine needs to have."""

    def __init__(self, answer: int) -> None:
        self.answer, self.calls = answer, list[tuple[str, Any, Any]]()

    def cudaHostRegister(self, address: Any, size: Any, flags: Any) -> int:
        self.calls.append(("register", address.value, size.value))
        return self.answer

    def cudaHostUnregister(self, address: Any) -> int:
        self.calls.append(("unregister", address.value, None))
        return 0


def test_a_pinned_buffer_is_registered_whole_and_given_back_once() -> None:
    runtime = Runtime(answer=0)
    buffer = HostBuffer((2, 3, 4, 3), pin=True, runtime=runtime)
    address = buffer.array.ctypes.data
    assert buffer.pinned
    buffer.free()
    buffer.free()
    assert runtime.calls == [("register", address, 72), ("unregister", address, None)]


def test_a_refusal_to_pin_leaves_an_ordinary_buffer() -> None:
    runtime = Runtime(answer=2)
    buffer = HostBuffer((2, 2), pin=True, runtime=runtime)
    assert not buffer.pinned
    buffer.array[:] = 1
    buffer.free()
    assert [call[0] for call in runtime.calls] == ["register"]


def test_nothing_is_pinned_for_the_processor() -> None:
    runtime = Runtime(answer=0)
    HostBuffer((2, 2), pin=False, runtime=runtime).free()
    assert runtime.calls == []


@pytest.mark.skipif(not SHARES, reason="memory is shared by a handle on Linux alone")
def test_memory_that_the_system_does_not_give_is_reported_and_leaves_no_handle_open() -> None:
    def handles() -> int:
        """Of shared memory; other ones of the process come and go."""
        gc.collect()
        return sum("memfd:" in str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())

    before = handles()
    with pytest.raises(KomaError, match=r"gives no [\d,]+ bytes of memory for pictures") as caught:
        HostBuffer((1 << 30, 1 << 30, 3), pin=False, share=True)
    assert not caught.value.permanent
    assert handles() == before
