"""Classifiers: fed as deepghs' are, labels as meta tags, beauty by percentile as worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.algorithms.tag_rules import tag_name
from annotate.backends.taggers import classifier
from annotate.backends.taggers.preprocess_json import read_stages
from ingest.errors import BadInput
from tests.annotate.scorer_graphs import opened, said, write_classifier, write_linear

GREY = np.full((4, 4, 3), 128, np.uint8)
KINDS = ["3d", "bangumi", "comic", "illustration", "not_painting"]


def followed(folder: Path) -> list[str]:
    scorer = opened(folder)
    return [tag_name(label) for label, _ in scorer.accepted_tags.accepted(scorer.scores([GREY])[0])]


def test_the_best_label_follows_as_a_tag_of_its_subject(tmp_path: Path) -> None:
    write_classifier(tmp_path / "kind", KINDS, [0.1, 0.5, 0.2, 0.15, 0.05])
    assert said(opened(tmp_path / "kind"), GREY) == [("bangumi", "class", 0.5)]
    assert followed(tmp_path / "kind") == ["class:bangumi"]
    write_classifier(tmp_path / "age", ["safe", "r15", "r18"], [0.1, 0.7, 0.2])
    assert followed(tmp_path / "age") == ["rating:r15"]
    write_classifier(tmp_path / "tone", ["monochrome", "normal"], [0.9, 0.1])
    assert followed(tmp_path / "tone") == ["monochrome:monochrome"]


def test_the_subject_comes_from_the_card_or_else_from_the_folders_name(tmp_path: Path) -> None:
    write_classifier(tmp_path / "Eye Colour", ["blue", "Red"], [0.1, 0.9])
    write_classifier(tmp_path / "eye-colour.v2", ["blue", "Red"], [0.1, 0.9])
    assert followed(tmp_path / "eye-colour.v2") == ["eye_colour_v2:red"]
    card = {"family": "classifier", "options": {"prefix": "eyes"}}
    write_classifier(tmp_path / "eye-colour.v2", ["blue", "Red"], [0.1, 0.9], card=card)
    assert followed(tmp_path / "eye-colour.v2") == ["eyes:red"]


def test_without_stages_a_picture_is_stretched_bilinearly_to_minus_1_to_1(tmp_path: Path) -> None:
    folder = tmp_path / "kind"
    write_classifier(folder, ["a", "b"], [0, 0])
    weights = np.zeros((48, 2))
    weights[[2, 34], [0, 1]] = 0.5  # half of the red and blue of row 0, column 2, so that they lie in -0.5..0.5
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], weights, bias=[0.5, 0.5])
    picture = np.random.default_rng(1).integers(0, 256, (5, 9, 3)).astype(np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((4, 4), Image.Resampling.BILINEAR), np.float64)
    scores = opened(folder).scores([picture])[0]
    assert scores == pytest.approx([small[0, 2, 0] / 255, small[0, 2, 2] / 255], abs=1e-6)


def test_a_network_for_any_size_gets_384(tmp_path: Path) -> None:
    folder = tmp_path / "kind"
    write_classifier(folder, ["a", "b"], [0.5, 0.5])
    write_linear(folder / "model.onnx", ["n", 3, "h", "w"], np.zeros((3 * 384 * 384, 2)), bias=[0.4, 0.6])
    assert opened(folder).fit(GREY).shape == (384, 384, 3)


def stages_of(path: Path, *stages: Mapping[str, object]) -> Path:
    path.write_text(json.dumps({"stages": stages}))
    return path


def test_stages_scale_the_shorter_side_and_cut_the_middle_out(tmp_path: Path) -> None:
    built = read_stages(
        stages_of(
            tmp_path / "p.json", {"type": "resize", "size": 4, "interpolation": "nearest"},
            {"type": "center_crop", "size": [2, 4]}, {"type": "maybe_to_tensor"},
            {"type": "normalize", "mean": 0.25, "std": [0.5, 0.5, 0.25]},
        )
    )  # fmt: skip
    picture = np.zeros((8, 18, 3), np.uint8)  # becomes 9 x 4, of which columns 2 to 5 and rows 1 to 2 stay
    picture[:, :, 0] = np.arange(18) * 10
    fitted = built.fit(picture)
    assert fitted.shape == (2, 4, 3)
    assert fitted[0, :, 0].tolist() == [50, 70, 90, 110]  # nearest takes columns 5, 7, 9, 11 of the 18
    tensor = built.spec.tensor(fitted[None])
    assert tensor.shape == (1, 3, 2, 4)
    assert tensor[0, 0, 0, 0] == pytest.approx((50 / 255 - 0.25) / 0.5)
    assert tensor[0, 2, 0, 0] == pytest.approx(-0.25 / 0.25)


def test_a_crop_larger_than_the_picture_is_black_outside(tmp_path: Path) -> None:
    built = read_stages(stages_of(tmp_path / "p.json", {"type": "center_crop", "size": 5}, {"type": "to_tensor"}))
    fitted = built.fit(GREY)
    assert fitted.shape == (5, 5, 3)
    assert not fitted[4].any() and not fitted[:, 4].any() and (fitted[:4, :4] == 128).all()


def test_pad_to_size_keeps_the_ratio_and_puts_a_colour_round_the_picture(tmp_path: Path) -> None:
    pad = {"type": "pad_to_size", "size": [6, 4], "background_color": [1, 2, 3], "interpolation": "nearest"}
    built = read_stages(stages_of(tmp_path / "p.json", pad, {"type": "to_tensor"}))
    assert (built.spec.width, built.spec.height) == (6, 4)  # the width first, unlike a resize
    tall = built.fit(np.full((8, 3, 3), 200, np.uint8))
    # min(6 / 3, 4 / 8) = 0.5: 1.5 columns become 2 (halves go to the even number), from column (6 - 2) // 2 = 2 on.
    assert tall.shape == (4, 6, 3)
    assert (tall[:, 2:4] == 200).all()
    assert (tall[:, :2] == [1, 2, 3]).all() and (tall[:, 4:] == [1, 2, 3]).all()
    # 2 x 1 is made larger: 3 times, rows 0 (= (4 - 3) // 2) to 2; the last row is colour.
    small = built.fit(np.array([[[10, 10, 10], [250, 250, 250]]], np.uint8))
    assert small[2, :, 0].tolist() == [10, 10, 10, 250, 250, 250]
    assert (small[3] == [1, 2, 3]).all()
    # min(6 / 5, 4 / 1) = 1.2; five columns become six, one row stays one: 1.2 rounds to 1, at (4 - 1) // 2 = 1.
    flat = built.fit(np.full((1, 5, 3), 9, np.uint8))
    assert (flat[1] == 9).all() and (flat[[0, 2, 3]] == [1, 2, 3]).all()


@pytest.mark.parametrize(
    ("colour", "level"),
    [("white", [255, 255, 255]), ("#102030", [16, 32, 48]), (7, [7, 7, 7]), ([9, 8, 7, 0], [9, 8, 7])],
)
def test_the_colour_of_a_padding_is_a_name_a_grey_or_a_list(tmp_path: Path, colour: object, level: list[int]) -> None:
    pad: dict[str, object] = {"type": "pad_to_size", "size": 4, "background_color": colour}
    built = read_stages(stages_of(tmp_path / "p.json", pad, {"type": "to_tensor"}))
    assert built.fit(np.zeros((2, 4, 3), np.uint8))[0, 0].tolist() == level
    simple = read_stages(stages_of(tmp_path / "p.json", {"type": "pad_to_size", "size": 4}, {"type": "to_tensor"}))
    assert simple.fit(np.zeros((2, 4, 3), np.uint8))[0, 0].tolist() == [255, 255, 255]


def test_a_padding_is_bilinear_unless_told_and_a_resize_may_follow_it(tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (6, 12, 3)).astype(np.uint8)
    built = read_stages(
        stages_of(
            tmp_path / "p.json", {"type": "pad_to_size", "size": [8, 8]}, {"type": "resize", "size": 5},
            {"type": "maybe_to_tensor"},
        )
    )  # fmt: skip
    canvas = np.full((8, 8, 3), 255, np.uint8)
    canvas[2:6] = np.asarray(Image.fromarray(picture).resize((8, 4), Image.Resampling.BILINEAR))
    expected = np.asarray(Image.fromarray(canvas).resize((5, 5), Image.Resampling.BILINEAR))
    assert (built.spec.width, built.spec.height) == (5, 5)
    assert np.array_equal(built.fit(picture), expected)


@pytest.mark.parametrize(
    ("stages", "value"),
    [
        ([{"type": "rescale", "rescale_factor": 255.0}], 51.0),  # to_tensor has divided by 255 already
        ([{"type": "rescale", "rescale_factor": 0.5}], 0.1),
        ([{"type": "rescale"}], 51 / 255 / 255),  # 1 / 255 unless told
        # (0.2 * 2 - 0.1) / 0.5 = 0.6
        ([{"type": "rescale", "rescale_factor": 2}, {"type": "normalize", "mean": 0.1, "std": 0.5}], 0.6),
        # (0.2 - 0.1) / 0.5 * 4 = 0.8
        ([{"type": "normalize", "mean": 0.1, "std": 0.5}, {"type": "rescale", "rescale_factor": 4}], 0.8),
        # ((0.2 - 0.1) / 0.5 - 0.7) / 0.25 = (0.2 - 0.7) * 4 = -2
        ([{"type": "normalize", "mean": 0.1, "std": 0.5}, {"type": "normalize", "mean": 0.7, "std": 0.25}], -2.0),
    ],
)
def test_numbers_are_rescaled_and_normalized_in_the_order_of_the_stages(
    tmp_path: Path, stages: list[dict[str, object]], value: float
) -> None:
    first: list[dict[str, object]] = [{"type": "resize", "size": [2, 2]}, {"type": "to_tensor"}]
    spec = read_stages(stages_of(tmp_path / "p.json", *first, *stages)).spec
    tensor = spec.tensor(np.full((1, 2, 2, 3), 51, np.uint8))  # 51 is a fifth of 255
    assert tensor == pytest.approx(np.full((1, 3, 2, 2), value), rel=1e-6)


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([{"type": "to_tensor"}, {"type": "pad_to_size", "size": 4}], "after the conversion to a tensor"),
        ([{"type": "rescale"}, {"type": "to_tensor"}], "before the conversion to a tensor"),
        ([{"type": "pad_to_size", "size": [4]}], "size .4. cannot be used"),
        ([{"type": "pad_to_size", "size": [0, 4]}], "cannot be used"),
        ([{"type": "pad_to_size", "size": 4, "background_color": "no such colour"}], "no such colour"),
        ([{"type": "pad_to_size", "size": 4, "background_color": [0, 0, 256]}], "background_color"),
        ([{"type": "pad_to_size", "size": 4, "interpolation": "sinc"}], "sinc"),
        ([{"type": "resize", "size": 99999}], "99999 cannot be used"),
        ([{"type": "to_tensor"}, {"type": "rescale", "rescale_factor": 0}], "rescale_factor must be above 0"),
    ],
)
def test_stages_that_cannot_be_done_are_reported(tmp_path: Path, stages: list[dict[str, object]], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_stages(stages_of(tmp_path / "p.json", *stages))


# Scores 0, 1, 2, 4, 6 at shares 0, 0.2, 0.5, 0.9, 1.
CURVE = np.array([[0.0, 1.0, 2.0, 4.0, 6.0], [0.0, 0.2, 0.5, 0.9, 1.0]])


@pytest.mark.parametrize(
    ("score", "share"),
    [
        (0.0, 0.0), (1.0, 0.2), (2.0, 0.5), (6.0, 1.0), (9.0, 1.0), (-1.0, 0.0),
        # 1.5: the first sample not below is 2; along the line from 2 to 4 (slope 0.2): 0.5 - 0.5 * 0.2 = 0.4.
        (1.5, 0.4),
        # 3: the first not below is 4; slope 0.05 from 4 to 6: 0.9 - 0.05 = 0.85.
        (3.0, 0.85),
        (5.0, 1.0),  # the last sample is the first not below
    ],
)  # fmt: skip
def test_the_percentile_follows_the_samples_as_the_reference_reads_them(score: float, share: float) -> None:
    assert classifier.percentile(score, CURVE) == pytest.approx(share)


def test_beauty_is_the_step_that_the_percentile_reaches(tmp_path: Path) -> None:
    folder = tmp_path / "aesthetic"
    # 0.2 * 2 + 0.6 * 3 + 0.2 * 4 = 3: percentile 0.85, which reaches "best".
    write_classifier(folder, classifier.AESTHETIC, [0, 0, 0.2, 0.6, 0.2, 0, 0])
    np.savez(folder / "samples.npz", CURVE)
    scorer = opened(folder)
    scores = scorer.scores([GREY])[0]
    assert classifier.mean_class(scores) == pytest.approx(3.0)
    assert scores[7] == pytest.approx(0.85)
    assert len(scorer.labels) == 8
    # The last of float32 decides at the very edge; a hair more is surely "best".
    assert said(scorer, GREY)[0][:2] in (("best", "aesthetic"), ("great", "aesthetic"))
    write_classifier(folder, classifier.AESTHETIC, [0, 0, 0.19, 0.6, 0.21, 0, 0])
    assert followed(folder) == ["aesthetic:best"]
    write_classifier(folder, classifier.AESTHETIC, [1, 0, 0, 0, 0, 0, 0])
    assert followed(folder) == ["aesthetic:worst"]


def test_samples_are_never_unpickled(tmp_path: Path) -> None:
    folder = tmp_path / "aesthetic"
    write_classifier(folder, classifier.AESTHETIC, [1, 0, 0, 0, 0, 0, 0])
    np.savez(folder / "samples.npz", np.array([{"a": 1}], object))
    with pytest.raises(BadInput, match="holds Python objects"):
        opened(folder)
    np.savez(folder / "samples.npz", CURVE[:, ::-1])
    with pytest.raises(BadInput, match="not a curve"):
        opened(folder)


@pytest.mark.parametrize("meta", ["{", "[]", '{"labels": []}', '{"labels": [1]}', '{"labels": ["a\\u0007"]}'])
def test_broken_labels_are_reported(tmp_path: Path, meta: str) -> None:
    folder = tmp_path / "kind"
    write_classifier(folder, ["a"], [1.0])
    (folder / "meta.json").write_text(meta)
    with pytest.raises(BadInput, match=r"meta\.json"):
        opened(folder)
