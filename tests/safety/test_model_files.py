"""Files of models that were made to do harm: graphs, lists, arrays, descriptions. Each is refused in words."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from annotate.backends.model_files import formats, registry, weights
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Network
from annotate.backends.runtime.inputs import InputSpec
from annotate.backends.taggers import label_lists, pixai
from annotate.backends.taggers.classifier import read_samples
from annotate.backends.taggers.preprocess_json import read_stages
from annotate.backends.taggers.scorer import open_graph
from ingest.errors import BadInput
from tests.annotate.face_graph import write_graph
from tests.annotate.scorer_graphs import opened, write_model, write_tags

SECRET = np.arange(48, dtype=np.float32)
DEEP = '{"a":' * 50_000


def graph_of(
    path: Path,
    nodes: list[Any],
    *,
    tensors: list[Any] = [],  # noqa: B006 - never changed
    kind: int = TensorProto.FLOAT,
    given: int = TensorProto.FLOAT,
    shape: tuple[int | str, ...] = ("n", 3, 4, 4),
    domain: str = "",
) -> Path:
    """A graph from `x` of `shape` to `y` of any shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info("y", given, None)], tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else ())]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def outside(location: str) -> Any:
    """Weights that a graph says lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[48], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize("place", ["../secret.bin", "{folder}/secret.bin", "link.data", "/proc/self/environ", "pipe"])
@pytest.mark.parametrize("how", ["weights", "constant"])
def test_a_graph_takes_no_weights_from_outside_of_its_folder(tmp_path: Path, place: str, how: str) -> None:
    """Otherwise a model could read any file of the server and tell it in its answers, or wait on a pipe for ever."""
    (tmp_path / "secret.bin").write_bytes(SECRET.tobytes())
    model = tmp_path / "m" / "model.onnx"
    model.parent.mkdir()
    (model.parent / "link.data").symlink_to(tmp_path / "secret.bin")
    (model.parent / "weights.data").write_bytes(SECRET.tobytes())
    os.mkfifo(model.parent / "pipe")

    def write(location: str) -> Path:
        tensor = outside(location)
        if how == "weights":
            return graph_of(model, [helper.make_node("Identity", ["w"], ["y"])], tensors=[tensor])
        return graph_of(model, [helper.make_node("Constant", [], ["y"], value=tensor)])

    with pytest.raises(BadInput, match="cannot load"):
        onnx_session.open_session(write(place.format(folder=tmp_path)), device="cpu")
    fine = onnx_session.open_session(write("weights.data"), device="cpu")  # beside the graph, as large models have it
    assert np.array_equal(fine.session.run(["y"], {"x": np.zeros((1, 3, 4, 4), np.float32)})[0], SECRET)


def test_a_graph_with_operators_of_its_own_is_refused(tmp_path: Path) -> None:
    path = graph_of(
        tmp_path / "model.onnx", [helper.make_node("Steal", ["x"], ["y"], domain="com.evil")], domain="com.evil"
    )
    with pytest.raises(BadInput, match=r"cannot load.*com\.evil"):
        onnx_session.open_session(path, device="cpu")


def test_what_a_graph_calls_its_parts_comes_out_as_one_line_of_text(tmp_path: Path) -> None:
    path = graph_of(tmp_path / "model.onnx", [helper.make_node("No\x1b[31m\nSuch<b>\u202e", ["x"], ["y"])])
    with pytest.raises(BadInput) as refused:
        onnx_session.open_session(path, device="cpu")
    assert refused.value.message.isprintable()


def test_whatever_happens_to_a_graph_it_is_opened_or_refused_with_a_message(tmp_path: Path) -> None:
    """Names in it may be no text any more, which onnxruntime only says when they are asked for."""
    folder = tmp_path / "wd-tiny"
    folder.mkdir()
    write_tags(folder, [("sky", 0), ("general", 9)])
    write_model(folder, side=4, weights=np.full((48, 2), 1 / 48))
    original, chance, outcomes = (folder / "model.onnx").read_bytes(), random.Random(5), set()
    for _ in range(300):
        data = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (folder / "model.onnx").write_bytes(data)
        outcomes.add(refused_or(lambda: opened(folder).scores([np.full((9, 7, 3), 255, np.uint8)])))
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("part", [b"input", b"prediction", b"tiny", b"MatMul", b"nnnn"])
def test_names_in_a_graph_that_are_no_text_are_refused_with_a_message(tmp_path: Path, part: bytes) -> None:
    folder = tmp_path / "wd-tiny"
    folder.mkdir()
    write_tags(folder, [("sky", 0), ("general", 9)])
    write_model(folder, side=4, weights=np.full((48, 2), 1 / 48), batch="nnnn")
    data = (folder / "model.onnx").read_bytes()
    assert part in data
    (folder / "model.onnx").write_bytes(data.replace(part, b"\xff" * len(part)))
    if part != b"tiny":  # of the graph, which nobody asks for
        with pytest.raises(BadInput, match=r"model\.onnx"):
            opened(folder).scores([np.zeros((4, 4, 3), np.uint8)])


@pytest.mark.parametrize("gone", range(6))
def test_a_model_whose_files_vanish_while_it_is_opened_is_reported(tmp_path: Path, gone: int) -> None:
    """Somebody may remove it just then."""
    from tests.annotate.ccip_graphs import write_ccip
    from tests.annotate.onnx_graphs import write_yolo
    from tests.annotate.upscale_graph import write_esrgan

    write_tags(_model_folder(tmp_path / "wd-tiny"), [("sky", 0)])
    write_model(tmp_path / "wd-tiny", side=4, weights=np.zeros((48, 1)))
    write_yolo(tmp_path / "face_detect_x", np.zeros((5, 3), np.float32))
    write_ccip(tmp_path / "ccip")
    write_esrgan(tmp_path / "esrgan" / "RealESRGAN_x4plus_anime_6B.onnx")
    installed = registry.installed(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".onnx", ".csv"))
    assert len(files) == 6
    files[gone].unlink()
    (broken,) = [model for model in installed if model.path == files[gone].parent]
    with pytest.raises(BadInput, match=r"missing|holds|must hold"):
        registry.open_model(broken, device="cpu")


def _model_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_network_that_gives_text_is_refused_before_it_crashes_the_process(tmp_path: Path) -> None:
    text = helper.make_tensor("s", TensorProto.STRING, [2], [b"a", b"b"])
    path = graph_of(
        tmp_path / "model.onnx", [helper.make_node("Identity", ["s"], ["y"])], tensors=[text], given=TensorProto.STRING
    )
    with pytest.raises(BadInput, match="not tensors of numbers"):
        onnx_session.open_session(path, device="cpu")


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (TensorProto.UINT8, ("n", 3, 4, 4)), (TensorProto.INT64, ("n", 3, 4, 4)), (TensorProto.FLOAT16, ("n", 3, 4, 4)),
        (TensorProto.FLOAT, (10**6, 3, 448, 448)),
    ],
)  # fmt: skip
def test_a_network_that_takes_no_pictures_or_a_million_at_once_is_refused(
    tmp_path: Path, kind: int, shape: tuple[int, ...]
) -> None:
    path = graph_of(
        tmp_path / "model.onnx", [helper.make_node("Identity", ["x"], ["y"])], kind=kind, given=kind, shape=shape
    )
    with pytest.raises(BadInput, match="does not take pictures"):
        Network(onnx_session.open_session(path, device="cpu"), InputSpec(4, 4))


def test_a_network_that_wants_enormous_pictures_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = graph_of(tmp_path / "model.onnx", [helper.make_node("Identity", ["x"], ["y"])], shape=("n", 3, 10**6, 10**6))
    with pytest.raises(BadInput, match="the limit is 4096"):
        open_graph(path, device="cpu", nchw=True)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([helper.make_node("Reshape", ["x", "seven"], ["y"])], "running this network failed"),
        ([helper.make_node("ConstantOfShape", ["endless"], ["b"]),
          helper.make_node("ReduceMax", ["b"], ["most"], keepdims=0), helper.make_node("Add", ["x", "most"], ["y"])],
         "running this network failed"),
        ([helper.make_node("ReduceMax", ["x"], ["y"], keepdims=0)], "for 1 pictures"),
        ([helper.make_node("Identity", ["nothing"], ["y"])], "for 1 pictures"),
        ([helper.make_node("Identity", ["three"], ["y"])], "for 1 pictures"),
    ],
)  # fmt: skip
def test_a_network_that_breaks_off_or_answers_to_other_pictures_is_reported(
    tmp_path: Path, nodes: list[Any], words: str
) -> None:
    tensors = [
        numpy_helper.from_array(np.array([7, 7], np.int64), "seven"),
        numpy_helper.from_array(np.array([2**62, 4], np.int64), "endless"),
        numpy_helper.from_array(np.zeros((0, 2), np.float32), "nothing"),
        numpy_helper.from_array(np.zeros((3, 2), np.float32), "three"),
    ]
    network = Network(
        onnx_session.open_session(graph_of(tmp_path / "m.onnx", nodes, tensors=tensors), device="cpu"), InputSpec(4, 4)
    )
    with pytest.raises(BadInput, match=words) as refused:
        network.run(np.zeros((2, 4, 4, 3), np.uint8))
    assert "m.onnx" in refused.value.message


@pytest.mark.parametrize(
    "card",
    [{"threshold": float("nan")}, {"stride": 0}, {"unit_side": -1.0}, {"longest": 10**9}, {"longest": float("inf")},
     {"stride": []}],
)  # fmt: skip
def test_numbers_that_no_detector_can_work_with_are_refused(tmp_path: Path, card: dict[str, Any]) -> None:
    from annotate.backends.boxes.builtin import BuiltinFaces

    path = write_graph(tmp_path)
    path.with_suffix(".json").write_text(json.dumps(json.loads(path.with_suffix(".json").read_text()) | card))
    with pytest.raises(BadInput, match="must be numbers in the"):
        BuiltinFaces([tmp_path], name="tiny", device="cpu")


# --- Lists of labels --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("digits", ["9" * 5000, "-1", "²", "1e3", ""])
def test_a_category_that_is_no_number_is_refused_by_its_row(tmp_path: Path, digits: str) -> None:
    table = tmp_path / "selected_tags.csv"
    table.write_text(f"name,category\nsolo,0\nx,{digits}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="row 3"):
        label_lists.read_table(table)


def test_a_list_of_millions_of_labels_is_refused_while_it_is_read(tmp_path: Path) -> None:
    table = tmp_path / "selected_tags.csv"
    table.write_text("name,category\n" + "a,0\n" * 2_000_000, encoding="utf-8")
    with pytest.raises(BadInput, match="more than 65,536 rows"):
        label_lists.read_table(table)
    os.truncate(table, label_lists.FILE_MAX + 1)
    with pytest.raises(BadInput, match="too large for a list of tags"):
        label_lists.read_table(table)


@pytest.mark.parametrize(
    "text",
    [
        DEEP, json.dumps({"9" * 5000: {"tag": "a", "category": "General"}}), json.dumps({"²": {}}),
        json.dumps({"999999999": {"tag": "a", "category": "General"}}),
        json.dumps({"idx_to_tag": {}, "tag_to_category": {}}),
        json.dumps({"idx_to_tag": {"0": {"x": 1}, "1": ["y"]}, "tag_to_category": {"a": "General"}}),
        '{"0": {"tag": "\\ud800", "category": "General"}}',
    ],
)  # fmt: skip
def test_a_map_of_labels_that_is_nonsense_is_refused_with_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "tag_mapping.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput):
        label_lists.read_places(tmp_path / "tag_mapping.json")


def test_series_that_are_nested_without_an_end_are_refused_by_their_row(tmp_path: Path) -> None:
    table = tmp_path / "selected_tags.csv"
    table.write_text('name,category,ips\nsolo,0,"' + "[" * 50_000 + '"\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"row 2: .* is not a list of series"):
        pixai._series(table, label_lists.read_table(table))


def test_a_label_with_a_comma_stays_one_tag_in_a_caption(tmp_path: Path) -> None:
    """And letters made of two signs are those that a person types, so that both mean the same tag."""
    write_tags(tmp_path, [('"a, b,c"', 0), ("cafe\u0301", 0)])
    labels = label_lists.read_table(tmp_path / "selected_tags.csv")
    assert [label.name for label in labels] == ["a_b_c", "caf\u00e9"]


# --- Stages before a network ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "stages",
    [
        [{"type": "resize", "size": [1e999, 5]}], [{"type": "resize", "size": {}}], [{"type": "resize", "size": 10**9}],
        [{"type": "resize", "size": 5, "max_size": 1e999}], [{"type": "pad_to_size", "size": [10**9, 10**9]}],
        [{"type": "resize", "size": [4096, 4096]}] * 1000, [[]], ["resize"], [{"type": []}],
    ],
)  # fmt: skip
def test_stages_that_nobody_can_do_are_refused_with_a_message(tmp_path: Path, stages: list[Any]) -> None:
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": [*stages, {"type": "to_tensor"}]}))
    with pytest.raises(BadInput, match=r"preprocess\.json"):
        read_stages(tmp_path / "preprocess.json")


def test_a_picture_as_thin_as_a_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Its shorter side, one pixel, would become 448, and the longer one thirteen millions."""
    stages = [{"type": "resize", "size": 448}, {"type": "center_crop", "size": 448}, {"type": "to_tensor"}]
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": stages}))
    fit = read_stages(tmp_path / "preprocess.json").fit
    for shape in ((1, 30_000, 3), (30_000, 1, 3)):
        with pytest.raises(BadInput, match="too long and thin"):
            fit(np.zeros(shape, np.uint8))
    assert fit(np.zeros((1, 1, 3), np.uint8)).shape == (448, 448, 3)
    assert fit(np.zeros((30, 3000, 3), np.uint8)).shape == (448, 448, 3)


# --- Arrays, descriptions, headers ------------------------------------------------------------------------------------
ODD_KINDS = ("()", "('<f4',)", "'(1,f4'", "'i4,(1'")


def arrays(header: str, data: bytes = b"", *, name: str = "arr_0.npy") -> bytes:
    """A .npz of one member with a header of our own."""
    text = header.encode() + b"\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return packed.getvalue()


def numbers(shape: str) -> str:
    return f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "data",
    [
        arrays(numbers("(2, 1000000000000)")), arrays(numbers("(2, 50000000)")),
        arrays(numbers("(2, -5)")), arrays("{'descr': ((("),
        *(arrays(f"{{'descr': {kind}, 'fortran_order': False, 'shape': (2,), }}") for kind in ODD_KINDS),
        arrays("   {'descr': 1"), arrays(numbers("(-5,)")), arrays("(" * 5000),
        arrays(numbers("()"), b"", name="x.txt"),
        arrays("{'descr': '<U100000000', 'fortran_order': False, 'shape': (2, 2), }"), b"PK\x03\x04", b"",
    ],
    ids=["terabytes", "a bomb", "less than none", "cut off", *ODD_KINDS, "set in", "no rows", "nested",
         "nothing", "long text", "no zip", "empty"],
)  # fmt: skip
def test_arrays_that_would_fill_the_memory_or_are_none_are_refused_with_a_message(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "samples.npz"
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_samples(path)


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_arrays_of_a_kind_that_is_none_do_not_come_in(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "samples.npz"
    path.write_bytes(arrays(f"{{'descr': {kind}, 'fortran_order': False, 'shape': (2,), }}"))
    with pytest.raises(BadInput, match="not a file of NumPy arrays"):
        formats.check(path, "samples.npz")


def test_whatever_happens_to_a_file_of_arrays_it_is_read_or_refused_with_a_message(tmp_path: Path) -> None:
    path, archive = tmp_path / "samples.npz", io.BytesIO()
    np.savez_compressed(archive, arr_0=np.stack([np.arange(300.0), np.linspace(0, 1, 300)]))
    chance = random.Random(3)
    outcomes = set()
    for _ in range(1500):
        data = bytearray(archive.getvalue())
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        for read in (lambda: formats.check(path, "samples.npz"), lambda: read_samples(path)):
            outcomes.add(refused_or(read))
    assert outcomes == {"read", "refused"}


def refused_or(read: Callable[[], Any]) -> str:
    try:
        read()
    except BadInput:
        return "refused"
    return "read"


@pytest.mark.parametrize("length", [0, 1, 9 * 2**20, 2**62, 2**64 - 1])
def test_a_header_of_a_hostile_length_is_never_read(tmp_path: Path, length: int) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", length) + b"{}")
        file.truncate(10 * 2**20)
    with pytest.raises(BadInput, match="an impossible length"):
        formats.check(path, "model.safetensors")


def test_descriptions_that_are_too_long_or_too_deep_are_refused_with_a_message(tmp_path: Path) -> None:
    for name, text in (("deep", DEEP), ("long", json.dumps({"family": "wd", "x": "y" * 2**20}))):
        path = tmp_path / name / "koma.json"
        path.parent.mkdir()
        path.write_text(text)
        with pytest.raises(BadInput, match="description cannot be read"):
            weights.read_card(path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(label_lists.FILE_MAX + 1)
    with pytest.raises(BadInput, match=r"huge\.json"):
        formats.check(huge, "huge.json")


def test_a_tagger_still_says_what_it_sees_after_all_these_checks(tmp_path: Path) -> None:
    folder = tmp_path / "wd-tiny"
    folder.mkdir()
    write_tags(folder, [("sky", 0), ("general", 9)])
    write_model(folder, side=4, weights=np.full((48, 2), 1 / 48))
    assert opened(folder).scores([np.full((9, 7, 3), 255, np.uint8)]).round(3).tolist() == [[1.0, 1.0]]
    assert onnx.load(folder / "model.onnx").graph.input[0].name == "input"
    assert registry.installed(tmp_path)[0].name == "wd-tiny"
