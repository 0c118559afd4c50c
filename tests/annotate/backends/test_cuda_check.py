"""Whether CUDA starts is tried in a process of its own, and every outcome has its sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnxruntime

from annotate.backends.runtime import cuda_check
from annotate.backends.runtime.onnx_session import AUTO, open_session


def test_the_answer_agrees_with_what_a_session_gets(tmp_path: Path) -> None:
    from annotate.backends.runtime import device_graph
    from annotate.backends.runtime.inputs import InputSpec

    (tmp_path / "tiny.onnx").write_bytes(device_graph.arithmetic(InputSpec(8, 8)))
    opened = open_session(tmp_path / "tiny.onnx", device=AUTO)
    result = cuda_check.devices()
    assert result.cuda == opened.on_gpu
    assert result.providers == tuple(onnxruntime.get_available_providers())
    assert cuda_check.known() is result


def test_the_process_that_tries_tells_one_of_two_things() -> None:
    root = Path(cuda_check.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "annotate.backends.runtime.cuda_check"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ("CUDA starts" if cuda_check.starts() else "CUDA does not start")


def test_each_outcome_is_reported_and_a_slower_device_is_never_silent() -> None:
    both = ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert cuda_check.words_of(both, started=True) == "CUDA works: networks run on the GPU."
    broken = cuda_check.words_of(both, started=False)
    assert "could not be started" in broken
    absent = cuda_check.words_of(("CPUExecutionProvider",), started=False)
    assert "is built without CUDA" in absent
    for words in (broken, absent):
        assert "device=cuda is refused" in words
