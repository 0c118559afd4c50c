"""Import a tag vocabulary: CSV of name, category, count and aliases, the format of Danbooru's tag lists."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from annotate.actions.tags import clean_name
from annotate.models import Tag, TagAlias, TagCategory
from ingest.errors import BadInput

CATEGORIES = frozenset(int(category) for category in TagCategory)
COUNT_MAX = 2**31 - 1
BATCH = 5000


@dataclass(slots=True)
class ImportReport:
    """Result of an import; `problems` names each row that was left out or changed, by its number in the file."""

    tags: int = 0
    new: int = 0
    aliases: int = 0
    problems: list[str] = field(default_factory=list)
    refused: int = 0  # rows whose tag is left out; the other problems concern single aliases or were resolved by a rule

    def refuse(self, problem: str) -> None:
        """Note a row that is left out."""
        self.problems.append(problem)
        self.refused += 1


@dataclass(slots=True)
class _Row:
    number: int
    category: int
    count: int
    aliases: list[str]


def import_file(path: Path) -> ImportReport:
    """Import a CSV file; see `import_rows`. Raises BadInput when it cannot be read or has no tags."""
    try:
        # Broken UTF-8 becomes lone surrogates, invalid in a tag: the row is reported, the others are imported.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            report = import_rows(lines)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if not report.tags:
        first = f" First problem: {report.problems[0]}" if report.problems else ""
        raise BadInput(f"{path.name} holds no tags; each row needs name,category,count,aliases.{first}")
    return report


def import_rows(lines: Iterable[str]) -> ImportReport:
    """Import CSV lines: name, category (0, 1, 3, 4 or 5), count, aliases separated by commas (optional).

    One transaction. Known tags are updated; tags that the file does not name are unchanged.
    """
    report = ImportReport()
    rows = _read(lines, report)
    aliases = _aliases(rows, report)
    with transaction.atomic():
        before = Tag.objects.count()
        Tag.objects.bulk_create(
            [
                Tag(name=name, category=row.category, post_count=row.count, common=True)
                for name, row in sorted(rows.items())  # in the usual order: tags are shared by all collections
            ],
            update_conflicts=True, unique_fields=["name"],
            update_fields=["category", "post_count", "common", "changed_at"],
            batch_size=BATCH,
        )  # fmt: skip
        keys = dict(Tag.objects.values_list("name", "pk"))
        # An alias that became a tag is no longer an alias.
        for part in _parts(list(rows)):
            TagAlias.objects.filter(name__in=part).delete()
        TagAlias.objects.bulk_create(
            [TagAlias(name=alias, tag_id=keys[name]) for alias, name in aliases.items()],
            update_conflicts=True, unique_fields=["name"], update_fields=["tag"], batch_size=BATCH,
        )  # fmt: skip
        report.new = Tag.objects.count() - before
    report.tags, report.aliases = len(rows), len(aliases)
    return report


def _read(lines: Iterable[str], report: ImportReport) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    reader = csv.reader(lines)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            report.refuse(f"row {reader.line_num}: {error}")
            continue
        number = reader.line_num
        if not any(cell.strip() for cell in cells) or (number == 1 and cells[1:2] == ["category"]):
            continue
        try:
            name, row = _parse(cells, number)
        except (BadInput, ValueError) as error:
            report.refuse(f"row {number}: {error}")
            continue
        if name in rows:
            report.problems.append(f"row {number}: {name} is in row {rows[name].number} already; the later one counts")
        rows[name] = row


def _parse(cells: list[str], number: int) -> tuple[str, _Row]:
    if len(cells) < 3:
        raise BadInput(f"{len(cells)} columns instead of name,category,count,aliases")
    name = clean_name(cells[0])
    if not cells[1].strip().isdecimal() or int(cells[1]) not in CATEGORIES:
        raise BadInput(f"category {cells[1]!r:.30} is none of {', '.join(map(str, sorted(CATEGORIES)))}")
    count = cells[2].strip()
    if not count.isdecimal() or len(count) > 10 or int(count) > COUNT_MAX:
        raise BadInput(f"count {cells[2]!r:.30} is not a number from 0 to {COUNT_MAX}")
    return name, _Row(number, int(cells[1]), int(count), cells[3].split(",") if len(cells) > 3 else [])


def _aliases(rows: dict[str, _Row], report: ImportReport) -> dict[str, str]:
    """Alias -> tag name. A tag is no alias; of two tags with one alias the more frequent has it."""
    aliases: dict[str, str] = {}
    for name, row in sorted(rows.items(), key=lambda item: (-item[1].count, item[0])):
        for text in row.aliases:
            if not text.strip():
                continue
            try:
                alias = clean_name(text)
            except BadInput as error:
                report.problems.append(f"row {row.number}: alias {text!r:.40}: {error}")
                continue
            if alias == name or alias in rows:
                continue
            other = aliases.setdefault(alias, name)
            if other != name:
                report.problems.append(f"row {row.number}: alias {alias} belongs to {other}, which is more frequent")
    return aliases


def _parts(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]
