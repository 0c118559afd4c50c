"""From pictures with files beside them to the dataset: tags, captions, ratings, scores, names; and back again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from annotate.models import Character
from tests.export.conftest import drawn
from tests.export.test_build_dataset import run

pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    "a.txt": "A girl with long silver hair stands at the window of a train and looks out at the falling snow.",
    "b.txt": "1girl solo long_hair blue_eyes smile hat outdoors sky",
    "c.caption": "1girl, solo, silver hair",
    "hydrus.png.txt": "character:saber\ncreator:some artist\nseries:fate\nrating:safe\n1girl\nblue eyes\n",
    "bom.txt": "\ufeff1girl, ^_^, :3, saber \\(fate\\)\r\n",
    "score.JSON": json.dumps(
        {
            "category": "yandere",
            "tags_general": ["2girls"],
            "tags_character": ["Miku", "Rin"],
            "rating": "s",
            "score": 55,
        }
    ),
}


def made(tmp_path: Path, **sections: Any) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Folder, JSON and caption by the start of the name, of the dataset made of FILES."""
    art = tmp_path / "art"
    art.mkdir()
    for number, name in enumerate(FILES):
        (art / f"{name.partition('.')[0]}.png").write_bytes(drawn(40 * number))
        (art / name).write_text(FILES[name])
    recipe = {"arrange": {"min_per_combination": 1}, **sections}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    run(art, "--collection", "Art", "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "out", "--min-faces", 0)
    collected = {}
    for path in (tmp_path / "out").rglob("*_*.json"):
        caption = path.with_suffix(".txt")
        folder = path.parent.relative_to(tmp_path / "out").as_posix()
        collected[path.stem.partition("_")[2]] = (
            folder,
            json.loads(path.read_text()),
            caption.read_text() if caption.exists() else "",
        )
    assert set(collected) == {"a", "b", "c", "hydrus", "bom", "score"}
    return collected


def test_everything_that_files_say_is_in_the_data_set(tmp_path: Path) -> None:
    result = made(tmp_path, caption={"prose_prob": 1.0, "max_tags": 30})
    folder, data, caption = result["hydrus"]
    assert folder.startswith("1_character/saber/")
    assert (data["character"], data["artist"], data["copyright"], data["rating"]) == (
        ["saber"],
        ["some_artist"],
        ["fate"],
        "safe",
    )
    assert {"1girl", "blue_eyes"} <= set(data["tags"])
    assert "saber" in caption
    assert result["a"][1]["prose"] == FILES["a.txt"]
    assert result["a"][2].endswith(FILES["a.txt"])
    assert set(FILES["b.txt"].split()) <= set(result["b"][1]["tags"])
    assert {"1girl", "solo", "silver_hair"} <= set(result["c"][1]["tags"])
    assert {"1girl", "^_^", ":3", "saber_(fate)"} <= set(result["bom"][1]["tags"])
    assert "^_^" in result["bom"][2]
    for name in ("b", "c", "bom", "hydrus"):
        assert "no_humans" not in result[name][1]["tags"]
        assert "no humans" not in result[name][2]
    folder, data, _ = result["score"]
    assert folder.startswith("2_characters/Miku+Rin/")
    assert (data["score"], data["rating"], data["character"]) == (55, "safe", ["Miku", "Rin"])


def test_what_koma_wrote_comes_back_with_its_characters(tmp_path: Path) -> None:
    first = made(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({"arrange": {"min_per_combination": 1}}))
    run(tmp_path / "out", "--collection", "Again", "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "second",
        "--min-faces", 0)  # fmt: skip
    assert set(Character.objects.filter(collection__name="Again").values_list("name", flat=True)) == {
        "saber",
        "Miku",
        "Rin",
    }
    second = {}
    for path in (tmp_path / "second").rglob("*_*.json"):
        second[path.stem.rpartition("_")[2]] = json.loads(path.read_text())
    for name, (_, data, _) in first.items():
        again = next(value for key, value in second.items() if key.endswith(name))
        for key in ("character", "copyright", "artist", "rating", "score", "prose"):
            assert again.get(key) == data.get(key), (name, key)
        assert set(data["tags"]) <= set(again["tags"])


def test_several_captions_are_kept_and_one_is_drawn(tmp_path: Path) -> None:
    art = tmp_path / "art"
    art.mkdir()
    texts = ["A girl stands at the window.", "She looks out at the snow.", "It is a cold day in the city."]
    for number in range(12):
        (art / f"{number}.png").write_bytes(drawn(20 * number))
        (art / f"{number}.txt").write_text("\n".join(texts))
    (tmp_path / "recipe.json").write_text(json.dumps({"caption": {"prose_prob": 1.0, "order": ["prose"]}}))
    run(art, "--collection", "Art", "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "out", "--min-faces", 0)
    captions = [path.read_text() for path in (tmp_path / "out").rglob("*.txt") if path.name != "multiply.txt"]
    assert set(captions) <= set(texts)
    assert len(set(captions)) > 1
    for path in (tmp_path / "out").rglob("art_*.json"):
        assert json.loads(path.read_text())["captions"] == texts


@pytest.mark.parametrize("tagged", ["hi", "lo"])
def test_of_two_copies_the_one_that_is_kept_has_the_tags_of_both(tmp_path: Path, tagged: str) -> None:
    art = tmp_path / "art"
    art.mkdir()
    picture = Image.open(io.BytesIO(drawn(5)))
    picture.resize((1280, 720), Image.Resampling.NEAREST).save(art / "hi.png")
    picture.save(art / "lo.jpg", quality=60)
    (art / f"{tagged}.txt").write_text("1girl, solo, silver hair, school uniform, rating:questionable")
    (art / f"{tagged}.caption").write_text("A girl stands at the window of a train.")
    (tmp_path / "recipe.json").write_text("{}")
    counts = run(art, "--collection", "Art", "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "out",
                 "--min-faces", 0)["counts"]  # fmt: skip
    assert (counts["kept"], counts["exported"], counts["dropped"]) == (1, 1, {"duplicate": 1})
    (path,) = (tmp_path / "out").rglob("art_*.json")
    data = json.loads(path.read_text())
    assert {"1girl", "solo", "silver_hair", "school_uniform"} <= set(data["tags"])
    assert data["rating"] == "questionable"
    assert data["prose"] == "A girl stands at the window of a train."
