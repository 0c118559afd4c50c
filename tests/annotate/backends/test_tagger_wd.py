"""The WD tagger's interface, on tiny graphs whose answers are worked out by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from annotate.backends.tagger_wd import WdTagger, installed, prepare
from ingest.errors import BadInput

WHITE = 255.0


def write_tags(folder, rows):
    lines = ["tag_id,name,category,count"] + [f"{n},{name},{category},1" for n, (name, category) in enumerate(rows)]
    (folder / "selected_tags.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_model(folder, *, side, weights, batch="n", outputs=None, bias=None):
    """A graph [n, side, side, 3] -> flattened / 255 @ weights + bias -> [n, tags]."""
    size = side * side * 3
    tags = outputs or weights.shape[1]
    nodes = [
        helper.make_node("Reshape", ["input", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["prediction"]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, side, side, 3])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [batch, tags])],
        [
            numpy_helper.from_array(np.array([-1, size], np.int64), "shape"),
            numpy_helper.from_array((weights / 255).astype(np.float32), "weights"),
            numpy_helper.from_array(np.array(bias or [0.0] * weights.shape[1], np.float32), "bias"),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "model.onnx")


@pytest.fixture()
def folder(tmp_path):
    """Outputs: the mean of blue, green and red over a 4x4 picture, each 0..1."""
    path = tmp_path / "wd-tiny"
    path.mkdir()
    weights = np.zeros((4, 4, 3, 5))
    for channel in range(3):
        weights[:, :, channel, channel + 2] = 1 / 16
    weights[0, 0, 0, 0] = 1.0  # rating "general": the blue of the upper left pixel
    weights[0, 0, 2, 1] = 1.0  # rating "explicit": its red
    write_model(path, side=4, weights=weights.reshape(48, 5))
    write_tags(path, [("general", 9), ("explicit", 9), ("blue_sky", 0), ("long_hair", 0), ("hatsune_miku", 4)])
    return path


def test_a_wide_picture_gets_white_above_and_below_and_blue_comes_first():
    picture = np.zeros((1, 4, 3), np.uint8)
    picture[0] = [[10, 20, 30], [40, 50, 60], [70, 80, 90], [1, 2, 3]]
    fed = prepare(picture, 4)
    assert fed.dtype == np.float32
    # (4 - 1) // 2 = 1 white row above, two below.
    assert (fed[0] == WHITE).all() and (fed[2:] == WHITE).all()
    assert fed[1].tolist() == [[30, 20, 10], [60, 50, 40], [90, 80, 70], [3, 2, 1]]


def test_a_tall_picture_gets_white_left_and_right():
    fed = prepare(np.full((4, 2, 3), 9, np.uint8), 4)
    assert (fed[:, [0, 3]] == WHITE).all()
    assert (fed[:, 1:3] == 9).all()


def test_transparent_parts_become_white():
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[..., 3] = 255
    picture[0, 0] = [200, 100, 0, 0]  # invisible
    picture[0, 1] = [200, 100, 0, 51]  # a fifth: 200/5 + 255*4/5 = 244, 100/5 + 204 = 224, 204
    fed = prepare(picture, 4)
    assert fed[0, 0].tolist() == [255, 255, 255]
    assert fed[0, 1].tolist() == [204, 224, 244]
    assert fed[1, 1].tolist() == [0, 0, 0]


def test_a_larger_picture_is_scaled_with_the_bicubic_filter_of_the_original():
    from PIL import Image

    random = np.random.default_rng(5)
    picture = random.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(picture).resize((4, 4), Image.Resampling.BICUBIC))
    assert (prepare(picture, 4) == expected[:, :, ::-1]).all()


def test_scores_thresholds_and_rating_are_those_worked_out_by_hand(folder):
    # 4x2, pure red: half of the square is red, half white. Blue and green: 0.5; red: 1.0. Upper left is white.
    red = np.zeros((2, 4, 3), np.uint8)
    red[..., 0] = 255
    tagger = WdTagger(folder, general=0.5 - 1e-6, device="cpu")
    answer = tagger.tag([red])[0]
    assert [(tag.name, tag.category) for tag in answer.tags] == [
        ("blue_sky", "general"), ("long_hair", "general"), ("hatsune_miku", "character"),
    ]  # fmt: skip
    assert [round(tag.score, 5) for tag in answer.tags] == [0.5, 0.5, 1.0]
    # "Greater than" is strict: at 0.5 itself nothing general is left.
    assert [tag.name for tag in WdTagger(folder, general=0.50001, device="cpu").tag([red])[0].tags] == ["hatsune_miku"]
    # Pure blue, square: its upper left pixel has blue 1, red 0.
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 2] = 255
    answer = tagger.tag([blue])[0]
    assert answer.rating == "general"
    assert [tag.name for tag in answer.tags] == ["blue_sky"]


def test_mcut_cuts_at_the_largest_gap(folder):
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[...] = [51, 102, 204]  # red 0.2, green 0.4, blue 0.8: the gap of the general tags is 0.4 to 0.8
    answer = WdTagger(folder, use_mcut=True, device="cpu").tag([picture])[0]
    assert [tag.name for tag in answer.tags] == ["blue_sky", "hatsune_miku"]


def test_answers_do_not_depend_on_the_batch(folder):
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (3 + n, 5, 3)).astype(np.uint8) for n in range(11)]
    tagger = WdTagger(folder, device="cpu")
    together = tagger.probabilities(pictures)
    assert together.shape == (11, 5)
    assert np.array_equal(together, np.concatenate([tagger.probabilities([one]) for one in pictures]))
    assert tagger.probabilities([]).shape == (0, 5)


def test_a_graph_with_a_fixed_batch_of_one_is_fed_one_by_one(folder):
    write_model(folder, side=4, weights=np.ones((48, 5)) / 48, batch=1)
    assert WdTagger(folder, device="cpu").probabilities([np.zeros((4, 4, 3), np.uint8)] * 3).shape == (3, 5)


def test_a_table_of_another_model_is_told(folder):
    write_tags(folder, [("general", 9), ("a", 0)])
    with pytest.raises(BadInput, match="lists 2 tags, but the network beside it gives 5"):
        WdTagger(folder, device="cpu")


def test_a_weights_file_that_is_not_onnx_is_told(folder):
    (folder / "model.onnx").write_bytes(b"<html>404 not found</html>")
    with pytest.raises(BadInput, match="is not ONNX"):
        WdTagger(folder, device="cpu")


def test_another_graph_is_told(folder):
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([node], "other", values[:1], values[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "model.onnx"
    )
    with pytest.raises(BadInput, match="no WD tagger"):
        WdTagger(folder, device="cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line"), ("tag_id,name,category,count\n", "empty"), ("a,b\n1,2\n", "first line"),
        ("tag_id,name,category,count\n1,x,zero,3\n", "row 2"),
    ],
)  # fmt: skip
def test_a_broken_table_is_told(folder, text, said):
    (folder / "selected_tags.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        WdTagger(folder, device="cpu")


def test_installed_taggers_are_folders_with_both_files(folder):
    (folder.parent / "half").mkdir()
    (folder.parent / "half" / "model.onnx").write_bytes(b"x")
    assert installed(folder.parent) == ["wd-tiny"]
    assert installed(folder.parent / "nowhere") == []


def test_the_real_table_is_read(test_data):
    from annotate.backends.tagger_wd import read_table

    rows = read_table(test_data / "tags" / "wd_selected_tags.csv")
    assert [row.name for row in rows if row.category == 9] == ["general", "sensitive", "questionable", "explicit"]
    assert len(rows) == 6914
    # One row of this file is blank; the rows after it must keep their places.
    assert [number for number, row in enumerate(rows) if not row.name] == [4995]
    assert rows[4996].name == "slapping"
