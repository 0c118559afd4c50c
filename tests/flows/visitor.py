"""A person at a browser: what one does on Koma's pages, by the controls that the pages show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_MS = 60_000
RUN_PATIENCE_MS = 420_000
# What the console says when a test provokes a refusal on purpose: Chromium and htmx log each, with an odd "true".
REFUSED = re.compile(r"^true$|status of 4(09|22) |Response Status Error Code 4(09|22) from")


class Visitor:
    """One browser window with its own cookies. `problems` holds what its console should not have said."""

    def __init__(self, chromium: Any, address: str) -> None:
        self.address = address.rstrip("/")
        self.context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        self.context.set_default_timeout(PATIENCE_MS)
        self.problems: list[str] = []
        self.refusals_meant = False  # set by tests that provoke one
        self._toasts_read = 0
        self.page = self.tab()

    def tab(self) -> Any:
        """Another page of the same person, watched like the first."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        page.on("console", self._heard)
        page.on("requestfailed", self._failed)
        return page

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and not (self.refusals_meant and REFUSED.search(message.text)):
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Any) -> None:
        # A page that is left cuts its pictures and polls off; that is no problem of ours.
        if "ERR_ABORTED" not in str(request.failure):
            self.problems.append(f"{request.url}: {request.failure}")

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(self.address + "/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Collections").wait_for()

    def create_collection(self, name: str) -> None:
        self.page.get_by_label("New collection").fill(name)
        self.page.get_by_role("button", name="Create").click()
        self.page.locator("nav.rail").wait_for()

    def rail(self, name: str) -> None:
        """Go to a page of the collection."""
        self.page.locator("nav.rail").get_by_role("link", name=name).click()
        self.page.locator("nav.rail a[aria-current=page]", has_text=name).wait_for()

    def upload(self, *films: Path) -> None:
        """From the episodes page to the form, and wait until each film was added."""
        self.rail("Episodes")
        self.page.get_by_role("link", name="Add episodes").first.click()
        self.page.locator("#upload input[name=files]").set_input_files(list(films))
        for film in films:
            self.page.locator(".upload", has_text=film.name).get_by_text("added as").wait_for()
            self.page.locator(".added-one", has_text=film.name).wait_for()

    def start_run(self) -> None:
        """From "what next" through the form of the run to its page."""
        self.page.keyboard.press("n")
        self.page.locator("#estimate", has_text="s").wait_for()
        self.page.get_by_role("button", name="Start the run").click()
        self.page.locator("#lanes").wait_for()

    def watch_run(self) -> None:
        """Wait, without touching the page, until it says that the run ended well."""
        done = self.page.locator("#lanes > .next b", has_text="Done").first
        failed = self.page.locator("#lanes .notice.bad")
        done.or_(failed.first).wait_for(timeout=RUN_PATIENCE_MS)
        assert failed.count() == 0, failed.all_inner_texts()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def leave_field(self) -> None:
        """Escape, once the field has the focus: an answer gives it back, and letters are keys only outside of it."""
        self.page.locator("input:focus").wait_for()
        self.press("Escape")

    def toast(self, text: str) -> Any:
        """Wait for a toast that says this and that no earlier call returned: two answers may read the same."""
        self._toasts_read += 1
        toast = self.page.locator("#toasts .toast:not([data-read])", has_text=text).last
        toast.evaluate("(toast, number) => (toast.dataset.read = number)", self._toasts_read)
        return self.page.locator(f"#toasts .toast[data-read='{self._toasts_read}']")

    def describe(self) -> str:
        """Where the visitor stands, for a failing test."""
        toasts = self.page.locator("#toasts .toast").all_inner_texts()
        return f"at {self.page.url}; toasts: {toasts}; console: {self.problems}"

    def close(self) -> None:
        self.context.close()


@contextmanager
def visiting(chromium: Any, address: str) -> Iterator[Visitor]:
    """A visitor whose console must have stayed silent."""
    visitor = Visitor(chromium, address)
    try:
        yield visitor
        assert visitor.problems == []
    except BaseException as error:
        error.add_note(visitor.describe())
        raise
    finally:
        visitor.close()
