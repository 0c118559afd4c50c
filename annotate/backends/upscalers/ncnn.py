"""Upscalers of ncnn packages (waifu2x, Real-CUGAN, Real-ESRGAN), each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files.registry import Installed
from annotate.backends.model_files.wheels import Wheel
from annotate.backends.runtime.inputs import Resample, resized
from annotate.backends.runtime.onnx_session import AUTO, CPU
from annotate.backends.upscalers import ncnn_process
from annotate.backends.upscalers.tiles import check_size, enlarge
from ingest.errors import BadInput

OFF_MAX = 8.0  # allowed mean difference in levels from a bicubic enlargement; correct results differ by 1 to 5
OPENING_S = 60.0
SIDE_MIN = 32  # pixels; with sides below 20, Real-CUGAN and Real-ESRGAN give wrong pixels without an error
_BEGIN = """import sys; sys.path[:] = {path!r}
from annotate.backends.upscalers.ncnn_process import serve
serve({handle}, {name!r}, device={device!r}, threads={threads})
"""


class _Crashed(BadInput):
    """The process ended by itself."""


class _Process:
    """A process with an opened network, and its socket; used by one thread at a time."""

    def __init__(self, wheel: Wheel, device: str, threads: int) -> None:
        """Raises BadInput when the package cannot be loaded or crashes."""
        self._wheel = wheel
        parent_end, child_end = socket.socketpair()
        with child_end:
            program = _BEGIN.format(
                path=sys.path, handle=child_end.fileno(), name=wheel.name, device=device, threads=threads
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(child_end.fileno(),),
                start_new_session=True,  # terminal and supervisor signals are for the parent
            )
        self._line = Connection(parent_end.detach())
        self.close = weakref.finalize(self, _end, self._process, self._line, os.getpid())
        try:
            if not self._line.poll(OPENING_S):
                raise BadInput(f"{wheel.name}: the package {wheel.project} did not start within {OPENING_S:.0f} s.")
            state, words = self._line.recv()
        except (EOFError, OSError) as error:
            raise self._crash("was opened") from error
        if state == ncnn_process.NO_GPU:
            raise BadInput(f"{wheel.name} is set to run on the GPU, but Vulkan finds none. Choose device=auto or cpu.")
        if state != ncnn_process.READY:
            raise BadInput(
                f"{wheel.name}: the package {wheel.project} cannot be loaded ({words}). "
                f"Install it again ({wheel.command}) or choose another upscaler."
            )
        self.on_gpu = words == "GPU"

    def enlarged(self, tile: Picture) -> NDArray[np.uint8]:
        """Return the tile, larger by the factor. Raises BadInput when the process crashes."""
        height, width = tile.shape[:2]
        factor = self._wheel.factor
        try:
            self._line.send((width, height))
            self._line.send_bytes(tile.tobytes())
            data = self._line.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._crash(f"enlarged {width} x {height} pixels") from error
        if len(data) != tile.size * factor**2:
            raise BadInput(
                f"{self._wheel.name}: the package {self._wheel.project} returned {len(data):,} bytes for {width} x "
                f"{height} pixels. Install it again ({self._wheel.command}) or choose another upscaler."
            )
        return np.frombuffer(data, np.uint8).reshape(height * factor, width * factor, 3)

    def _crash(self, what: str) -> _Crashed:
        self._process.wait()
        code = self._process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self.close()
        return _Crashed(
            f"{self._wheel.name}: the package {self._wheel.project} crashed ({how}) when it {what}. "
            "Update the graphics driver, or choose another upscaler."
        )


def _end(process: subprocess.Popen[bytes], line: Connection, owner: int) -> None:
    line.close()
    if os.getpid() == owner:  # a fork of the worker only closes its copy of the socket
        process.kill()
        process.wait()


class NcnnUpscaler:
    """Enlarges by the package's factor per pass, in tiles, which bound the memory of both processes."""

    def __init__(self, wheel: Wheel, *, device: str = AUTO, threads: int = 0) -> None:
        """Raises BadInput when the package or a system library is missing, or its results on this machine are wrong.

        With `device` AUTO, a GPU on which it crashes or gives wrong pictures is left alone, and the CPU used.
        """
        self._wheel, self._threads = wheel, threads
        self._one_at_a_time = threading.Lock()
        self.factor, self._tile = wheel.factor, ncnn_process.TILES[wheel.name]
        self.info = ModelInfo(
            task=wheel.task,
            name=wheel.name,
            revision=wheel.revision,
            sha256=wheel.sha256,
            licence=wheel.weights_licence,
            settings={"factor": wheel.factor, "tile": self._tile, "overlap": self._tile // 6},
        )
        self._use(device)
        try:
            self._prove()
        except BadInput as error:
            if device != AUTO or not (self._process.on_gpu or isinstance(error, _Crashed)):
                raise
            self._use(CPU)
            self._prove()

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """See the contract. After a crash the next call starts a new process."""
        check_size(picture, factor=self.factor, times=times)
        for _ in range(times):
            picture = enlarge(picture, self._net, factor=self.factor, tile=self._tile, overlap=self._tile // 6)
        return picture

    def _use(self, device: str) -> None:
        try:
            self._process = _Process(self._wheel, device, self._threads)
        except _Crashed:
            if device != AUTO:
                raise
            self._process = _Process(self._wheel, CPU, self._threads)
        self.device = "GPU (Vulkan)" if self._process.on_gpu else "CPU"
        self._used = device if device != AUTO or self._process.on_gpu else CPU

    def _net(self, tile: Picture) -> NDArray[np.float32]:
        height, width = tile.shape[:2]
        below, right = max(0, SIDE_MIN - height), max(0, SIDE_MIN - width)
        padded = np.pad(tile, ((0, below), (0, right), (0, 0)), mode="edge")
        with self._one_at_a_time:
            if not self._process.close.alive:
                self._use(self._used)
            enlarged = self._process.enlarged(padded)
        return enlarged[: height * self.factor, : width * self.factor].astype(np.float32) / np.float32(255)

    def _prove(self) -> None:
        """Check the result for a smooth picture: a faulty driver or CPU gives colourful noise without an error."""
        down, across = np.mgrid[0:48, 0:64]
        smooth = np.stack([across * 4, down * 5, (across + down) * 2], axis=-1).astype(np.uint8)
        expected = resized(smooth, 64 * self.factor, 48 * self.factor, Resample.BICUBIC)
        off = float(np.abs(self.upscale(smooth, times=1).astype(np.int16) - expected).mean())
        if off > OFF_MAX:
            raise BadInput(
                f"{self.info.name} gives wrong pictures on this machine ({self.device}: {off:.0f} levels off on a "
                "smooth one). Update the graphics driver, or choose another upscaler."
            )


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> NcnnUpscaler:
    """Open the model of a package. Raises BadInput for a folder of the models folder, which cannot hold one."""
    if installed.wheel is None:
        raise BadInput(f"{installed.name}: models of the family ncnn come in packages, not in a folder. Remove it.")
    return NcnnUpscaler(installed.wheel, device=device, threads=threads)
