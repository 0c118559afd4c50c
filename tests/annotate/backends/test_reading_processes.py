"""Processes that read pictures: the same bytes as threads give, broken pictures, deaths, cancelling, nothing left."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.feeding import decoding, decoding_processes
from annotate.backends.feeding.decoding import Ask, StoredPicture
from annotate.backends.feeding.decoding_processes import ReadingProcesses
from annotate.backends.feeding.reader import Answered, Item, Reader, fits_apart
from annotate.backends.feeding.reader_batch import BatchSize, BatchSizes
from annotate.backends.runtime.device_memory import HostBuffer
from annotate.backends.runtime.inputs import Fit, InputSpec, Resample
from ingest.errors import BadInput, KomaError
from ingest.imaging.decode import UnreadablePicture
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from tests.annotate.picture_nets import Means, grey, write_means

SPEC = InputSpec(8, 6, scale=1.0)


@dataclass(frozen=True)
class Drawn:
    """A picture of one level; `how` it fails to be read, if it does. Runs in the reading process."""

    level: int
    how: str = ""
    name: str = ""

    def __call__(self) -> Picture:
        if self.how == "broken":
            raise UnreadablePicture(f"{self.name}: the picture is damaged")
        if self.how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "code":
            raise KeyError("no such filter")
        if self.how == "slow":
            time.sleep(60)
        return grey(self.level, width=60 if self.how == "wide" else 8)


@dataclass(frozen=True)
class Strict:
    """Fits pictures, but none that is wide."""

    spec: InputSpec

    def fit(self, picture: Picture) -> Picture:
        if picture.shape[1] > 50:
            raise BadInput("it is too wide")
        return self.spec.fit(picture)


class Apart(Means):
    """Means whose pictures are fitted in other processes: `fit` is never called here."""

    def __init__(self, path: Path, spec: InputSpec = SPEC, *, name: str = "means", fitting: Any = None) -> None:
        super().__init__(path, spec, name=name, copies=True)
        self.fitting = fitting or spec

    def fit(self, picture: Picture) -> Picture:
        raise AssertionError("pictures were fitted in this process")


class Keeping:
    """A model without a session whose answers do not matter: it keeps the bytes that it was given."""

    device = "none"

    def __init__(self, path: Path, spec: InputSpec, name: str) -> None:
        self.info, self.fitting = ModelInfo(task="class", name=name, revision="1"), spec
        self.network = Means(write_means(path), spec, copies=False).network
        self.network.stage = lambda batch: batch  # type: ignore[assignment, method-assign, return-value]
        self.kept: list[Picture] = []

    def fit(self, picture: Picture) -> Picture:
        return self.fitting.fit(picture)

    def answer(self, batch: Any, sizes: Sequence[tuple[int, int]]) -> list[int]:
        self.kept += [picture.copy() for picture in batch]
        return [0] * len(sizes)


class KeepingApart(Keeping):
    def fit(self, picture: Picture) -> Picture:
        raise AssertionError("pictures were fitted in this process")


@pytest.fixture(scope="module")
def kept() -> Iterator[ReadingProcesses]:
    """To begin a process takes half a second, so tests that do no harm to them share two."""
    created = ReadingProcesses(2)
    yield created
    ended = [process.process for process in created._all]
    created.close()
    assert all(process.poll() is not None for process in ended)


@pytest.fixture()
def processes(kept: ReadingProcesses) -> Iterator[ReadingProcesses]:
    yield kept
    assert len(kept._all) <= 2
    assert not kept._busy
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("reader")]


def sized(size: int, *models: Any) -> BatchSizes:
    sizes = BatchSizes()
    for model in models:
        sizes.put(model, BatchSize(size, size, settled=True))
    return sizes


def levels(found: list[Answered[int]], model: int = 0) -> list[float]:
    return [float(answer.answers[model][0]) for answer in found]


@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (61, 4), (100, 32)])
def test_answers_come_in_the_order_of_the_pictures(
    tmp_path: Path, processes: ReadingProcesses, count: int, size: int
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    reader = Reader[int]([means], sizes=sized(size, means), processes=processes)
    answers = list(reader.answers(Item(index, Drawn(index)) for index in range(count)))
    assert [answer.key for answer in answers] == list(range(count))
    assert levels(answers) == list(range(count))
    assert max(means.seen, default=0) <= size


def test_bytes_are_those_that_threads_give(tmp_path: Path, processes: ReadingProcesses) -> None:
    store, random = Store(tmp_path / "store"), np.random.default_rng(1)
    files = []
    for index in range(12):
        picture = random.integers(0, 256, (40 + 3 * index, 90 - index, 3)).astype(np.uint8)
        files.append(
            store.put(encode(picture, PictureFormat("jpeg" if index % 2 else "png")), "jpg" if index % 2 else "png")
        )
    specs = [
        InputSpec(32, 32, Fit.PAD_SQUARE, Resample.BICUBIC, bgr=True, nchw=False, scale=1.0),
        InputSpec(24, 20, Fit.LETTERBOX, Resample.AREA),
    ]
    reads = [StoredPicture(str(store.root), file, f"frame {index}") for index, file in enumerate(files)]
    taken: list[list[Any]] = []
    for kind, separate in ((Keeping, None), (KeepingApart, processes)):
        models = [kind(tmp_path / "m.onnx", spec, str(index)) for index, spec in enumerate(specs)]
        reader = Reader[int](models, threads=2, sizes=sized(4, *models), processes=separate)
        answers = list(reader.answers(Item(index, read) for index, read in enumerate(reads)))
        assert [answer.size for answer in answers] == [(90 - index, 40 + 3 * index) for index in range(12)]
        taken.append([bytes_of for model in models for bytes_of in model.kept])
    assert len(taken[0]) == len(taken[1]) == 24
    for answer, other in zip(*taken, strict=True):
        np.testing.assert_array_equal(answer, other)


def test_a_broken_picture_has_a_problem_with_a_message_and_the_others_their_answers(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    reads = [Drawn(index, "broken" if index == 4 else "", f"frame {index}") for index in range(12)]
    result = list(
        Reader[int]([means], sizes=sized(4, means), processes=processes).answers(
            Item(index, read) for index, read in enumerate(reads)
        )
    )
    assert [answer.problem for answer in result if answer.problem] == ["frame 4: the picture is damaged"]
    assert [answer.answers[0][0] for answer in result if not answer.problem] == [
        index for index in range(12) if index != 4
    ]


def test_a_model_sees_what_it_is_wanted_for_and_says_what_it_does_not_take(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    path = write_means(tmp_path / "m.onnx")
    models = [Apart(path, name="strict", fitting=Strict(SPEC)), Apart(path, InputSpec(4, 4, scale=1.0), name="mild")]
    reads = [Drawn(index, "wide" if index == 1 else "") for index in range(6)]
    models_wanted = [frozenset({0}) if index == 3 else None for index in range(6)]
    reader = Reader[int](models, sizes=sized(3, *models), processes=processes)
    answers = list(reader.answers(Item(index, reads[index], models_wanted[index]) for index in range(6)))
    assert [answer.problem for answer in answers if answer.problem] == ["strict: it is too wide"]
    assert [index for index, answer in enumerate(answers) if answer.answers[0] is None] == [1]
    assert [index for index, answer in enumerate(answers) if answer.answers[1] is None] == [3]
    assert [answer.answers[1][0] for answer in answers if answer.answers[1] is not None] == [0, 1, 2, 4, 5]


def test_a_picture_that_kills_its_process_is_reported_by_name_and_the_others_are_read(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    reads = [Drawn(index, "dies" if index == 9 else "", f"frame {index}") for index in range(20)]
    result = list(
        Reader[int]([means], sizes=sized(8, means), processes=processes).answers(
            Item(index, read) for index, read in enumerate(reads)
        )
    )
    assert [answer.key for answer in result if answer.problem] == [9]
    assert result[9].problem.startswith("frame 9: the process that read it was terminated (signal SIGKILL)")
    assert [answer.answers[0][0] for answer in result if not answer.problem] == [
        index for index in range(20) if index != 9
    ]


def test_when_many_processes_die_the_reader_gives_up_with_a_message(
    tmp_path: Path, processes: ReadingProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_processes, "DEATHS_MAX", 2)
    means = Apart(write_means(tmp_path / "m.onnx"))
    reader = Reader[int]([means], processes=processes)
    with pytest.raises(
        KomaError, match=r"\d processes that read pictures were terminated \(signal SIGKILL\), .*frame 3\."
    ):
        list(reader.answers(Item(index, Drawn(index, "dies", "frame 3")) for index in range(40)))


def test_a_picture_in_which_reading_hangs_is_reported_by_name_and_the_others_are_read(
    tmp_path: Path, processes: ReadingProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_processes, "PICTURE_MAX_S", 2)
    means = Apart(write_means(tmp_path / "m.onnx"))
    reader = Reader[int]([means], sizes=sized(8, means), processes=processes)
    answers = list(
        reader.answers(Item(index, Drawn(index, "slow" if index == 5 else "", f"frame {index}")) for index in range(12))
    )
    assert [answer.key for answer in answers if answer.problem] == [5]
    assert answers[5].problem.startswith("frame 5: the process that read it was terminated (after 2 s)")
    assert [answer.answers[0][0] for answer in answers if not answer.problem] == [
        index for index in range(12) if index != 5
    ]


def test_where_no_process_can_be_started_the_reader_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    means = Apart(write_means(tmp_path / "m.onnx"))
    with pytest.raises(KomaError, match="could not be started: Resource temporarily unavailable"):
        list(
            Reader[int]([means], processes=ReadingProcesses(2)).answers(Item(index, Drawn(index)) for index in range(5))
        )


def test_what_fitting_raises_there_is_raised_here(tmp_path: Path, processes: ReadingProcesses) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    with pytest.raises(KeyError, match="no such filter"):
        list(Reader[int]([means], processes=processes).answers(Item(index, Drawn(index, "code")) for index in range(5)))


def test_leaving_early_ends_those_that_are_reading_and_the_next_pass_goes_on(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    reader = Reader[int]([means], sizes=sized(4, means), processes=processes)
    results = reader.answers(Item(index, Drawn(index, "slow" if index > 6 else "")) for index in range(100))
    assert next(results).key == 0
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 10
    again = Reader[int]([means], sizes=sized(4, means), processes=processes)
    assert levels(list(again.answers(Item(index, Drawn(index)) for index in range(9)))) == list(range(9))


def test_processes_serve_one_pass_after_the_other_and_keep_no_memory_of_it(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    before, seen = _shared(), set()
    for _ in range(3):
        reader = Reader[int]([means], sizes=sized(4, means), processes=processes)
        assert levels(list(reader.answers(Item(index, Drawn(index)) for index in range(20)))) == list(range(20))
        seen |= {process.process.pid for process in processes._all}
        time.sleep(0.2)
        for process in processes._all:
            assert "koma-pictures" not in Path(f"/proc/{process.process.pid}/maps").read_text(encoding="utf-8")
    assert len(seen) <= 2
    assert _shared() <= before


def _shared() -> int:
    """How many pieces of shared memory this process holds; those of errors that are being forgotten do not count."""
    gc.collect()
    result = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            result += "koma-pictures" in str(entry.readlink())
    return result


def test_a_process_that_was_idle_for_long_is_replaced_without_a_word(
    tmp_path: Path, processes: ReadingProcesses
) -> None:
    means = Apart(write_means(tmp_path / "m.onnx"))
    list(Reader[int]([means], processes=processes).answers(Item(index, Drawn(index)) for index in range(4)))
    for process in processes._all:
        process.line.close()  # as one that ended by itself: its end of the line is gone
        process.process.wait(timeout=10)
    answers = list(Reader[int]([means], processes=processes).answers(Item(index, Drawn(index)) for index in range(4)))
    assert levels(answers) == [0, 1, 2, 3]


def test_reading_processes_end_with_their_parent() -> None:
    program = """
import os, sys, time
import numpy as np
from annotate.backends.runtime.device_memory import HostBuffer
from annotate.backends.runtime.inputs import InputSpec
from annotate.backends.feeding.decoding import Ask
from annotate.backends.feeding.decoding_processes import ReadingProcesses
from tests.annotate.backends.test_reading_processes import Drawn
made, buffer = ReadingProcesses(1), HostBuffer((1, 6, 8, 3), pin=False, share=True)
print(made.read([Ask(0, Drawn(7), None)], [InputSpec(8, 6)], [buffer])[0].size, buffer.array.max(), flush=True)
print(*[process.process.pid for process in made._all], flush=True)
os.kill(os.getpid(), 9)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    first, second = done.stdout.splitlines()
    assert first == "(8, 6) 7"
    child = int(second)
    until = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        if Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
            break  # it has ended; nobody here waits for it
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


def test_a_reading_process_loads_neither_django_nor_onnxruntime() -> None:
    program = f"import sys; sys.path[:] = {sys.path!r}; import {decoding.__name__}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"django", "onnxruntime", "sklearn"} & set(loaded)


def test_a_picture_fitted_to_another_shape_is_an_error_and_not_stretched(processes: ReadingProcesses) -> None:
    buffer = HostBuffer((1, 6, 8, 3), pin=False, share=True)
    with pytest.raises(ValueError, match="fitted to"):
        processes.read([Ask(0, Drawn(1), None)], [InputSpec(1, 1)], [buffer])
    buffer.free()


def test_models_that_take_pictures_of_many_shapes_are_not_fitted_apart(tmp_path: Path) -> None:
    path = write_means(tmp_path / "m.onnx")
    assert fits_apart(Apart(path))
    assert not fits_apart(Means(path, SPEC))
    assert not fits_apart(Apart(path, InputSpec(64, 64, fit_by=Fit.MULTIPLE, multiple=8)))


def test_stored_pictures_and_inputs_can_be_sent() -> None:
    for item in (StoredPicture("/a", "b", "frame 1"), SPEC):
        assert pickle.loads(pickle.dumps(item)) == item
