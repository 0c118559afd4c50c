"""A manifest keeps a plan exactly, gives the same bytes for the same plan, and refuses what is damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.algorithms.manifest import Author, Header, key_of, read_item
from export.algorithms.plan import Plan, make_plan
from export.algorithms.recipe import Recipe, parse
from export.algorithms.rows import Face, Label, Origin, Picture
from export.build.manifest_file import BLOCK, Manifest, ManifestWriter, Summary, write_manifest
from ingest.errors import BadInput

RECIPE = parse(
    {"crops": {"enabled": True}, "arrange": {"min_per_combination": 1}, "caption": {"shuffle_tags": True, "seed": 7}}
)
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)


def picture(number: int, *, tags: tuple[str, ...] = ("1girl", "smile"), name: str = "Mai", faces: int = 1) -> Picture:
    return Picture(
        key=f"source:{number:08d}",
        stem=f"yama_EP04_{number:06d}",
        file=f"ab/cd/{number:064x}.png",
        width=1280,
        height=720,
        faces=tuple(
            Face(left=0.05 * n, top=0.1, right=0.05 * n + 0.04, bottom=0.4, character=name if n == 0 else "")
            for n in range(faces)
        ),
        tags=tags,
        scores=(0.5,) * len(tags),
        labels=tuple(Label(tag=tag, author="m4", score=0.5, day="2026-11-30") for tag in tags),
        origin=Origin(source="ab" * 32, index=number, start_s=number / 24, groups=(f"shot:{number // 4}",)),
    )


def header(plan: Plan, recipe: Recipe = RECIPE) -> Header:
    author = Author(kind="model", name="wd-swinv2-v3", task="tags")
    return Header(
        koma="1", recipe=recipe.as_dict(), balance=plan.balance, left_out=plan.left_out, authors={"m4": author}
    )


def written(path: Path, plan: Plan) -> Summary:
    return write_manifest(path, header(plan), plan.items)


def test_a_manifest_reads_back_as_the_plan_that_was_written(tmp_path: Path) -> None:
    plan = make_plan([picture(n, faces=n % 13) for n in range(3 * BLOCK)], RECIPE)
    written(tmp_path / "m.gz", plan)
    manifest = Manifest(tmp_path / "m.gz")
    assert list(manifest) == list(plan.items)
    assert len(manifest) == len(plan.items) > 3 * BLOCK
    assert manifest.header == header(plan)
    assert manifest.plan.balance == plan.balance


@settings(max_examples=40)
@given(tags=st.lists(TEXT, max_size=4, unique=True), name=TEXT)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, tags: list[str], name: str) -> None:
    path = tmp_path_factory.mktemp("manifest") / "m.gz"
    plan = make_plan([picture(1, tags=tuple(tags), name=name)], RECIPE)
    written(path, plan)
    assert list(Manifest(path)) == list(plan.items)


def test_the_same_plan_gives_the_same_bytes_and_another_plan_another_hash(tmp_path: Path) -> None:
    rows = [picture(n) for n in range(BLOCK + 1)]
    a = written(tmp_path / "a.gz", make_plan(rows, RECIPE))
    b = written(tmp_path / "b.gz", make_plan(reversed(rows), RECIPE))
    c = written(tmp_path / "c.gz", make_plan([*rows[:-1], picture(BLOCK, tags=("1girl",))], RECIPE))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert a.sha256 == b.sha256 != c.sha256
    assert Manifest(tmp_path / "a.gz").sha256() == a.sha256


def test_single_items_and_any_part_are_read_without_the_rest(tmp_path: Path) -> None:
    plan = make_plan([picture(n) for n in range(2 * BLOCK + 5)], RECIPE)
    written(tmp_path / "m.gz", plan)
    manifest, items = Manifest(tmp_path / "m.gz"), list(plan.items)
    for number in (0, 1, BLOCK - 1, BLOCK, len(items) - 1):
        line = next(manifest.lines(number))
        assert read_item(line) == items[number]
        assert key_of(line) == items[number].picture.key
        assert manifest.find(items[number].picture.key) == items[number]
    assert manifest.find("source:99999999") is None
    assert manifest.find("") is None


def test_any_gzip_program_reads_it(tmp_path: Path) -> None:
    plan = make_plan([picture(n) for n in range(3)], RECIPE)
    written(tmp_path / "m.gz", plan)
    lines = gzip.decompress((tmp_path / "m.gz").read_bytes()).splitlines()
    assert lines[0].startswith(b'{"manifest":1')
    assert len(lines) == 1 + len(plan.items) + 2


@pytest.mark.parametrize("change", [b"", b"no gzip", "cut", "turned"])
def test_a_damaged_manifest_is_refused_in_words(tmp_path: Path, change: bytes | str) -> None:
    path = tmp_path / "m.gz"
    written(path, make_plan([picture(n) for n in range(5)], RECIPE))
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-9], "turned": data[::-1]}.get(change) if isinstance(change, str) else change)
    with pytest.raises(BadInput, match="not a complete manifest"):
        Manifest(path)


def test_a_manifest_of_a_newer_koma_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.algorithms.manifest.FORMAT", 2)
    written(tmp_path / "m.gz", make_plan([picture(1)], RECIPE))
    monkeypatch.undo()
    with pytest.raises(BadInput, match="has format 2; this version of Koma reads up to 1"):
        Manifest(tmp_path / "m.gz")


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    plan = make_plan([picture(n) for n in range(3)], RECIPE)
    items = list(plan.items)
    with (
        pytest.raises(ValueError, match="sorted by unique keys"),
        ManifestWriter(tmp_path / "m.gz", header(plan)) as writer,
    ):
        writer.add(items[1])
        writer.add(items[0])
    assert list(tmp_path.iterdir()) == []
