"""Pictures of every page of a running Koma, with a table of what a browser says about each.

python -m bench.screenshots --url http://127.0.0.1:8000 --user admin --password ... --out FOLDER
    [--collections full small empty site] [--full ID] [--pages frames faces] [--widths 1440 390] [--schemes light dark]
python -m bench.screenshots ... --out docs/screenshots --readme [--pages episode]

The pages are the named addresses of `project.urls` that answer GET with an HTML document; the rest is listed with the
reason. Numbers of rows in addresses come from the links on the pages. The small and the empty collection are created
through the pages when they are missing: the small one gets three pictures of the full one and a run.

With `--readme` only the pages of the README are taken, of the full collection, as small files: one window each, light.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench import report

if TYPE_CHECKING:
    from django.urls import URLPattern
    from playwright.sync_api import Browser, BrowserContext

ROOT = Path(__file__).resolve().parents[1]
AUDIT = (ROOT / "tests" / "flows" / "page_audit.js").read_text(encoding="utf-8")
FULL, SMALL, EMPTY, SITE = "full", "small", "empty", "site"
COLLECTIONS = (FULL, SMALL, EMPTY, SITE)
NAMES = {SMALL: "Screenshots: small", EMPTY: "Screenshots: empty"}
README_PAGES = ("episode", "faces", "export")
README_WINDOW = {"width": 1440, "height": 900}
README_BYTES = 250_000  # per picture
WIDTHS, SCHEMES = (1440, 390), ("light", "dark")
PHONE = 600  # narrower windows are shown as a phone with a finger
MIN_CONTROL = 24  # pixels
MAX_HEIGHT = 12_000  # pixels of a picture; Chromium repeats itself beyond 16,384
SETTLED_MS, SCHEME_MS, RUN_MS = 15_000, 150, 600_000
LINK = re.compile(r"""\b(?:href|src|action|hx-get|hx-post|data-\w+)=["'](/[^"'?#]*)""")
# To the end and back, for pictures that load when they come into view; lists that grow at their end do so once.
SCROLL = """async () => {
  const height = document.documentElement.scrollHeight;
  for (let y = 0; y < height; y += innerHeight) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 60));
  }
  scrollTo(0, 0);
}"""
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


@dataclass(frozen=True)
class Page:
    """A page to show: its name in `urls.py`, its path, and the status that it should have."""

    name: str
    path: str
    needs_login: bool = True
    status: int = 200


@dataclass
class Found:
    """The pages of a site or of one collection; of the other names, why they are no page."""

    pages: list[Page] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shot:
    """What one picture shows. `small` and `pale`: the beginnings of controls of a phone under 24 pixels, and of texts
    without contrast."""

    collection: str
    page: str
    width: int
    scheme: str
    status: int
    is_expected: bool
    errors: tuple[str, ...]
    overflow: int
    height: int
    weight: int
    small: tuple[str, ...]
    pale: tuple[str, ...]

    @property
    def is_bad(self) -> bool:
        """Whether the page did not open, complained, or is wider than its window."""
        return not self.is_expected or bool(self.errors) or self.overflow > 0


def patterns() -> dict[str, URLPattern]:
    """Every named address outside of Django's admin site."""
    from django.urls import URLPattern, URLResolver, get_resolver

    def walk(resolver: URLResolver) -> Iterator[URLPattern]:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLPattern):
                yield entry
            elif entry.namespace is None:
                yield from walk(entry)

    return {entry.name: entry for entry in walk(get_resolver()) if entry.name}


class Site:
    """The addresses of a running Koma as one person sees them. `context` is logged in, `outside` is not."""

    def __init__(self, url: str, context: BrowserContext, outside: BrowserContext) -> None:
        self.url = url.rstrip("/")
        self.context = context
        self.outside = outside
        self.patterns = patterns()

    def found(self, collection: int | None) -> Found:
        """The pages of a collection, or those outside of any; None: outside."""
        names = {
            name: list(entry.pattern.converters)
            for name, entry in self.patterns.items()
            if ("collection_id" in entry.pattern.converters) == (collection is not None)
        }
        result = Found()
        if collection is None:
            result.pages.append(Page("404", "/no-such-page/", status=404))
        examples: dict[str, dict[str, Any]] = {}
        if collection is not None:
            examples = {name: {"collection_id": collection} for name, keys in names.items() if len(keys) == 1}
        examples |= {name: {} for name, keys in names.items() if not keys}
        waiting = list(examples)
        while waiting:
            for path in self._classify(waiting.pop(0), examples, result):
                if (match := self._match(path)) and match[0] in names and match[0] not in examples:
                    examples[match[0]] = match[1]
                    waiting.append(match[0])
            if not waiting:
                waiting = self._without_link(names, examples)
        result.skipped |= dict.fromkeys(set(names) - set(examples), "no page links to one")
        order = list(self.patterns)
        result.pages.sort(key=lambda page: order.index(page.name) if page.name in order else len(order))
        return result

    def _without_link(self, names: dict[str, list[str]], examples: dict[str, dict[str, Any]]) -> list[str]:
        """Names without a link of their own for which the links of other names give all numbers; adds their example."""
        known = {key: value for values in examples.values() for key, value in values.items()}
        ready = [name for name, keys in names.items() if name not in examples and known.keys() >= set(keys)]
        examples |= {name: {key: known[key] for key in names[name]} for name in ready}
        return ready

    def _match(self, path: str) -> tuple[str, dict[str, Any]] | None:
        from django.urls import Resolver404, resolve

        with suppress(Resolver404):
            match = resolve(path)
            return match.url_name or "", match.kwargs
        return None

    def _classify(self, name: str, examples: dict[str, dict[str, Any]], result: Found) -> list[str]:
        """Puts the name into `result`; returns the links of its page."""
        from django.urls import reverse

        path = reverse(name, kwargs=examples[name])
        for context, needs_login in ((self.context, True), (self.outside, False)):
            # HEAD first: a file may be large.
            head = context.request.head(self.url + path, max_redirects=0)
            kind = head.headers.get("content-type", "")
            if head.status == 200 and kind.startswith("text/html"):
                text = context.request.get(self.url + path).text()
                links = [unescape(link) for link in LINK.findall(text)]
                if "<html" in text:
                    result.skipped.pop(name, None)
                    result.pages.append(Page(name, path, needs_login))
                else:
                    result.skipped[name] = "part of a page"
                return links
            if not needs_login:
                break
            if head.status == 405:
                result.skipped[name] = "takes no GET"
            elif 300 <= head.status < 400:
                result.skipped[name] = f"leads to {urlsplit(head.headers['location']).path}"
                continue  # the login page does so for whoever is logged in
            else:
                result.skipped[name] = f"status {head.status}, {kind or 'no content'}"
            break
        return []

    def collections(self) -> set[int]:
        """The numbers of the person's collections."""
        text = self.context.request.get(self.url + "/").text()
        return {int(number) for number in re.findall(r'href="/c/(\d+)/"', text)}


def log_in(browser: Browser, url: str, user: str, password: str) -> Any:
    """The cookies of a session (playwright's storage state). Raises SystemExit with the page's message."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url + "/login/")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("main button.primary")
    page.wait_for_load_state()
    if error := page.locator("main .error").all_inner_texts():
        sys.exit(f"Login failed: {error[0]}")
    state = context.storage_state()
    context.close()
    return state


def open_collection(page: Any, url: str, name: str) -> int:
    """The number of the collection with this name; it is created when it is missing."""
    page.goto(url + "/")
    card = page.locator(".collection > a").filter(has=page.get_by_text(name, exact=True))
    if card.count():
        card.first.click()
    else:
        page.get_by_label("New collection").fill(name)
        page.get_by_role("button", name="Create").click()
    page.locator("nav.rail").wait_for()
    return int(page.url.split("/c/")[1].split("/")[0])


def fill_small(page: Any, url: str, *, small: int, full: int) -> None:
    """Three pictures of the full collection, added and read by a run. Does nothing when there are episodes."""
    page.goto(f"{url}/c/{small}/episodes/")
    if page.locator("table.episodes").count():
        return
    page.goto(f"{url}/c/{full}/frames/")
    addresses = page.locator("main img[src*='/file/']").evaluate_all("images => images.map((image) => image.src)")[:3]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, address in enumerate(addresses, 1):
            files.append(Path(folder) / f"Picture {number}{Path(urlsplit(address).path).suffix}")
            files[-1].write_bytes(page.context.request.get(address).body())
        page.goto(f"{url}/c/{small}/add/")
        page.locator("#upload input[name=files]").set_input_files(files)
        page.locator(".added-one").first.wait_for()
        page.wait_for_load_state("networkidle")
    page.goto(f"{url}/c/{small}/runs/start/")
    page.get_by_role("button", name="Start the run").click()
    page.locator("#lanes > .next b", has_text="Done").first.wait_for(timeout=RUN_MS)


def shoot(context: BrowserContext, site: Site, page: Page, *, of: str, width: int, out: Path,
          schemes: tuple[str, ...] = SCHEMES) -> list[Shot]:  # fmt: skip
    """One picture per colour scheme, from one load of the page."""
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    response = tab.goto(site.url + page.path)
    status = response.status if response else 0
    if page.status != 200:
        errors.clear()  # Chromium logs the status that is meant
    with suppress(Exception):  # a page that polls may never be idle
        tab.wait_for_load_state("networkidle", timeout=SETTLED_MS)
    tab.evaluate(SCROLL)
    with suppress(Exception):
        tab.wait_for_load_state("networkidle", timeout=SETTLED_MS)
    wide, height = tab.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    # A window as high as the page: bars that stick stand at its end, and a phone stays one (`full_page` ends both).
    tab.set_viewport_size({"width": width, "height": min(height, MAX_HEIGHT)})
    shots = []
    for scheme in schemes:
        tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        tab.wait_for_timeout(SCHEME_MS)
        audit = f"(() => {{ const page = {AUDIT}; return [page.small({MIN_CONTROL}), page.pale()]; }})()"
        small, pale = tab.evaluate(audit)
        tab.screenshot(path=out / f"{of}-{page.name}-{width}-{scheme}.png", animations="disabled")
        shots.append(
            Shot(
                of, page.name, width, scheme, status, status == page.status, tuple(errors),
                overflow=max(0, wide - width), height=height, weight=tab.evaluate(WEIGHT),
                small=tuple(small) if width < PHONE else (), pale=tuple(pale),
            )
        )  # fmt: skip
    tab.close()
    return shots


def take(options: argparse.Namespace, browser: Browser) -> tuple[list[Shot], dict[str, str]]:
    """All pictures, and the names that are no page with the reason. Raises SystemExit when there is nothing to show."""
    url = options.url.rstrip("/")
    state = log_in(browser, url, options.user, options.password)
    site = Site(url, browser.new_context(storage_state=state), browser.new_context())
    found = {kind: site.found(number) for kind, number in _places(options, site).items()}
    shots = []
    for width in options.widths:
        shape: dict[str, Any] = {"viewport": {"width": width, "height": 900}}
        if width < PHONE:
            shape = {"viewport": {"width": width, "height": 844}, "is_mobile": True, "has_touch": True}
        contexts = {True: browser.new_context(storage_state=state, **shape), False: browser.new_context(**shape)}
        for kind, pages in found.items():
            for page in pages.pages:
                if not options.pages or page.name in options.pages:
                    print(f"{kind} {page.name} {width}", file=sys.stderr)
                    shots += shoot(
                        contexts[page.needs_login], site, page, of=kind, width=width, out=options.out,
                        schemes=tuple(options.schemes),
                    )  # fmt: skip
    skipped = {name: why for pages in found.values() for name, why in pages.skipped.items()}
    for pages in found.values():
        for page in pages.pages:
            skipped.pop(page.name, None)
    return shots, skipped


def take_readme(options: argparse.Namespace, browser: Browser) -> None:
    """The pages of the README as PNG with a palette, `NAME.png`. Raises SystemExit when one is missing."""
    url = options.url.rstrip("/")
    state = log_in(browser, url, options.user, options.password)
    site = Site(url, browser.new_context(storage_state=state), browser.new_context())
    full = options.full or min(site.collections(), default=None)
    paths = {page.name: page.path for page in site.found(full).pages} if full is not None else {}
    window: Any = README_WINDOW
    context = browser.new_context(storage_state=state, viewport=window, color_scheme="light")
    for name in options.pages or README_PAGES:
        if name not in paths:
            sys.exit(f"The collection has no page {name!r}.")
        tab = context.new_page()
        tab.goto(url + paths[name])
        tab.wait_for_load_state("networkidle")
        tab.evaluate("document.activeElement.blur()")
        small_png(tab.screenshot(animations="disabled"), options.out / f"{name}.png")
        tab.close()


def small_png(data: bytes, path: Path) -> None:
    """Write a picture with as many colours as fit in README_BYTES. Raises SystemExit when 32 are too many."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= README_BYTES:
            path.write_bytes(out.getvalue())
            return
    sys.exit(f"{path.name} is larger than {README_BYTES:,} bytes even with 32 colours.")


def _places(options: argparse.Namespace, site: Site) -> dict[str, int | None]:
    """The number of each collection to show; None for the pages outside of collections."""
    page = site.context.new_page()
    created = {kind: open_collection(page, site.url, NAMES[kind]) for kind in NAMES if kind in options.collections}
    places: dict[str, int | None] = {}
    if FULL in options.collections or SMALL in created:
        full = options.full or min(site.collections() - set(created.values()), default=None)
        if full is None:
            sys.exit("There is no collection to show. Add one, or choose --collections empty site.")
        places[FULL] = full
        if SMALL in created:
            fill_small(page, site.url, small=created[SMALL], full=full)
    page.close()
    places |= created
    return {kind: places.get(kind) for kind in options.collections}


def text_of(shots: list[Shot], skipped: dict[str, str]) -> str:
    """The table, then what is wrong in words, then the names without a picture."""
    header = ["page", "collection", "width", "scheme", "status", "errors", "overflow px", "height px", "kB", "small",
              "pale"]  # fmt: skip
    rows = [
        [shot.page, shot.collection, shot.width, shot.scheme, shot.status, len(shot.errors), shot.overflow,
         shot.height, round(shot.weight / 1000), len(shot.small), len(shot.pale)]
        for shot in shots
    ]  # fmt: skip
    places: dict[str, list[str]] = {}
    for shot in shots:
        texts = [f"console: {error}" for error in shot.errors]
        texts += [f"under {MIN_CONTROL} px: {html}" for html in shot.small]
        texts += [f"low contrast: {html}" for html in shot.pale]
        for text in dict.fromkeys(texts):
            places.setdefault(text, []).append(f"{shot.page} ({shot.collection}, {shot.width}, {shot.scheme})")
    words = [
        f"- {text} On {where[0]}{f' and {len(where) - 1} more' if where[1:] else ''}." for text, where in places.items()
    ]
    missing = [f"- {name}: {why}" for name, why in sorted(skipped.items())]
    return "\n".join([report.table(header, rows), "", *words, "", "No picture of:", *missing])


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", required=True, help="address of the running Koma")
    options.add_argument("--user", required=True, help="an admin of the site")
    options.add_argument("--password", required=True)
    options.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    options.add_argument("--collections", nargs="+", choices=COLLECTIONS, default=COLLECTIONS)
    options.add_argument("--full", type=int, help="number of the full collection (default: the oldest)")
    options.add_argument("--pages", nargs="+", default=(), help="names of urls.py; default: all")
    options.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    options.add_argument("--readme", action="store_true", help="the pages of the README, as small files")
    options.add_argument("--schemes", nargs="+", choices=SCHEMES, default=SCHEMES)
    return options.parse_args(arguments)


def main() -> None:
    """Take all pictures and print the table; status 1 when a page fails."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        # Only the addresses are needed, not the data of this checkout.
        os.environ |= {"KOMA_DATA_DIR": data, "DJANGO_SETTINGS_MODULE": "project.settings"}
        import django
        from playwright.sync_api import sync_playwright

        django.setup()
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            if options.readme:
                take_readme(options, browser)
                return
            shots, skipped = take(options, browser)
            browser.close()
    print(text_of(shots, skipped))
    sys.exit(any(shot.is_bad for shot in shots))


if __name__ == "__main__":
    main()
