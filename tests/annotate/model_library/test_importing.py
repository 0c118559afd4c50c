"""Models from folders and zips: only safe files, only what belongs, never outside of the models folder."""

from __future__ import annotations

import hashlib
import json
import pickle
import stat
import zipfile

import pytest

from annotate.backends.model_files import folder, registry
from annotate.backends.model_files.importing import import_model
from ingest.errors import BadInput, Cancelled, KomaError

ONNX = b"\x08\x08" + bytes(range(256)) * 20
TAGS = b"tag_id,name,category,count\n1,solo,0,9\n"


@pytest.fixture()
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture()
def source(tmp_path):
    path = tmp_path / "wd-here"
    path.mkdir()
    (path / "model.onnx").write_bytes(ONNX)
    (path / "selected_tags.csv").write_bytes(TAGS)
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def nothing_installed(models):
    return not models.exists() or [path.name for path in models.iterdir()] in ([], [".incoming"])


def test_a_folder_is_taken_under_its_name_and_recognised_by_its_files(source, models):
    imported = import_model(source, models)
    assert imported.name == "wd-here"
    card = json.loads((imported.path / "koma.json").read_text())
    assert card["family"] == "wd"
    assert card["files"]["model.onnx"]["sha256"] == hashlib.sha256(ONNX).hexdigest()
    assert [model.name for model in registry.installed(models, task="tags")] == ["wd-here"]
    assert {model.state for model in folder.verify(models, "wd-here")} == {"fine"}


def test_a_zip_is_taken_with_the_layout_of_the_repository(tmp_path, models):
    archive = zipped(
        tmp_path / "faces.zip", {"x/face_detect_v1.4_s/model.onnx": ONNX, "x/face_detect_v1.4_n/model.onnx": b"n"}
    )
    imported = import_model(archive, models, name="face_detect_v1.4_s")
    assert (imported.path / "model.onnx").read_bytes() == ONNX
    assert json.loads((imported.path / "koma.json").read_text())["family"] == "yolo_faces"
    assert imported.left_out == ["x/face_detect_v1.4_n/model.onnx: the model does not need it."]


def test_a_name_of_the_catalogue_says_which_files_are_missing(source, models):
    (source / "selected_tags.csv").unlink()
    with pytest.raises(BadInput, match=r"needs selected_tags\.csv, missing here"):
        import_model(source, models, name="wd-swinv2-tagger-v3")
    assert nothing_installed(models)


@pytest.mark.parametrize("name", ["model.pt", "model.ckpt", "model.bin", "model.pkl", "weights.npy", "run.py"])
def test_files_that_could_run_code_stay_out_and_are_named(source, models, name):
    (source / name).write_bytes(pickle.dumps({"a": 1}))
    imported = import_model(source, models)
    assert not (imported.path / name).exists()
    assert any(line.startswith(f"{name}: ") for line in imported.left_out)


def test_a_model_of_pickles_only_is_refused_with_the_reason(tmp_path, models):
    (tmp_path / "wd-swinv2-tagger-v3").mkdir()
    (tmp_path / "wd-swinv2-tagger-v3" / "model.ckpt").write_bytes(pickle.dumps([1]))
    with pytest.raises(BadInput, match=r"needs model\.onnx.*\.ckpt files can run code"):
        import_model(tmp_path / "wd-swinv2-tagger-v3", models)
    assert nothing_installed(models)


@pytest.mark.parametrize(
    "data", [pickle.dumps({"a": 1}), b"PK\x03\x04torch", b"<!doctype html>", b"version https://git-lfs"]
)
def test_bytes_that_are_something_else_than_their_name_says_are_refused(source, models, data):
    (source / "model.onnx").write_bytes(data)
    with pytest.raises(BadInput, match=r"model\.onnx: "):
        import_model(source, models)
    assert nothing_installed(models)


def test_an_unknown_kind_of_model_needs_a_family(tmp_path, models):
    archive = zipped(tmp_path / "mine.zip", {"net.onnx": ONNX})
    with pytest.raises(BadInput, match="the type of this model could not be detected"):
        import_model(archive, models)
    assert import_model(archive, models, family="wd").name == "mine"


def test_members_of_a_zip_never_lead_outside(tmp_path, models):
    made = zipped(
        tmp_path / "evil.zip",
        {
            "../../escaped.onnx": ONNX,
            "/abs.onnx": ONNX,
            "C:/x.onnx": ONNX,
            "model.onnx": ONNX,
            "selected_tags.csv": TAGS,
        },
    )
    with zipfile.ZipFile(made, "a") as archive:
        link = zipfile.ZipInfo("link.onnx")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    imported = import_model(made, models)
    assert sorted(path.name for path in imported.path.iterdir()) == ["koma.json", "model.onnx", "selected_tags.csv"]
    assert len(imported.left_out) == 4
    assert not list(tmp_path.rglob("escaped*"))


def test_a_zip_bomb_and_a_broken_zip_are_refused(tmp_path, models):
    archive = zipped(tmp_path / "bomb.zip", {"model.onnx": b"\0" * (80 * 2**20), "selected_tags.csv": TAGS})
    with pytest.raises(BadInput, match="as in a zip bomb"):
        import_model(archive, models)
    complete = archive.read_bytes()
    archive.write_bytes(complete[: len(complete) // 2])
    with pytest.raises(BadInput, match="not a zip, or it is"):
        import_model(archive, models)
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(BadInput, match="not a zip"):
        import_model(tmp_path / "text.zip", models)
    assert nothing_installed(models)


def test_a_link_in_a_folder_that_leads_out_is_left_out(source, models, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (source / "notes.txt").symlink_to(tmp_path / "secret.txt")
    imported = import_model(source, models)
    assert not (imported.path / "notes.txt").exists()
    assert "outside the folder" in imported.left_out[0]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "builtin", "none", "x" * 101, "a\0b", "-", "a."])
def test_names_that_could_lead_elsewhere_are_refused(source, models, name, tmp_path):
    if name == "":
        with pytest.raises(BadInput, match="is not a valid model name"):
            import_model(source, models, name="", display_name="..")
    else:
        with pytest.raises(BadInput, match=r"is not a valid model name|is taken"):
            import_model(source, models, name=name)
    assert nothing_installed(models)
    for action in (folder.remove, folder.verify):
        if name != "":
            with pytest.raises(BadInput):
                action(models, name)


def test_a_koma_json_beside_the_files_is_believed_only_where_hashes_agree(source, models):
    card = {"family": "wd", "licence": "mit", "files": {"model.onnx": {"sha256": "0" * 64}}}
    (source / "koma.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match=r"the koma\.json next to it states 000000000000"):
        import_model(source, models)
    assert nothing_installed(models)
    card["files"]["model.onnx"]["sha256"] = hashlib.sha256(ONNX).hexdigest()
    (source / "koma.json").write_text(json.dumps(card))
    imported = import_model(source, models)
    assert json.loads((imported.path / "koma.json").read_text())["licence"] == "mit"


def test_an_installed_model_can_be_packed_and_brought_to_another_machine(source, models, tmp_path):
    first = import_model(source, models)
    archive = zipped(tmp_path / "moved.zip", {f"wd-here/{p.name}": p.read_bytes() for p in first.path.iterdir()})
    again = import_model(archive, tmp_path / "elsewhere", name="wd-here")
    assert {item.state for item in folder.verify(tmp_path / "elsewhere", "wd-here")} == {"fine"}
    assert json.loads((again.path / "koma.json").read_text())["files"]["model.onnx"]["told_by"] == "card"


def test_damage_and_loss_are_found_and_a_removed_model_is_gone(source, models):
    imported = import_model(source, models)
    (imported.path / "model.onnx").write_bytes(ONNX[:-1] + b"x")
    (imported.path / "selected_tags.csv").unlink()
    (imported.path / "extra.txt").write_text("x")
    states = {item.name: item.state for item in folder.verify(models, "wd-here")}
    assert states == {"model.onnx": "damaged", "selected_tags.csv": "missing", "extra.txt": "unlisted"}
    assert folder.remove(models, "wd-here") > len(ONNX)
    assert nothing_installed(models)
    with pytest.raises(BadInput, match="is not installed"):
        folder.remove(models, "wd-here")


def test_removing_a_link_leaves_what_it_leads_to(source, models, tmp_path):
    models.mkdir()
    (models / "linked").symlink_to(source)
    folder.remove(models, "linked")
    assert (source / "model.onnx").is_file()
    assert not (models / "linked").exists()


def test_stop_is_heard_while_hashes_are_compared(source, models):
    def all_there():
        expected = (source / "model.onnx").stat().st_size
        return [path.stat().st_size for path in models.rglob("model.onnx")] == [expected]

    with pytest.raises(Cancelled, match="hashes"):
        import_model(source, models, stop=all_there)
    assert nothing_installed(models)


def test_no_room_on_the_disk_is_reported(source, models):
    with pytest.raises(KomaError, match="are reserved"):
        import_model(source, models, reserve=2**60)
