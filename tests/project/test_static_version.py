"""Static files: an address for each version, kept by browsers for good, and modules that stay within their version."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.test import Client

from project.static_version import static_version
from tests.pages import html_of

STATIC = Path(settings.BASE_DIR) / "static"
IMPORT = re.compile(r"""\b(?:from|import)\s*\(?\s*["']([^"']+)["']""")


def test_any_change_of_a_file_gives_another_version(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    script = tmp_path / "js" / "a.js"
    script.write_text("1")
    versions = [static_version(tmp_path)]
    script.write_text("2")
    versions.append(static_version(tmp_path))
    script.rename(script.with_name("b.js"))
    versions.append(static_version(tmp_path))
    versions.append(static_version(tmp_path, ["Django"]))
    assert len(set(versions)) == 4
    assert versions[2] == static_version(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", versions[0])


def test_pages_name_the_version_and_browsers_keep_its_files(client: Client) -> None:
    page = html_of(client.get("/login/"))
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', page)
    assert len(addresses) > 4
    for address in addresses:
        assert re.match(r"/static/[0-9a-f]{12}/", address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer["Cache-Control"], address
    assert client.get(re.sub("[0-9a-f]{12}", "0" * 12, addresses[0])).status_code == 404


def test_modules_import_files_beside_them_by_relative_addresses() -> None:
    imports = [
        (path, target)
        for path in (STATIC / "js").rglob("*.js")
        for target in IMPORT.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(imports) > 20
    for path, target in imports:
        assert target.startswith("."), f"{path.name} imports {target}"
        assert (path.parent / target).is_file(), f"{path.name} imports {target}, which is not there"
