"""What the rows of three pages cost: the Jinja2 macros that draw them beside the same rows as templates of Django.

    python -m bench.rows

60 cards of characters, 100 tiles of frames, 60 groups of 32 faces. Milliseconds of this process's CPU from values
that are ready to HTML, both engines in turns; the least of all turns counts, since others on the machine only add. The
bytes are those before compression. `bench/rows_django` holds the templates of Django.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent
FILES, FRAMES, CHARACTERS = "/c/1/files/", "/c/1/frames/", "/c/1/characters/"
PLACEHOLDER = "data:image/webp;base64," + "UklGRl" * 40
STYLE = "clip-path: inset(0.0% 12.5% 0.0% 0.0%)"
FORM_FIELDS = {"names_url": "/c/1/names/", "purity_help": "How alike the faces are.", "form_fields": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=50)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("KOMA_DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        import django

        django.setup()
        print(f"| rows | Jinja2, ms | Django, ms | times | kB |\n|---|---|---|---|---|\n{table(turns)}")


def table(turns: int) -> str:
    lines = []
    for name, (template, macro, contexts) in inputs().items():
        by_jinja, by_django = _by_jinja(template, macro, contexts), _by_django(template, contexts)
        html = by_jinja()
        if _plain(html) != _plain(by_django()):
            raise SystemExit(f"{name}: the two engines make different HTML")
        quick, slow = _least_ms([by_jinja, by_django], turns)
        lines.append(f"| {name} | {quick:.2f} | {slow:.2f} | {slow / quick:.1f} | {len(html.encode()) / 1000:.0f} |")
    return "\n".join(lines)


def inputs() -> dict[str, tuple[str, str, list[dict[str, Any]]]]:
    """Template, macro and values for each call, by what is drawn."""
    places = {"files": FILES, "frames": FRAMES}
    people = {"people": [_person(n) for n in range(60)], "files": FILES, "characters": CHARACTERS}
    tiles = places | {"rows": [_tile(n) for n in range(100)], "swapped": False}
    groups = [places | FORM_FIELDS | {"group": _group(n), "can_edit": True} for n in range(60)]
    return {
        "60 character cards": ("annotate/cards.html", "cards", [people]),
        "100 frame tiles": ("annotate/tiles.html", "tiles", [tiles]),
        "60 groups of 32 faces": ("annotate/clusters.html", "cluster", groups),
    }


def _person(n: int) -> SimpleNamespace:
    return SimpleNamespace(
        pk=n,
        name=f"Character {n}",
        key=n if 0 < n < 10 else None,
        parent="Character 0" if n % 10 == 9 else "",
        aliases=[f"alias {n}", "コマ"] if n % 3 == 0 else [],
        portrait=f"ab/{n:064x}.webp",
        n=30 * n,
        person=7 * n,
        by_model=23 * n,
        spark="",
    )


def _tile(n: int) -> SimpleNamespace:
    dropped = n % 4 == 0
    return SimpleNamespace(
        pk=n,
        width=1280,
        height=720,
        preview=f"ab/{n:064x}.webp",
        placeholder=PLACEHOLDER,
        name="",
        place=f"Episode 3 02:{n % 60:02d}.0",
        names=[f"Character {n % 7}", "Character 9"] if n % 2 else [],
        unnamed=n % 3,
        copies=n % 5,
        shown="kept",
        dropped=dropped,
        excluded=n % 9 == 0,
        reason="similar",
        distance=0.128 if dropped else None,
    )


def _group(n: int) -> SimpleNamespace:
    return SimpleNamespace(
        pk=n,
        number=n,
        address=f"/c/1/clusters/{n}/",
        waiting=40 + n,
        purity=n,
        likely=n >= 80,
        doubtful=n < 40,
        suggestions=[("Character 3", 12), ("Character 4", 2)] if n % 2 else [],
        looks_like=f"Character {n}",
        by_files="",
        placeholder="Name…",
        guess_score=0.5,
        guess=f"Character {n}",
        crops=[(k, k // 2, f"ab/{k:064x}.webp", 0.875, f"Episode 3 02:{k:02d}.0", STYLE * (k == 3)) for k in range(32)],
        hidden_faces=8 + n,
    )


def _by_jinja(template: str, macro: str, contexts: list[dict[str, Any]]) -> Callable[[], str]:
    from ingest.views.macros import render_macro

    return lambda: "".join(render_macro(template, macro, **context) for context in contexts)


def _by_django(template: str, contexts: list[dict[str, Any]]) -> Callable[[], str]:
    from django.template import engines

    source = (ROOT / "rows_django" / Path(template).name).read_text(encoding="utf-8")
    compiled = engines["django"].from_string(source)
    return lambda: "".join(compiled.render(context) for context in contexts)


def _plain(html: str) -> str:
    return re.sub(r"\s+", "", html).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _least_ms(functions: list[Callable[[], str]], turns: int) -> list[float]:
    least = [float("inf")] * len(functions)
    for _ in range(turns):
        for n, function in enumerate(functions):
            begin = time.process_time()
            function()
            least[n] = min(least[n], 1000 * (time.process_time() - begin))
    return least


if __name__ == "__main__":
    main()
