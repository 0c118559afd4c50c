"""The WD taggers' interface, on tiny graphs whose answers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from annotate.algorithms.tag_rules import AcceptedTags
from annotate.backends.model_files import registry
from annotate.backends.taggers.scorer import OnnxScorer
from annotate.backends.taggers.wd import input_of
from ingest.errors import BadInput
from tests.annotate.scorer_graphs import opened, said, write_linear, write_model, write_tags

WHITE = 255.0


def prepared(picture: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    spec = input_of(side)
    return spec.tensor(spec.fit(picture)[None])[0]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
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


def with_rules(scorer: OnnxScorer, **changes: Any) -> OnnxScorer:
    scorer.accepted_tags = AcceptedTags(scorer.labels, replace(scorer.rules, **changes))
    return scorer


def test_a_wide_picture_gets_white_above_and_below_and_blue_comes_first() -> None:
    picture = np.zeros((1, 4, 3), np.uint8)
    picture[0] = [[10, 20, 30], [40, 50, 60], [70, 80, 90], [1, 2, 3]]
    fed = prepared(picture, 4)
    assert fed.dtype == np.float32
    # (4 - 1) // 2 = 1 white row above, two below.
    assert (fed[0] == WHITE).all() and (fed[2:] == WHITE).all()
    assert fed[1].tolist() == [[30, 20, 10], [60, 50, 40], [90, 80, 70], [3, 2, 1]]


def test_a_tall_picture_gets_white_left_and_right() -> None:
    fed = prepared(np.full((4, 2, 3), 9, np.uint8), 4)
    assert (fed[:, [0, 3]] == WHITE).all()
    assert (fed[:, 1:3] == 9).all()


def test_transparent_parts_become_white() -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[..., 3] = 255
    picture[0, 0] = [200, 100, 0, 0]  # invisible
    picture[0, 1] = [200, 100, 0, 51]  # a fifth: 200/5 + 255*4/5 = 244, 100/5 + 204 = 224, 204
    fed = prepared(picture, 4)
    assert fed[0, 0].tolist() == [255, 255, 255]
    assert fed[0, 1].tolist() == [204, 224, 244]
    assert fed[1, 1].tolist() == [0, 0, 0]


def test_a_larger_picture_is_scaled_with_the_bicubic_filter_of_the_original() -> None:
    random = np.random.default_rng(5)
    picture = random.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(picture).resize((4, 4), Image.Resampling.BICUBIC))
    assert (prepared(picture, 4) == expected[:, :, ::-1]).all()


def test_scores_thresholds_and_rating_are_those_worked_out_by_hand(folder: Path) -> None:
    # 4x2, pure red: half of the square is red, half white. Blue and green: 0.5; red: 1.0. Upper left is white.
    red = np.zeros((2, 4, 3), np.uint8)
    red[..., 0] = 255
    tagger = opened(folder)
    assert said(tagger, red) == [
        ("general", "rating", 1.0), ("blue_sky", "general", 0.5), ("long_hair", "general", 0.5),
        ("hatsune_miku", "character", 1.0),
    ]  # fmt: skip
    # "Greater than" is strict: at 0.5 itself nothing general is left.
    strict = with_rules(opened(folder), thresholds={"general": 0.5, "character": 0.85})
    assert [name for name, category, _ in said(strict, red) if category != "rating"] == ["hatsune_miku"]
    # Pure blue, square: its upper left pixel has blue 1, red 0.
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 2] = 255
    assert said(tagger, blue) == [("general", "rating", 1.0), ("blue_sky", "general", 1.0)]


def test_mcut_cuts_at_the_largest_gap(folder: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[...] = [51, 102, 204]  # red 0.2, green 0.4, blue 0.8: the gap of the general tags is 0.4 to 0.8
    tagger = with_rules(opened(folder), mcut=frozenset({"general", "character"}))
    # A single character has no gap: the floor of 0.15 decides.
    assert [name for name, _, _ in said(tagger, picture)] == ["general", "blue_sky", "hatsune_miku"]


def test_answers_do_not_depend_on_the_batch(folder: Path) -> None:
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (3 + n, 5, 3)).astype(np.uint8) for n in range(11)]
    tagger = opened(folder)
    together = tagger.scores(pictures)
    assert together.shape == (11, 5)
    assert np.array_equal(together, np.concatenate([tagger.scores([picture]) for picture in pictures]))
    assert tagger.scores([]).shape == (0, 5)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_graph_with_a_fixed_batch_takes_any_number_of_pictures(folder: Path, batch: int) -> None:
    write_model(folder, side=4, weights=np.ones((48, 5)) / 48, batch=batch)
    assert np.allclose(opened(folder).scores([np.full((4, 4, 3), 255, np.uint8)] * 3), np.ones((3, 5)))


def test_logits_where_scores_belong_are_refused(folder: Path) -> None:
    write_model(folder, side=4, weights=np.zeros((48, 5)), bias=[-3.0, 0.1, 0.2, 0.3, 4.0])
    with pytest.raises(BadInput, match="from -3 to 4, not from 0 to 1"):
        opened(folder).scores([np.zeros((4, 4, 3), np.uint8)])


def test_values_that_are_no_numbers_are_refused(folder: Path) -> None:
    write_model(folder, side=4, weights=np.zeros((48, 5)), bias=[0.0, 0.1, float("nan"), 0.3, 0.4])
    with pytest.raises(BadInput, match="not from 0 to 1"):
        opened(folder).scores([np.zeros((4, 4, 3), np.uint8)])


def test_what_half_precision_adds_is_cut_off(folder: Path) -> None:
    write_model(folder, side=4, weights=np.zeros((48, 5)), bias=[-0.0004, 0.1, 0.2, 0.3, 1.0004])
    scores = opened(folder).scores([np.zeros((4, 4, 3), np.uint8)])[0]
    assert (scores[0], scores[4]) == (0.0, 1.0)


def test_a_second_output_with_an_embedding_is_left_alone(folder: Path) -> None:
    path = folder / "model.onnx"
    write_linear(path, ["n", 4, 4, 3], np.zeros((48, 5)), bias=[0.1, 0.2, 0.3, 0.4, 0.9])
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["n", 48]))
    onnx.save(model, path)
    assert opened(folder).scores([np.zeros((4, 4, 3), np.uint8)]).shape == (1, 5)


def test_a_table_of_another_model_is_reported(folder: Path) -> None:
    write_tags(folder, [("general", 9), ("a", 0)])
    with pytest.raises(BadInput, match="2 labels are listed, but the network outputs 5"):
        opened(folder)


def test_a_weights_file_that_is_not_onnx_is_reported(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"<html>404 not found</html>")
    with pytest.raises(BadInput, match="is not ONNX"):
        opened(folder)


def test_another_graph_is_reported(folder: Path) -> None:
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 5)))
    with pytest.raises(BadInput, match="a different type"):
        opened(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "first line"), ("tag_id,name,category,count\n", "empty"), ("a,b\n1,2\n", "first line"),
        ("tag_id,name,category,count\n1,x,zero,3\n", "row 2"),
        ("tag_id,name,category,count\n1,x\x07,0,3\n", "row 2.*cannot be a tag"),
    ],
)  # fmt: skip
def test_a_broken_table_is_reported(folder: Path, text: str, told: str) -> None:
    (folder / "selected_tags.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        opened(folder)


def test_labels_and_identity_are_known_without_loading_the_network(folder: Path) -> None:
    (folder / registry.CARD).write_text('{"family": "wd", "revision": "abc", "licence": "Apache-2.0"}')
    description = registry.describe(registry.find("wd-tiny", folder.parent, task="tags"))
    assert [label.name for label in description.labels][-1] == "hatsune_miku"
    assert (description.info.name, description.info.revision, description.info.licence, description.info.settings) == (
        "wd-tiny", "abc", "Apache-2.0", {},
    )  # fmt: skip
    assert description.info == opened(folder).info


def test_the_real_table_is_read(test_data: Path) -> None:
    from annotate.backends.taggers.label_lists import read_table

    labels = read_table(test_data / "tags" / "wd_selected_tags.csv")
    assert [one.name for one in labels if one.category == "rating"] == [
        "general", "sensitive", "questionable", "explicit",
    ]  # fmt: skip
    assert len(labels) == 6914
    # One row of this file is blank; the rows after it must keep their places.
    assert [number for number, label in enumerate(labels) if not label.name] == [4995]
    assert labels[4996].name == "slapping"
