"""The reader: order, one decode for all, bounded memory, broken pictures, errors, cancelling, batch by memory."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.feeding.reader import SLOTS, Answered, Item, Reader
from annotate.backends.feeding.reader_batch import BatchSize, BatchSizes
from annotate.backends.feeding.reader_slot import Slot
from annotate.backends.runtime.inputs import Fit, InputSpec
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture
from tests.annotate.picture_nets import Means, grey, write_means

SPEC = InputSpec(8, 6, scale=1.0)


@pytest.fixture(autouse=True)
def no_thread_outlives_the_reader() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("reader")]
    assert left == []


@pytest.fixture()
def means(tmp_path: Path) -> Means:
    return Means(write_means(tmp_path / "m.onnx"), SPEC)


def items(count: int, **values: Any) -> list[Item[int]]:
    return [Item(index, lambda index=index: grey(index % 256), **values) for index in range(count)]  # type: ignore[misc]


def sized(model: Any, size: BatchSize) -> BatchSizes:
    sizes = BatchSizes()
    sizes.put(model, size)
    return sizes


def levels(found: list[Answered[int]], model: int = 0) -> list[float]:
    return [float(answer.answers[model][0]) for answer in found]


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("count", [0, 1, 4, 61])
def test_answers_come_in_the_order_of_the_pictures_whatever_the_batch(means: Means, count: int, size: int) -> None:
    reader = Reader([means], threads=3, sizes=sized(means, BatchSize(size, size, settled=True)))

    def slow_at_times(index: int) -> Picture:
        time.sleep(0.003 if index % 5 == 0 else 0)
        return grey(index)

    answers = list(reader.answers(Item(index, lambda index=index: slow_at_times(index)) for index in range(count)))  # type: ignore[misc]
    assert [answer.key for answer in answers] == list(range(count))
    assert levels(answers) == list(range(count))
    assert {answer.size for answer in answers} <= {(8, 6)}
    assert sum(means.seen) == count
    assert max(means.seen, default=0) <= size


def test_on_the_processor_a_model_gets_one_picture_at_a_time(means: Means) -> None:
    assert len(list(Reader([means]).answers(items(9)))) == 9
    assert means.seen == [1] * 9


def test_several_models_share_one_decode_and_each_gets_its_own_fit(tmp_path: Path) -> None:
    path = write_means(tmp_path / "m.onnx")
    models = [Means(path, SPEC), Means(path, InputSpec(4, 4), name="small"), Means(path, InputSpec(16, 2, bgr=True))]
    decoded: list[int] = []

    def read(index: int) -> Picture:
        decoded.append(index)
        return np.tile(np.array([[[index, 0, 255]]], np.uint8), (6, 8, 1))

    parsed = list(
        Reader(models, threads=2).answers(Item(index, lambda index=index: read(index)) for index in range(20))
    )  # type: ignore[misc]
    assert sorted(decoded) == list(range(20))
    for index, item in enumerate(parsed):
        np.testing.assert_allclose(item.answers[0], [index, 0, 255], rtol=1e-6)
        np.testing.assert_allclose(item.answers[1], [index / 255, 0, 1], rtol=1e-6)
        np.testing.assert_allclose(item.answers[2], [1, 0, index / 255], rtol=1e-6)
    assert [model.shapes[0][1:] for model in models] == [(6, 8, 3), (4, 4, 3), (2, 16, 3)]


def test_a_model_sees_only_the_pictures_that_it_is_wanted_for(tmp_path: Path) -> None:
    path = write_means(tmp_path / "m.onnx")
    models = [Means(path, SPEC), Means(path, SPEC, name="other")]
    chosen = [Item(index, lambda index=index: grey(index), models_wanted=frozenset({index % 2})) for index in range(10)]  # type: ignore[misc]
    sizes = BatchSizes()
    for model in models:
        sizes.put(model, BatchSize(3, 3, settled=True))
    answers = list(Reader(models, threads=4, sizes=sizes).answers(chosen))
    assert [answer.answers[1 - answer.key % 2] for answer in answers] == [None] * 10
    assert [float(answer.answers[answer.key % 2][0]) for answer in answers] == list(range(10))
    assert sum(models[0].seen) == sum(models[1].seen) == 5


def test_pictures_of_many_shapes_are_batched_by_shape(tmp_path: Path) -> None:
    model = Means(write_means(tmp_path / "m.onnx"), InputSpec(64, 64, fit_by=Fit.MULTIPLE, multiple=8, scale=1.0))
    shapes = [(64, 64), (64, 32), (30, 64), (64, 32), (200, 100)]
    chosen = [
        Item(index, lambda index=index: grey(index, width=shapes[index % 5][0], height=shapes[index % 5][1]))  # type: ignore[misc]
        for index in range(25)
    ]
    answers = list(Reader([model], threads=5, sizes=sized(model, BatchSize(5, 5, settled=True))).answers(chosen))
    assert levels(answers) == list(range(25))
    assert {shape[1:3] for shape in model.shapes} == {(64, 64), (32, 64), (64, 32)}
    assert max(model.seen) > 1
    assert answers[4].size == (200, 100)


@pytest.mark.parametrize("size", [1, 3])
def test_a_broken_picture_has_a_problem_with_a_message_and_the_others_their_answers(means: Means, size: int) -> None:
    def read(index: int) -> Picture:
        if index == 4:
            raise UnreadablePicture("frame 4: the picture is damaged")
        if index == 7:
            raise FileNotFoundError(2, "No such file", "7.png")
        return grey(index)

    reader = Reader([means], sizes=sized(means, BatchSize(size, size, settled=True)))
    parsed = list(reader.answers(Item(index, lambda index=index: read(index)) for index in range(12)))  # type: ignore[misc]
    assert [answer.key for answer in parsed] == list(range(12))
    assert parsed[4].problem == "frame 4: the picture is damaged"
    assert "7.png" in parsed[7].problem
    assert parsed[4].answers == (None,)
    assert [index for index, answer in enumerate(parsed) if not answer.problem and answer.answers[0][0] == index] == [
        index for index in range(12) if index not in (4, 7)
    ]


def test_a_model_that_does_not_take_a_picture_says_so_and_the_others_answer(tmp_path: Path) -> None:
    path = write_means(tmp_path / "m.onnx")
    models = [Means(path, SPEC, name="strict"), Means(path, SPEC, name="mild")]
    fit = models[0].fit

    def strict(picture: Picture) -> Picture:
        if picture.shape[1] > 50:
            raise BadInput("it is too wide")
        return fit(picture)

    models[0].fit = strict  # type: ignore[method-assign]
    widths = [8, 60, 8, 8, 60]
    chosen = [Item(index, lambda index=index: grey(index, width=widths[index])) for index in range(5)]  # type: ignore[misc]
    answers = list(Reader(models, threads=2).answers(chosen))
    assert [answer.problem for answer in answers] == ["", "strict: it is too wide", "", "", "strict: it is too wide"]
    assert [answer.answers[0] is None for answer in answers] == [False, True, False, False, True]
    assert levels(answers, 1) == list(range(5))


def test_only_broken_pictures_give_only_problems(means: Means) -> None:
    def read() -> Picture:
        raise UnreadablePicture("damaged")

    answers = list(Reader([means]).answers(Item(index, read) for index in range(9)))
    assert [answer.problem for answer in answers] == ["damaged"] * 9
    assert means.seen == []


def test_memory_is_bounded_by_the_batch_however_many_pictures_come_and_however_slow_the_writer(means: Means) -> None:
    size, threads = 4, 2
    alive, maximum, values = {"decoded": 0, "fitted": 0}, {"decoded": 0, "fitted": 0}, [0]
    lock = threading.RLock()  # the last reference may go while a thread counts
    fit = means.fit

    class Kept(np.ndarray):  # type: ignore[type-arg]  # a plain array cannot be watched
        pass

    def change(what: str, by: int) -> None:
        with lock:
            alive[what] += by
            maximum[what] = max(maximum[what], alive[what])

    def counted(picture: Picture, what: str) -> Picture:
        item = picture.view(Kept)
        change(what, 1)
        weakref.finalize(item, change, what, -1)
        return item

    def read(index: int) -> Picture:
        return counted(grey(index % 256, width=16), "decoded")

    def watched(picture: Picture) -> Picture:
        return counted(fit(picture), "fitted")

    means.fit = watched  # type: ignore[method-assign]

    def source() -> Iterator[Item[int]]:
        for index in range(300):
            values[0] = index + 1
            yield Item(index, lambda index=index: read(index))  # type: ignore[misc]

    reader = Reader([means], threads=threads, sizes=sized(means, BatchSize(size, size, settled=True)))
    buffers = set()
    for done, _ in enumerate(reader.answers(source())):
        buffers |= {id(rows._buffer) for slot in reader._slots for rows in slot.rows if rows._buffer}
        assert values[0] <= done + 1 + (SLOTS + 1) * size  # a handful of answers beside the slots
        if done < 40:
            time.sleep(0.002)
    assert done == 299
    assert alive == {"decoded": 0, "fitted": 0}
    assert 0 < maximum["decoded"] <= threads  # one a reading thread
    assert 0 < maximum["fitted"] <= threads  # and no more: the rest lies in the buffers
    assert len(buffers) == SLOTS


class Whole(Means):
    """Takes pictures as they are and has no network that the reader knows of."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SPEC, name="whole")
        del self.network

    def fit(self, picture: Picture) -> Picture:
        return picture

    def answer(self, batch: Any, sizes: Sequence[tuple[int, int]]) -> list[Any]:
        return [picture.mean(axis=(0, 1)) for picture in batch]


def test_whole_pictures_beside_a_large_batch_are_held_one_a_thread_and_let_go(means: Means, tmp_path: Path) -> None:
    threads, request = 3, [0]
    whole_model = Whole(tmp_path / "m.onnx")

    def source() -> Iterator[Item[int]]:
        for index in range(200):
            request[0] = index + 1
            yield Item(index, lambda index=index: grey(index, width=8 + index % 3))  # type: ignore[misc]

    reader = Reader([means, whole_model], threads=threads, sizes=sized(means, BatchSize(128, 128, settled=True)))
    for done, item in enumerate(reader.answers(source())):
        assert [float(answer[0]) for answer in item.answers] == [done, done]
        assert request[0] <= done + 1 + (SLOTS + 1) * threads
        assert sum(len(slot.rows[1]._single) for slot in reader._slots) <= SLOTS * threads
    assert done == 199
    assert not any(rows._single for slot in reader._slots for rows in slot.rows)


def test_a_model_that_shrinks_pictures_to_a_known_size_leaves_room_for_more_of_them(
    means: Means, tmp_path: Path
) -> None:
    small = Means(tmp_path / "m.onnx", InputSpec(640, 640, fit_by=Fit.MULTIPLE, multiple=32), name="small")
    large = Means(tmp_path / "m.onnx", InputSpec(4096, 4096, fit_by=Fit.MULTIPLE, multiple=64), name="large")
    assert Slot([means]).capacity(128, threads=3) == 128
    assert Slot([means, small]).capacity(512, threads=3) == 109
    assert Slot([means, large]).capacity(128, threads=3) == 3
    assert Slot([means, large]).capacity(1, threads=3) == 3


def test_what_a_model_raises_reaches_the_caller_and_ends_the_threads(means: Means) -> None:
    def broken(batch: Any, sizes: Any) -> Any:
        if means.seen and sum(means.seen) >= 3:
            raise RuntimeError("the network broke")
        return answer(batch, sizes)

    answer, means.answer = means.answer, broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="the network broke"):
        list(Reader([means]).answers(items(50)))


def test_what_fitting_raises_reaches_the_caller(means: Means) -> None:
    def broken(picture: Picture) -> Picture:
        raise KeyError("no such filter")

    means.fit = broken  # type: ignore[method-assign]
    with pytest.raises(KeyError, match="no such filter"):
        list(Reader([means]).answers(items(5)))


def test_a_wrong_number_of_answers_is_an_error(means: Means) -> None:
    means.answer = lambda batch, sizes: []  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="gave 0 answers for 1 pictures"):
        list(Reader([means]).answers(items(5)))


def test_what_the_source_of_items_raises_ends_the_threads(means: Means) -> None:
    def source() -> Iterator[Item[int]]:
        yield from items(20)
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError, match="the database is gone"):
        list(Reader([means]).answers(source()))


def test_leaving_early_ends_the_threads_and_reads_no_further(means: Means) -> None:
    read: list[int] = []

    def slow(index: int) -> Picture:
        read.append(index)
        time.sleep(0.02)
        return grey(index)

    pictures = Reader([means], threads=2).answers(Item(index, lambda index=index: slow(index)) for index in range(1000))  # type: ignore[misc]
    assert next(pictures).key == 0
    began = time.monotonic()
    pictures.close()
    assert time.monotonic() - began < 5
    assert len(read) < 20


def test_a_reader_that_was_never_read_from_starts_no_thread(means: Means) -> None:
    reader = Reader([means])
    reader.answers(items(3))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]
    reader.close()


class Small:
    """A model without a network whose device takes `room` pictures."""

    info = ModelInfo(task="class", name="small", revision="1")
    device = "GPU of a test"

    def __init__(self, room: int) -> None:
        self.room, self.tried = room, list[int]()

    def fit(self, picture: Picture) -> Picture:
        return picture

    def answer(self, batch: Any, sizes: Sequence[tuple[int, int]]) -> list[int]:
        self.tried.append(len(batch))
        if len(batch) > self.room:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1234")
        return [int(picture[0, 0, 0]) for picture in batch]


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_the_size_is_remembered() -> None:
    model = Small(room=3)
    sizes = sized(model, BatchSize(16, 64))
    answers = list(Reader([model], threads=16, sizes=sizes).answers(items(40)))
    assert [answer.answers[0] for answer in answers] == list(range(40))
    assert model.tried[:3] == [16, 8, 4]
    assert sizes.of(model).size == 2
    model.tried.clear()
    list(Reader([model], sizes=sizes).answers(items(10)))
    assert max(model.tried) == 2


def test_a_device_without_room_for_one_picture_is_reported() -> None:
    model = Small(room=0)
    with pytest.raises(BadInput, match="small does not fit into the memory of its device"):
        list(Reader([model], sizes=sized(model, BatchSize(4, 4))).answers(items(4)))


def test_a_batch_grows_while_it_gets_quicker_and_then_stays() -> None:
    size = BatchSize(8, 512)
    seconds = {8: 1.0, 16: 1.2, 32: 1.6, 64: 3.1, 128: 6.2}  # 8, 13, 20, 21, 21 pictures a second
    tried = []
    while not size.settled:
        tried.append(size.size)
        size.ran(size.size - 1, 0.001)  # the rest of an episode says nothing
        size.ran(size.size, 100.0)  # warming up says nothing
        size.ran(size.size, seconds[size.size])
    assert tried == [8, 16, 32, 64]
    assert size.size == 32
    size.ran(32, 1e-6)
    assert size.size == 32


def test_a_batch_never_grows_over_its_limit() -> None:
    size = BatchSize(8, 20)
    for seconds in (1.0, 1.0, 1.0, 1.0, 1.0):
        size.ran(size.size, seconds)
    assert (size.size, size.settled) == (16, True)


def test_growing_batches_change_no_answer_and_no_order(means: Means) -> None:
    reader = Reader([means], threads=2, sizes=sized(means, BatchSize(1, 16)))
    answers = list(reader.answers(items(200)))
    assert levels(answers) == list(range(200))
    assert [answer.key for answer in answers] == list(range(200))


def test_the_copying_path_of_a_device_gives_the_same_answers(tmp_path: Path) -> None:
    model = Means(write_means(tmp_path / "m.onnx"), SPEC, copies=True)
    reader = Reader([model], threads=3, sizes=sized(model, BatchSize(4, 4, settled=True)))
    assert levels(list(reader.answers(items(50)))) == list(range(50))
    assert reader.timings["copy"] > 0


def test_a_graph_with_a_fixed_batch_gets_that_many(tmp_path: Path) -> None:
    model = Means(write_means(tmp_path / "m.onnx", batch=4), SPEC)
    assert levels(list(Reader([model], threads=2).answers(items(10)))) == list(range(10))
    assert set(model.shapes) == {(4, 6, 8, 3)}


def test_timings_name_the_four_places_where_time_goes(means: Means) -> None:
    def slow() -> Picture:
        time.sleep(0.01)
        return grey(1)

    reader = Reader([means], threads=2)
    list(reader.answers(Item(index, slow) for index in range(10)))
    assert set(reader.timings) == {"decode", "wait", "copy", "compute"}
    assert reader.timings["decode"] >= 10 * 0.01 / 2
    assert reader.timings["compute"] > 0


def test_the_way_over_a_gpu_runs_the_same_on_the_processor(tmp_path: Path) -> None:
    """Batch size by search, buffers asked to be pinned, copies ahead: all but the device itself."""
    model = Means(write_means(tmp_path / "m.onnx"), SPEC, copies=True)
    model.network.on_gpu = True
    sizes = BatchSizes()
    assert not sizes.of(model).settled
    assert levels(list(Reader([model], threads=3, sizes=sizes).answers(items(256)))) == list(range(256))
    assert max(model.seen) >= 8
    assert sizes.of(model).size >= 8


class Speaking(Means):
    """Means on a pretended GPU whose answers are read apart from the network's run; `answer` is never called."""

    def __init__(self, path: Path, *, on_gpu: bool = True) -> None:
        super().__init__(path, SPEC, copies=True)
        self.network.on_gpu = on_gpu
        self.by: set[str] = set()

    def computed(self, batch: Any) -> Any:
        self.seen.append(len(batch))
        return self.network.run(batch)[0]

    def answers_of(self, raw: Any, sizes: Sequence[tuple[int, int]]) -> list[Any]:
        self.by.add(threading.current_thread().name)
        time.sleep(0.002)
        return list(raw)

    def answer(self, batch: Any, sizes: Any) -> Any:
        self.by.add(threading.current_thread().name)
        return self.answers_of(self.computed(batch), sizes)


def test_answers_of_a_gpu_are_read_while_it_works_on_and_stay_in_order(tmp_path: Path) -> None:
    model = Speaking(write_means(tmp_path / "m.onnx"))
    reader = Reader[int]([model], threads=3, sizes=sized(model, BatchSize(4, 4, settled=True)))
    assert levels(list(reader.answers(items(61)))) == list(range(61))
    assert model.by == {"reader-say"}
    assert sum(model.seen) == 61


def test_answers_of_a_processor_are_read_where_they_are_made(tmp_path: Path) -> None:
    model = Speaking(write_means(tmp_path / "m.onnx"), on_gpu=False)
    assert levels(list(Reader[int]([model], threads=2).answers(items(9)))) == list(range(9))
    assert model.by == {"reader-compute"}


def test_an_output_from_which_nothing_can_be_read_reaches_the_caller(tmp_path: Path) -> None:
    model = Speaking(write_means(tmp_path / "m.onnx"))

    def broken(raw: Any, sizes: Any) -> Any:
        raise BadInput("these are no scores")

    model.answers_of = broken  # type: ignore[method-assign]
    with pytest.raises(BadInput, match="these are no scores"):
        list(Reader[int]([model], threads=2).answers(items(50)))


def test_a_wrong_number_of_answers_of_a_gpu_is_an_error(tmp_path: Path) -> None:
    model = Speaking(write_means(tmp_path / "m.onnx"))
    model.answers_of = lambda raw, sizes: []  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="gave 0 answers for"):
        list(Reader[int]([model], threads=2).answers(items(50)))
