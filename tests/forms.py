"""Forms of a page as a browser would send them: hidden fields, what is typed, ticked and chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """`fields` are lists of values by name, without buttons."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str | None, value: str) -> None:
        if name:
            self.fields.setdefault(name, []).append(value)


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms = page, []  # type: ignore[var-annotated]
        self.select, self.options, self.option, self.text = None, [], None, None  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.forms.append(Form(values.get("action") or self.page))
        if not self.forms:
            return
        kind = values.get("type") or "text"
        if tag == "input" and kind not in ("submit", "button", "file"):
            if kind not in ("checkbox", "radio") or "checked" in values:
                self.forms[-1].add(values.get("name"), values.get("value") or ("on" if kind == "checkbox" else ""))
        elif tag == "textarea":
            self.text = (values.get("name"), [])
        elif tag == "select":
            self.select, self.options = values.get("name"), []
        elif tag == "option" and self.select:
            self.option = [values.get("value"), "selected" in values, ""]

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text[1].append(data)
        elif self.option is not None:
            self.option[2] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self.text is not None:
            self.forms[-1].add(self.text[0], "".join(self.text[1]).removeprefix("\n"))
            self.text = None
        elif tag == "option" and self.option is not None:
            self.options.append(self.option)
            self.option = None
        elif tag == "select" and self.select:
            chosen = [option for option in self.options if option[1]] or self.options[:1]
            for value, _, words in chosen:
                self.forms[-1].add(self.select, value if value is not None else " ".join(words.split()))
            self.select = None


def forms_of(html: str, *, page: str = "") -> list[Form]:
    """All forms of a page, in its order."""
    reader = _Reader(page)
    reader.feed(html)
    return list(reader.forms)
