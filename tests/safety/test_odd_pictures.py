"""Pictures of odd shapes and kinds, shown to models of every kind: an answer or words, and never all of the memory."""

from __future__ import annotations

import io
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from PIL import Image

from annotate.actions.head_crops import head_file
from annotate.backends.boxes import known_detectors
from annotate.backends.boxes.text import PaddleText
from annotate.backends.embedders.ccip import CcipEmbedder
from annotate.backends.masks.isnet import IsnetMask
from annotate.backends.runtime.inputs import PILLOW, Fit, InputSpec, Resample, padded
from annotate.backends.upscalers import known_upscalers
from annotate.models import FrameTag
from ingest.actions import runs
from ingest.imaging.decode import read_picture
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, RunState, Source, StageRun
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.onnx_graphs import red, write_yolo
from tests.annotate.scorer_graphs import opened, write_linear, write_model, write_tags
from tests.annotate.upscale_graph import write_cdc, write_esrgan

SHAPES = [(1, 1), (1, 20_000), (20_000, 1), (2, 3), (7, 4001)]  # height, width


@contextmanager
def little_memory(more_bytes: int) -> Iterator[None]:
    """Whatever takes so much more than now gets a MemoryError."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("resample", [Resample.BILINEAR, Resample.BICUBIC, Resample.LANCZOS, Resample.NEAREST])
@pytest.mark.parametrize("shape", [(901, 7), (2000, 1), (300, 60), (449, 5)])
def test_a_tall_picture_becomes_the_same_square_without_its_large_canvas(shape: Any, resample: Resample) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    spec = InputSpec(448, 448, fit_by=Fit.PAD_SQUARE, resample=resample)
    square = Image.fromarray(padded(picture, shape[0], shape[0], fill=255)).resize((448, 448), PILLOW[resample])
    assert np.array_equal(spec.fit(picture), np.asarray(square))


def test_a_strip_of_a_comic_does_not_fill_the_memory() -> None:
    """800 x 30,000 pixels are a usual web comic; the square of its longer side has 2.7 GB."""
    spec = InputSpec(64, 64, fit_by=Fit.PAD_SQUARE, resample=Resample.BILINEAR)
    strip = np.full((20_000, 40, 3), 9, np.uint8)
    with little_memory(400 << 20):
        assert spec.fit(strip)[:, :20].min() == 255


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["builtin", "builtin-small", "face_detect_x", "face_detect_x dynamic"])
def test_face_detectors_take_any_shape(tmp_path: Path, name: str, shape: tuple[int, int]) -> None:
    write_yolo(tmp_path / "face_detect_x", np.array([[32], [32], [20], [20], [0.9]], np.float32))
    stem, _, dynamic = name.partition(" ")
    detector = known_detectors.open_detector(stem, tmp_path, device="cpu", dynamic=bool(dynamic))
    (answer,) = detector.detect([red(shape[1], shape[0])])
    assert np.isfinite(answer.boxes).all()
    assert (answer.boxes >= 0).all() and (answer.boxes <= [shape[1], shape[0]] * 2).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_taggers_classifiers_masks_and_embedders_take_any_shape(tmp_path: Path, shape: tuple[int, int]) -> None:
    picture = red(shape[1], shape[0])
    tagger = tmp_path / "wd-tiny"
    tagger.mkdir()
    write_tags(tagger, [("sky", 0), ("general", 9)])
    write_model(tagger, side=4, weights=np.full((48, 2), 1 / 48))
    assert opened(tagger).scores([picture]).shape == (1, 2)
    kind = tmp_path / "kind"
    write_linear(kind / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 2)), bias=[0.6, 0.4])
    (kind / "meta.json").write_text(json.dumps({"labels": ["comic", "3d"]}))
    assert opened(kind).scores([picture]).shape == (1, 2)
    assert CcipEmbedder(write_ccip(tmp_path / "ccip"), device="cpu").embed([picture]).shape == (1, 768)


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_masks_and_text_take_any_shape_or_say_why_not(tmp_path: Path, shape: tuple[int, int]) -> None:
    from ingest.errors import BadInput
    from tests.annotate.backends.test_mask_isnet import write_isnet
    from tests.annotate.backends.test_text_ocr import write_text

    picture = red(shape[1], shape[0])
    assert IsnetMask(write_isnet(tmp_path / "isnetis"), device="cpu").mask(picture).shape == shape
    text = PaddleText(write_text(tmp_path / "ch_PP-OCRv4_det"), device="cpu")
    if max(shape) > 4096:
        with pytest.raises(BadInput, match="20000"):
            text.fit(picture)
    else:
        assert len(text.answer(text.fit(picture)[None], [(shape[1], shape[0])])) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 3)])
def test_upscalers_take_any_shape(tmp_path: Path, shape: tuple[int, int]) -> None:
    write_esrgan(tmp_path / "esrgan" / "RealESRGAN_x4plus_anime_6B.onnx")
    write_cdc(tmp_path / "cdc" / "HGSR-MHR-anime-aug_X4_320.onnx")
    for name in ("esrgan", "cdc", "lanczos"):
        upscaler = known_upscalers.open_upscaler(name, tmp_path, device="cpu")
        upscaled = upscaler.upscale(red(shape[1], shape[0]), times=1)
        assert upscaled.shape == (upscaler.factor * shape[0], upscaler.factor * shape[1], 3), name
        assert (upscaled == (255, 0, 0)).all(), name


def kinds() -> dict[str, Image.Image]:
    """The same red drawing in every kind of pixel that files have."""
    rgb = Image.fromarray(red(24, 16))
    clear = rgb.convert("RGBA")
    clear.putalpha(200)
    return {
        "CMYK": rgb.convert("CMYK"), "palette": rgb.convert("P"), "grey": rgb.convert("L"), "one bit": rgb.convert("1"),
        "alpha": clear, "16 bit": Image.fromarray(np.full((16, 24), 30_000, np.uint16)),
        "float": Image.fromarray(np.full((16, 24), np.nan, np.float32)),
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_kind_of_pixel_reaches_a_model_as_three_bytes(kind: str) -> None:
    packed = io.BytesIO()
    kinds()[kind].save(packed, "PNG" if kind in ("16 bit", "palette", "one bit", "alpha", "grey") else "TIFF")
    rgb = read_picture(packed.getvalue(), name=kind).rgb
    assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == ((16, 24, 3), np.uint8, True)
    assert len(known_detectors.open_detector("builtin", Path("/"), device="cpu").detect([rgb])) == 1


def test_heads_are_cut_of_any_picture() -> None:
    for height, width in SHAPES:
        for box in ((0.0, 0.0, 1.0, 1.0), (0.4, 0.4, 0.6, 0.6), (0.0, 0.0, 1e-4, 1e-4)):
            head = read_picture(head_file(red(width, height), box), name="head").rgb
            assert min(head.shape) > 0 and max(head.shape) <= 2000


@pytest.mark.django_db
def test_a_picture_that_one_tagger_does_not_take_is_reported_and_the_others_are_tagged(
    collection: Collection, settings: Any
) -> None:
    """A line of one pixel would become millions; it must not keep a whole collection from being tagged."""
    folder = Path(settings.KOMA_MODELS_DIR) / "pixai-tiny"
    folder.mkdir(parents=True)
    write_tags(folder, [("sky", 0), ("sea", 0)])
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 2)), bias=[0.9, 0.1], output="prediction")
    stages = ({"type": "resize", "size": 2000}, {"type": "resize", "size": [4, 4]}, {"type": "to_tensor"})
    (folder / "preprocess.json").write_text(json.dumps({"stages": stages}))
    store = Store(django_settings.KOMA_DATA_DIR / "store")
    source = Source.objects.create(collection=collection, kind="pictures", name="set", path="set", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="set")
    for index, (height, width) in enumerate([(20, 30), (1, 20_000), (30, 20)]):
        packed = io.BytesIO()
        Image.fromarray(red(width, height)).save(packed, "PNG")
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=width, height=height,
            file=store.put(packed.getvalue(), "png"),
        )  # fmt: skip
    run = runs.run_here(
        runs.start(
            collection=collection, episodes=[episode], by=None, stage_names=("tag",),
            params={"tag": {"tagger": "pixai-tiny"}},
        )
    )  # fmt: skip
    row = StageRun.objects.get(run=run, stage="tag")
    assert row.state == RunState.DONE, row.error
    assert "frame 1 was not tagged: pixai-tiny: its 20000 x 1 pixels are too long and thin" in row.log
    tagged = FrameTag.objects.filter(tag__name="sky").values_list("frame__index", flat=True)
    assert sorted(tagged) == [0, 2]
