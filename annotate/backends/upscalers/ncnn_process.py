"""The process that runs the code of an ncnn package: a crash in native code ends it, and not the worker."""

from __future__ import annotations

import os
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

PROCESSOR = -1  # the packages' number for the CPU
TILES = {"waifu2x": 192, "realcugan": 192, "realesrgan": 96}  # pixels; larger ones take gigabytes
READY, NO_GPU, PROBLEM = "ready", "no gpu", "problem"
REASON_MAX = 500


def serve(handle: int, name: str, *, device: str, threads: int) -> None:
    """Open the network, send (READY, "GPU" or "CPU"), (NO_GPU, "") or (PROBLEM, reason) on the socket, then enlarge
    pictures (width, height, then RGB bytes) until it is closed."""
    line = Connection(handle)
    if threads:
        os.putenv("OMP_THREAD_LIMIT", str(threads))  # Real-ESRGAN's package takes no number
    try:
        try:
            module = import_module(f"{name}_ncnn_py.{name}_ncnn_vulkan")
            on_gpu = device != "cpu" and int(module.wrapped.get_gpu_count()) > 0
            if device == "cuda" and not on_gpu:  # a package that is told to use a missing GPU crashes
                line.send((NO_GPU, ""))
                return
            net = _opened(module, name, on_gpu=on_gpu, threads=threads)
        except Exception as error:  # noqa: BLE001 - whatever it raises; its first try names a missing library
            line.send((PROBLEM, f"{error.__context__ or error}"[:REASON_MAX]))
            return
        line.send((READY, "GPU" if on_gpu else "CPU"))
        while True:
            width, height = line.recv()
            pixels = line.recv_bytes()
            net.raw_in_image = net.raw_out_image = None  # else it keeps the size of the previous picture
            line.send_bytes(net.process_bytes(pixels, width, height, 3))
    except (EOFError, OSError):  # the worker needs it no longer, or is gone
        pass


def _opened(module: Any, name: str, *, on_gpu: bool, threads: int) -> Any:
    """Open a package's network, with tiles as large as what it is given: where it splits, it can give wrong pixels."""
    gpu = 0 if on_gpu else PROCESSOR
    cores = threads or os.cpu_count() or 1
    if name == "waifu2x":  # its default network, cunet, gives wrong pictures on a CPU
        network = "models-upconv_7_anime_style_art_rgb"
        return module.Waifu2x(gpuid=gpu, num_threads=cores, noise=0, scale=2, model=network, tilesize=TILES[name])
    if name == "realcugan":
        return module.Realcugan(
            gpuid=gpu, num_threads=cores, noise=-1, scale=2, model="models-pro", tilesize=TILES[name]
        )
    return module.Realesrgan(gpuid=gpu, model=3, tilesize=TILES[name])  # 3: realesrgan-x4plus-anime
