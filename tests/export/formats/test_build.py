"""A dataset on disk: its layout, its bytes, and that stopping it at any moment changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from export.algorithms.plan import make_plan
from export.algorithms.recipe import Recipe, parse
from export.algorithms.rows import Face, Picture
from export.build.sinks import FolderSink, move_whole, zip_folder
from export.build.summary import MANIFEST
from export.build.write import build
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import Store, StoreFull

NAMES = ["Mai", "MAI", "../../etc", "con", "A+B", "花子" * 30, "Ena."]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, number: int, *, width: int = 128, height: int = 72) -> str:
    rgb = np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return store.put(cv2.imencode(".png", rgb)[1].tobytes(), "png")


def pictures(store: Store, count: int = 24) -> list[Picture]:
    rows = []
    for number in range(count):
        names = [NAMES[number % len(NAMES)], NAMES[(number * 3 + 1) % len(NAMES)]][: number % 3]
        faces = [
            Face(
                left=0.1 + 0.4 * index,
                top=0.2,
                right=0.3 + 0.4 * index,
                bottom=0.2 + 0.2 * (1 + number % 3),
                character=name,
            )
            for index, name in enumerate(names)
        ] or [Face(left=0.4, top=0.4, right=0.6, bottom=0.6)]
        rows.append(
            Picture(
                key=f"source:{number:04d}",
                stem=f"yamaS2_EP04_{number:06d}",
                file=put(store, number),
                width=128,
                height=72,
                faces=tuple(faces),
                tags=("1girl", "long_hair", "smile", "outdoors"),
                scores=(0.9, 0.8, 0.7, 0.6),
                series="yama",
                episode="S2EP04",
            )
        )
    return rows


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recipe(**sections: object) -> Recipe:
    return parse({"arrange": {"min_per_combination": 1}} | sections)


def test_every_picture_has_its_json_and_caption_and_every_filled_folder_its_multiply(
    store: Store, tmp_path: Path
) -> None:
    chosen = recipe()
    plan = make_plan(pictures(store), chosen)

    build(plan, chosen, store=store, folder=tmp_path / "out")

    images = sorted((tmp_path / "out").rglob("*.png"))
    assert len(images) == 24
    for image in images:
        assert "general" in json.loads(image.with_suffix(".json").read_text())
        assert "anishot yamaS2EP04" in image.with_suffix(".txt").read_text()
        assert float((image.parent / "multiply.txt").read_text()) >= 1
    assert any(image.parent.parts[-3:] == ("1_character", "Mai~2", "face_height_ratio_25-50") for image in images)
    assert all(image.resolve().is_relative_to(tmp_path / "out") for image in images)
    assert all(unicodedata.is_normalized("NFC", image.name) for image in images)


def test_the_same_recipe_gives_the_same_bytes_whatever_the_order_of_the_rows(store: Store, tmp_path: Path) -> None:
    chosen = recipe(caption={"shuffle_tags": True, "tags_prob": 0.5, "seed": 3}, crops={"enabled": True})
    rows = pictures(store)

    for name, values in (("a", rows), ("b", rows[::-1])):
        build(make_plan(values, chosen), chosen, store=store, folder=tmp_path / name)

    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert any("_1.png" in name for name in hashes(tmp_path / "a"))


def test_files_with_long_names_that_begin_alike_are_written_at_once(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path)
    names = [f"{'a' * 90}{number:03d}.png" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: sink.write(name, name.encode()), names))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: name for name in names}


def test_a_file_that_is_in_place_keeps_its_bytes_when_the_disk_is_full(tmp_path: Path) -> None:
    import resource

    (tmp_path / "a.txt").write_text("as it was")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, hard))  # the kernel refuses larger files, as a full disk would
    try:
        with pytest.raises(StoreFull):
            FolderSink(tmp_path).replace("a.txt", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "as it was"}
    FolderSink(tmp_path).replace("a.txt", b"new")
    assert (tmp_path / "a.txt").read_text() == "new"


class Stop(Exception):
    pass


@pytest.mark.parametrize("at", [0, 16, 32])
def test_a_build_that_was_stopped_goes_on_and_ends_with_the_same_files(store: Store, tmp_path: Path, at: int) -> None:
    chosen = recipe()
    plan = make_plan(pictures(store, 40), chosen)
    build(plan, chosen, store=store, folder=tmp_path / "whole")

    def stop(done: int) -> None:
        if done >= at:
            raise Stop

    with pytest.raises(Stop):
        build(plan, chosen, store=store, folder=tmp_path / "out", on_progress=stop)
    last = list(plan.items)[-1]
    half = (tmp_path / "out").joinpath(*last.folder, f"{last.stem}.png")  # of a killed process
    half.parent.mkdir(parents=True, exist_ok=True)
    if not half.exists():
        half.write_bytes(b"half")
    built = build(plan, chosen, store=store, folder=tmp_path / "out")

    assert built.resumed + built.written == 40
    assert built.resumed >= at
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_a_picture_that_another_program_changed_is_found_and_written_again(store: Store, tmp_path: Path) -> None:
    chosen = recipe()
    plan = make_plan(pictures(store, 40), chosen)
    build(plan, chosen, store=store, folder=tmp_path / "whole")

    def change(done: int) -> None:
        if done == 40:
            picture = next((tmp_path / "out").rglob("*.png"))
            picture.write_bytes(picture.read_bytes()[:-1])

    with pytest.raises(KomaError, match="was not written correctly"):
        build(plan, chosen, store=store, folder=tmp_path / "out", on_progress=change)
    built = build(plan, chosen, store=store, folder=tmp_path / "out")
    assert (built.written, built.resumed) == (1, 39)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_part_of_another_plan_is_never_mixed_in(store: Store, tmp_path: Path) -> None:
    first, second = recipe(), recipe(selection={"format": "webp"})
    plan = make_plan(pictures(store, 20), first)

    def stop(done: int) -> None:
        if done:
            raise Stop

    with pytest.raises(Stop):
        build(plan, first, store=store, folder=tmp_path / "out", on_progress=stop)
    build(make_plan(pictures(store, 20), second), second, store=store, folder=tmp_path / "out")

    assert not list((tmp_path / "out").rglob("*.png"))
    assert len(list((tmp_path / "out").rglob("*.webp"))) == 20


def test_a_stored_picture_that_is_gone_is_named_and_the_rest_is_kept(store: Store, tmp_path: Path) -> None:
    chosen = recipe()
    rows = pictures(store, 6)
    store.remove(rows[2].file)

    with pytest.raises(KomaError, match="yamaS2_EP04_000002"):
        build(make_plan(rows, chosen), chosen, store=store, folder=tmp_path / "out")

    put(store, 2)
    assert build(make_plan(rows, chosen), chosen, store=store, folder=tmp_path / "out").resumed == 5


def test_sizes_and_crops_are_as_the_recipe_says(store: Store, tmp_path: Path) -> None:
    row = Picture(
        key="k",
        stem="x",
        file=put(store, 1, width=1920, height=1080),
        width=1920,
        height=1080,
        faces=(Face(left=0.0, top=0.0, right=0.9, bottom=1.0),),
    )
    chosen = recipe(selection={"size": 512, "format": "jpeg"}, crops={"enabled": True})

    build(make_plan([row], chosen), chosen, store=store, folder=tmp_path / "out")

    complete = next((tmp_path / "out").rglob("x.jpg"))
    crop = next((tmp_path / "out").rglob("x_1.jpg"))
    assert Image.open(complete).size == (910, 512)
    assert Image.open(crop).size == (512, 512)
    assert np.asarray(Image.open(crop))[:60].max() < 20  # padded with black
    assert json.loads(crop.with_suffix(".json").read_text())["cropped"] is True
    assert json.loads(complete.with_suffix(".json").read_text())["cropped"] is False


def test_an_unchanged_picture_goes_out_with_its_very_bytes(store: Store, tmp_path: Path) -> None:
    rows = pictures(store, 1)

    build(make_plan(rows, recipe()), recipe(), store=store, folder=tmp_path / "out")

    assert next((tmp_path / "out").rglob("*.png")).read_bytes() == store.read(rows[0].file)


def test_a_caption_of_a_person_wins_on_one_line(store: Store, tmp_path: Path) -> None:
    from dataclasses import replace

    row = replace(pictures(store, 1)[0], caption="A girl\n smiles.  ")

    build(make_plan([row], recipe()), recipe(), store=store, folder=tmp_path / "out")

    assert next((tmp_path / "out").rglob("yama*.txt")).read_text() == "A girl smiles."


def test_kohya_gets_flat_folders_with_whole_repeats_and_no_picture_without_a_caption_file(
    store: Store, tmp_path: Path
) -> None:
    chosen = recipe(
        output={"layout": "kohya", "caption_ending": ".caption"},
        metadata={"general": ""},
        caption={"tags_prob": 0.0, "characters_prob": 0.0},
    )

    build(make_plan(pictures(store), chosen), chosen, store=store, folder=tmp_path / "out")

    folders = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert all(path.name.split("_")[0].isdigit() and int(path.name.split("_")[0]) >= 1 for path in folders)
    assert any("1_character~Mai\uff5e2~face_height_ratio_25-50" in path.name for path in folders)
    assert not any(path.is_dir() for folder in folders for path in folder.iterdir())
    assert not list((tmp_path / "out").rglob("multiply.txt"))
    # A line break alone is an empty caption for kohya; without a file it would train on the name of the folder.
    assert {path.read_bytes() for path in (tmp_path / "out").rglob("*.caption")} == {b"\n"}
    assert len(list((tmp_path / "out").rglob("*.png"))) == 24


def test_kohyas_summary_has_the_repeats_and_shares_that_the_trainer_really_uses(store: Store, tmp_path: Path) -> None:
    chosen = recipe(output={"layout": "kohya"}, balance={"min_multiply": 1.25})

    build(make_plan(pictures(store), chosen), chosen, store=store, folder=tmp_path / "out")

    summary = json.loads((tmp_path / "out" / "dataset.json").read_text())
    used = {row["folder"]: int(row["folder"].split("_")[0]) * row["pictures"] for row in summary["folders"]}
    assert summary["rounding"] == "round"
    assert summary["epoch_rounded"] == sum(used.values()) != summary["epoch"]
    for row in summary["folders"]:
        assert row["repeats"] == int(row["folder"].split("_")[0])
        assert row["pictures_per_epoch"] == used[row["folder"]]
        assert row["epoch_share_rounded"] == pytest.approx(used[row["folder"]] / sum(used.values()), abs=1e-8)


def test_v2_metadata_stands_where_its_tools_look_for_it(store: Store, tmp_path: Path) -> None:
    chosen = recipe(metadata={"version": "v2"})

    build(make_plan(pictures(store, 2), chosen), chosen, store=store, folder=tmp_path / "out")

    hidden = next((tmp_path / "out").rglob(".yama*_meta.json"))
    assert json.loads(hidden.read_text())["filename"] == hidden.name[1:].replace("_meta.json", ".png")


def test_the_manifest_names_no_time_and_says_which_picture_is_which(store: Store, tmp_path: Path) -> None:
    build(make_plan(pictures(store, 3), recipe()), recipe(), store=store, folder=tmp_path / "out")

    data = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert data["pictures"]["yamaS2_EP04_000001"]["key"] == "source:0001"
    assert data["recipe_sha256"] == recipe().digest
    assert parse(data["recipe"]) == recipe()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "", "a/./b", "..\\x", "a\0b"])
def test_no_path_leads_outside_of_a_folder_sink(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput, match="outside"):
        FolderSink(tmp_path / "out").write(path, b"x")


def test_a_data_set_is_moved_whole_and_replaces_only_its_own_kind(tmp_path: Path) -> None:
    def made(text: str) -> Path:
        folder = tmp_path / "built"
        folder.mkdir()
        (folder / MANIFEST).write_text(text)
        return folder

    target = tmp_path / "sets" / "one"
    move_whole(made("1"), target)
    move_whole(made("2"), target)
    assert (target / MANIFEST).read_text() == "2"
    assert [path.name for path in target.parent.iterdir()] == ["one"]

    foreign = tmp_path / "sets" / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(KomaError, match="not a Koma dataset"):
        move_whole(made("3"), foreign)
    assert (foreign / "thesis.txt").read_text() == "years of work"


def test_a_zip_has_utf8_names_no_times_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    sink = FolderSink(folder)
    sink.write("1_character/花子/x.txt", "こんにちは".encode())
    sink.write("others/y.png", b"\x89PNG")

    size = zip_folder(folder, tmp_path / "a.zip", top="my set")
    zip_folder(folder, tmp_path / "b.zip", top="my set")

    data = (tmp_path / "a.zip").read_bytes()
    assert size == len(data)
    assert data == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["my set/1_character/花子/x.txt", "my set/others/y.png"]
        assert all(info.flag_bits & 0x800 or info.filename.isascii() for info in archive.infolist())
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())


def test_a_zip_holds_more_files_than_the_old_format_counts(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(65_600):
        (folder / str(number)).touch()

    zip_folder(folder, tmp_path / "a.zip", top="s")

    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert len(archive.namelist()) == 65_600


def test_a_zip_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    FolderSink(folder).write("x", b"1")

    def stop(done: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        zip_folder(folder, tmp_path / "a.zip", top="s", each=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_that_cannot_be_renamed_is_filled_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export.build.sinks import building_place

    target = tmp_path / "mounted"
    target.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda self: self == target)  # a real mount needs rights of root
    for text in ("1", "2"):
        built = building_place(target)
        assert built.parent == target
        FolderSink(built).write(f"others/{text}.txt", b"x")
        FolderSink(built).write(MANIFEST, text.encode())
        move_whole(built, target)
        assert sorted(path.name for path in target.rglob("*")) == [f"{text}.txt", MANIFEST, "others"]

    (target / MANIFEST).unlink()
    with pytest.raises(KomaError, match="not a Koma dataset"):
        move_whole(building_place(target), target)
