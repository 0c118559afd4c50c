"""DeepDanbooru, ML-Danbooru, CL and PixAI: each fed and read as its reference does, on graphs that give back pixels."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from annotate.backends.model_files import registry
from annotate.backends.taggers.scorer import sigmoid
from ingest.errors import BadInput
from tests.annotate.scorer_graphs import opened, said, write_linear

# Two rows of four pixels; the third is red 30, green 60, blue 90.
PICTURE = np.array(
    [[[0, 0, 0], [255, 0, 51], [30, 60, 90], [1, 2, 3]], [[9, 9, 9], [8, 8, 8], [7, 7, 7], [255, 255, 255]]], np.uint8
)


def picker(size: int, places: list[int]) -> NDArray[np.float64]:
    """Weights [size, outputs] that give the values at these places of the flattened tensor."""
    weights = np.zeros((size, len(places)))
    weights[places, np.arange(len(places))] = 1
    return weights


def channels_last(row: int, column: int, channel: int, side: int = 4) -> int:
    return (row * side + column) * 3 + channel


def channels_first(row: int, column: int, channel: int, side: int = 4) -> int:
    return (channel * side + row) * side + column


def test_deepdanbooru_gets_black_round_the_picture_and_red_first_over_255(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    # (4 - 2) // 2 = 1: the picture begins in row 1; row 0 and row 3 are black.
    places = [channels_last(1, 2, 0), channels_last(1, 2, 2), channels_last(0, 1, 0), channels_last(1, 1, 0)]
    write_linear(folder / "deepdanbooru.onnx", ["n", 4, 4, 3], picker(48, places))
    rows = "name,real_name,category\nred,red,0\nblue,blue,0\nabove,above,0\nrating:safe,rating:safe,9\n"
    (folder / "deepdanbooru_tags.csv").write_text(rows)
    tagger = opened(folder)
    assert tagger.scores([PICTURE])[0] == pytest.approx([30 / 255, 90 / 255, 0, 1.0])
    assert said(tagger, PICTURE) == [("safe", "rating", 1.0)]


def test_deepdanbooru_rounds_the_shorter_side_down(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    write_linear(folder / "deepdanbooru.onnx", ["n", 4, 4, 3], picker(48, [channels_last(r, 0, 0) for r in range(4)]))
    (folder / "deepdanbooru_tags.csv").write_text("name,category\n" + "".join(f"row{n},0\n" for n in range(4)))
    # 8 x 5 becomes 4 x int(2.5) = 4 x 2, with one black row above and one below.
    white = np.full((5, 8, 3), 255, np.uint8)
    assert opened(folder).scores([white])[0].tolist() == [0.0, 1.0, 1.0, 0.0]


def test_ml_danbooru_is_stretched_and_its_logits_become_scores_from_the_threshold_on(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    weights = picker(48, [channels_first(0, 1, 0), channels_first(0, 1, 1), channels_first(0, 1, 2)])
    weights[:, 1] = 0
    edge = math.log(0.7 / 0.3)  # the logit of 0.7
    write_linear(folder / "ml_caformer_m36_dec-5-97527.onnx", ["n", 3, 4, 4], weights, bias=[0.0, edge + 1e-6, -4.0])
    (folder / "mldanbooru_tags.csv").write_text("name,real_name\nred,x\nedge,y\nblue,z\n")
    tagger = opened(folder)
    tall = np.repeat(PICTURE, 2, axis=0)  # 4 x 4: nothing is resized
    expected = [1 / (1 + math.exp(-1.0)), 0.7, 1 / (1 + math.exp(4 - 0.2))]
    assert tagger.scores([tall])[0] == pytest.approx(expected, abs=1e-5)
    assert [name for name, _, _ in said(tagger, tall)] == ["red", "edge"]
    wide = tagger.fit(np.zeros((10, 30, 3), np.uint8))
    assert wide.shape == (4, 4, 3) and not wide.any()  # no padding


def test_probabilities_where_logits_belong_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 2)), bias=[0.1, 0.9])
    (folder / "mldanbooru_tags.csv").write_text("name\nred\nblue\n")
    with pytest.raises(BadInput, match="probabilities instead of logits"):
        opened(folder).scores([PICTURE])


def test_the_sigmoid_is_exact_and_never_overflows() -> None:
    values = np.array([-1000, -1, 0, 1, 1000], np.float32)
    assert sigmoid(values) == pytest.approx([0, 0.26894142, 0.5, 0.73105858, 1])


CL_FIRST = {
    "0": {"tag": "1girl", "category": "General"}, "1": {"tag": "miku", "category": "Character"},
    "2": {"tag": "explicit", "category": "Rating"}, "3": {"tag": "general", "category": "Rating"},
    "5": {"tag": "best_quality", "category": "Quality"},
}  # fmt: skip


def test_the_first_cl_tagger_gets_a_white_square_with_blue_first_from_minus_1_to_1(tmp_path: Path) -> None:
    folder = tmp_path / "cl"
    # Channel 0 is blue: 90. Row 0 is white. Nobody names place 4.
    places = [channels_first(1, 2, 0), channels_first(1, 2, 2), channels_first(0, 0, 1), channels_first(1, 0, 0)]
    weights = picker(48, [*places, 0, 0])
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], weights, bias=[0, 1.2, 0, 0, 9, 0])
    (folder / "tag_mapping.json").write_text(json.dumps(CL_FIRST))
    tagger = opened(folder)
    logits = [90 / 127.5 - 1, 30 / 127.5 - 1 + 1.2, 1.0, -1.0]
    assert tagger.scores([PICTURE])[0][:4] == pytest.approx([1 / (1 + math.exp(-x)) for x in logits], abs=1e-6)
    # 0.4279 < 0.55; 0.6067 >= 0.6; of ratings the best alone.
    assert [(name, category) for name, category, _ in said(tagger, PICTURE)] == [
        ("miku", "character"), ("explicit", "rating"), ("best_quality", "quality"),
    ]  # fmt: skip


def test_the_second_cl_tagger_is_stretched_with_red_first(tmp_path: Path) -> None:
    folder = tmp_path / "cl2"
    write_linear(folder / "model.onnx", ["n", 3, 2, 4], picker(24, [2, 18]), output="logits")  # red, blue of (0, 2)
    words = {"idx_to_tag": {"0": "1girl", "1": "sky"}, "tag_to_category": {"1girl": "General", "sky": "General"}}
    (folder / "model_vocabulary.json").write_text(json.dumps(words))
    scores = opened(folder).scores([PICTURE])[0]
    assert scores == pytest.approx(sigmoid(np.array([30 / 127.5 - 1, 90 / 127.5 - 1], np.float32)), abs=1e-6)


@pytest.mark.parametrize(
    "mapping", ["[]", "{}", '{"a": {"tag": "x", "category": "General"}}', '{"0": 7}', '{"999999": {"tag": "x"}}', "{"]
)
def test_a_broken_list_of_places_is_reported(tmp_path: Path, mapping: str) -> None:
    folder = tmp_path / "cl"
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 1)))
    (folder / "tag_mapping.json").write_text(mapping)
    with pytest.raises(BadInput, match="tag_mapping"):
        opened(folder)


STAGES: list[dict[str, Any]] = [
    {"type": "convert_rgb", "force_background": "white"},
    {"type": "resize", "size": [4, 4], "interpolation": "bilinear", "max_size": None, "antialias": True},
    {"type": "to_tensor"},
    {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
]


@pytest.fixture()
def pixai(tmp_path: Path) -> Path:
    """Three outputs like PixAI's; `prediction` is constant: 0.30, 0.29, 0.8, 0.9, 0.1."""
    folder = tmp_path / "pixai"
    bias = [0.30, 0.29, 0.8, 0.9, 0.1]
    write_linear(
        folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 5)), bias=bias, output="prediction",
        more=["embedding", "logits"],
    )  # fmt: skip
    (folder / "selected_tags.csv").write_text(
        "id,tag_id,name,category,count,ips\n"
        "0,10,smile,0,5,[]\n1,11,sky,0,5,[]\n"
        '2,12,hu_tao_(genshin_impact),4,5,"[""genshin_impact""]"\n'
        '3,13,other_girl,4,5,"[""genshin_impact"", ""another_series""]"\n'
        '4,14,nobody,4,5,"[""a_third""]"\n'
    )
    (folder / "thresholds.csv").write_text("category,name,threshold\n0,general,0.3\n4,character,0.75\n0,general,0.9\n")
    (folder / "preprocess.json").write_text(json.dumps({"stages": STAGES}))
    return folder


def test_pixais_thresholds_include_themselves_and_characters_tell_their_series(pixai: Path) -> None:
    tagger = opened(pixai)
    assert tagger.rules.thresholds == {"general": 0.3, "character": 0.75}
    assert said(tagger, PICTURE) == [
        ("smile", "general", 0.3), ("other_girl", "character", 0.9), ("hu_tao_(genshin_impact)", "character", 0.8),
        ("another_series", "copyright", 0.9), ("genshin_impact", "copyright", 0.9),
    ]  # fmt: skip


def test_pixai_is_fed_by_its_stages(pixai: Path) -> None:
    write_linear(
        pixai / "model.onnx", ["n", 3, 4, 4], picker(48, [channels_first(0, 1, c) for c in (0, 1, 2, 0, 0)]),
        output="logits",
    )  # fmt: skip
    square = np.repeat(PICTURE, 2, axis=0)
    scores = opened(pixai).scores([square])[0]  # only logits there: a sigmoid makes them scores
    assert scores[:3] == pytest.approx(sigmoid(np.array([1.0, -1.0, 51 / 127.5 - 1], np.float32)), abs=1e-6)
    big = np.random.default_rng(3).integers(0, 256, (11, 7, 3)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(big).resize((4, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(opened(pixai).fit(big), expected)


def test_a_category_without_a_threshold_takes_four_tenths(pixai: Path) -> None:
    (pixai / "thresholds.csv").unlink()
    assert opened(pixai).rules.thresholds == {"general": 0.4, "character": 0.4}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("thresholds.csv", "category,name,threshold\n0,general,often\n", "no numbers"),
        ("thresholds.csv", "category,name,threshold\n0,general,7\n", "not between 0 and 1"),
        ("preprocess.json", '{"stages": [{"type": "resize", "size": [8, 8]}, {"type": "to_tensor"}]}', "takes 4 x 4"),
        ("preprocess.json", '{"stages": [{"type": "blur"}]}', "'blur' is not known"),
        ("preprocess.json", '{"stages": [{"type": "resize", "size": 4}, {"type": "to_tensor"}]}', "different sizes"),
        ("preprocess.json", '{"stages": [{"type": "resize", "size": [4, 99999]}]}', "cannot be used"),
        ("selected_tags.csv", "name,category,ips\na,0,{}\nb,0,\nc,0,\nd,0,\ne,0,\n", "not a list of series"),
    ],
)
def test_pixais_broken_files_are_reported(pixai: Path, file: str, text: str, told: str) -> None:
    (pixai / file).write_text(text)
    with pytest.raises(BadInput, match=told):
        opened(pixai)


def test_folders_without_a_card_are_recognised_by_their_files(pixai: Path) -> None:
    model = registry.find("pixai", pixai.parent, task="tags")
    assert model.family.name == "pixai"
    (pixai / "preprocess.json").unlink()
    assert registry.find("pixai", pixai.parent, task="tags").family.name == "wd"
