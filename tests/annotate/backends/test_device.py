"""What the device makes of bytes is bit by bit what the written-down arithmetic makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from annotate.backends.runtime import device_graph, onnx_session
from annotate.backends.runtime.device import Network, is_out_of_memory
from annotate.backends.runtime.inputs import InputSpec
from ingest.errors import BadInput
from tests.annotate.picture_nets import write_means

finite = some.floats(-300, 300, allow_nan=False, width=32)
triple = some.tuples(finite, finite, finite)
positive = some.floats(2**-10, 300, width=32)
specs = some.builds(
    InputSpec,
    width=some.just(4), height=some.just(4), bgr=some.booleans(), nchw=some.booleans(),
    scale=some.one_of(some.just(1.0), some.just(1 / 255), positive),
    mean=some.one_of(some.just((0.0, 0.0, 0.0)), triple),
    std=some.one_of(some.just((1.0, 1.0, 1.0)), some.tuples(positive, positive, positive)),
)  # fmt: skip


@pytest.fixture(scope="module")
def any_session(tmp_path_factory: pytest.TempPathFactory) -> onnx_session.Opened:
    return onnx_session.open_session(write_means(tmp_path_factory.mktemp("net") / "m.onnx"), threads=1, device="cpu")


@given(spec=specs, seed=some.integers(0, 2**32 - 1), shape=some.tuples(*[some.integers(1, 5)] * 3))
@settings(max_examples=60, deadline=None)
def test_the_arithmetic_of_every_input_is_that_of_its_description(
    spec: InputSpec, seed: int, shape: tuple[int, int, int], any_session: onnx_session.Opened
) -> None:
    batch = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    session = onnx_session.open_beside(device_graph.arithmetic(spec), any_session)
    result = session.run(None, {device_graph.INPUT: batch})[0]
    np.testing.assert_array_equal(result, spec.tensor(batch))


@pytest.mark.parametrize("nchw", [True, False])
def test_the_graph_of_the_arithmetic_is_valid_onnx(*, nchw: bool) -> None:
    spec = InputSpec(4, 4, bgr=True, nchw=nchw, mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0))
    onnx.checker.check_model(onnx.load_from_string(device_graph.arithmetic(spec)), full_check=True)


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("nchw", [True, False])
def test_a_network_answers_from_bytes_with_and_without_a_buffer_of_its_own(
    tmp_path: Path, *, copies: bool, nchw: bool
) -> None:
    spec = InputSpec(4, 4, nchw=nchw, bgr=True, scale=1.0)
    opened = onnx_session.open_session(write_means(tmp_path / "m.onnx", nchw=nchw), threads=1, device="cpu")
    network = Network(opened, spec, copies=copies)
    batch = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    expected = batch[..., ::-1].mean(axis=(1, 2))
    for _ in range(3):  # the buffer is used again
        np.testing.assert_allclose(network.run(batch)[0], expected, rtol=1e-6)
    staged = [network.stage(batch), network.stage(batch + 1)]  # one is filled while the other waits
    np.testing.assert_allclose(network.run(staged[0])[0], expected, rtol=1e-6)
    np.testing.assert_allclose(network.run(staged[1])[0], expected + 1, rtol=1e-6)


def test_a_copied_batch_no_longer_depends_on_the_bytes_it_came_from(tmp_path: Path) -> None:
    opened = onnx_session.open_session(write_means(tmp_path / "m.onnx"), threads=1, device="cpu")
    network = Network(opened, InputSpec(4, 4, scale=1.0), copies=True)
    batch = np.full((1, 4, 4, 3), 7, np.uint8)
    staged = network.stage(batch)
    batch[:] = 99
    np.testing.assert_array_equal(network.run(staged)[0], [[7, 7, 7]])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_graph_with_a_fixed_batch_takes_any_number_of_pictures(tmp_path: Path, count: int) -> None:
    opened = onnx_session.open_session(write_means(tmp_path / "m.onnx", batch=2), threads=1, device="cpu")
    network = Network(opened, InputSpec(4, 4, scale=1.0))
    assert network.fixed == 2
    batch = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    np.testing.assert_array_equal(network.run(batch)[0], np.arange(count)[:, None] * [[1, 1, 1]])
    with pytest.raises(ValueError, match="takes 2 pictures"):
        network.stage(np.zeros((3, 4, 4, 3), np.uint8))


def test_asking_for_cuda_where_it_does_not_start_is_refused_with_a_message(tmp_path: Path) -> None:
    path = write_means(tmp_path / "m.onnx")
    if onnx_session.open_session(path).on_gpu:
        pytest.skip("CUDA starts here")
    with pytest.raises(BadInput, match="device=cuda, but CUDA"):
        onnx_session.open_session(path, device="cuda")


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (MemoryError(), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer"), True),
        (RuntimeError("CUDA failure 2: out of memory ; GPU=0"), True),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), True),
        (ValueError("Invalid rank for input"), False),
    ],
)  # fmt: skip
def test_running_out_of_memory_is_known_by_its_words(error: Exception, *, full: bool) -> None:
    assert is_out_of_memory(error) is full
