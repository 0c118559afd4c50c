"""Draws the list of data sets as text; a template takes ten times as long for each. Everything is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from export.models import ExportJob
from ingest import humane
from ingest.humane import filesize, minute, thousands
from ingest.models import RunState


def sets(entries: Iterable[Mapping[str, Any]], *, base: str, token: str, lead: bool) -> SafeString:
    """A section a data set, of entries as `jobs.exports` makes them.

    `base` is what their addresses begin with (then the key), `token` the field that a form needs; leads may stop,
    resume and delete.
    """
    return mark_safe("".join(_set(entry, base=base, token=token, lead=lead) for entry in entries))


def _set(entry: Mapping[str, Any], *, base: str, token: str, lead: bool) -> str:
    job, name = entry["job"], escape(entry["job"].name)
    state = escape(entry["phase"] or "starting") if job.state == RunState.RUNNING else job.get_state_display()
    who = escape(job.created_by.get_username() if job.created_by else "") or "Koma"
    own = f"{base}{job.pk}/"
    link = ""
    if job.zip_file and not entry["gone"]:
        size = filesize(job.size_bytes)
        link = f'<a class="btn primary" href="{own}download/" download>Download {size}</a>'
    error = f'<p class="notice bad">{escape(job.error)}</p>' if job.error else ""
    return (
        f'<section class="set" id="set-{job.pk}">\n'
        f'<div class="row"><span class="dot {job.state}"></span><h2>{name}</h2><span class="small dim">{state} · {who}'
        f' · {minute(localtime(job.created_at))}</span><span class="grow"></span>\n{link}\n'
        f"{_form(entry, name, address=f'{own}change/', token=token) if lead else ''}</div>\n"
        f"{'' if entry['finished'] else _bar(entry, name)}"
        f"{error}\n"
        f"{_result(entry, own) if job.state == RunState.DONE else ''}\n</section>"
    )


def _form(entry: Mapping[str, Any], name: str, *, address: str, token: str) -> str:
    job: ExportJob = entry["job"]
    buttons = ""
    if not entry["finished"]:
        off, words = (" disabled", "Stopping…") if job.cancel_requested else ("", "Stop")
        buttons = f'<button class="btn danger" name="cancel"{off}>{words}</button>\n'
    elif job.state != RunState.DONE:
        buttons = '<button class="btn primary" name="resume">Resume</button>\n'
    if entry["finished"]:
        buttons += (
            '<details class="menu right"><summary class="btn quiet">Delete…</summary><div class="sure">'
            '<label class="check"><input type="checkbox" name="sure"> for good, with folder and zip</label>'
            f'<button class="btn danger" name="delete">Delete {name}</button></div></details>'
        )
    return f'<form method="post" action="{address}" class="row">{token}\n{buttons}</form>'


def _bar(entry: Mapping[str, Any], name: str) -> str:
    job, percent = entry["job"], entry["percent"]
    if job.state == RunState.QUEUED:
        words = "Waiting for a worker."
    elif entry["phase"] == "packing":
        words = f"Packing the zip: {percent} %"
    else:
        words = f"{job.done:,} of {job.total:,} pictures"
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="{name}"><b style="width:{percent}%"></b></div><p class="small dim">{words}</p>\n'
    )


def _result(entry: Mapping[str, Any], own: str) -> str:
    job = entry["job"]
    counts = job.counters
    epoch = f"{counts['epoch']:,.0f}" if "epoch" in counts else ""
    pictures, folders = thousands(counts.get("pictures")), thousands(counts.get("folders"))
    words = f"{pictures} pictures in {folders} folders · an epoch of {epoch}"
    if entry["left_out"]:
        words += f" · {entry['left_out']:,} left out"
    for passes, pictures_so in counts.get("upscaled", {}).items():
        words += f" · {pictures_so:,} upscaled in {humane.count(int(passes), 'pass', 'passes')}"
    if written := counts.get("captions_by_person"):
        words += f" · {humane.count(written, 'caption')} by a person"
    where = f'<code class="dim">{escape(job.folder)}</code> · <a class="link" href="{own}reread/">read it back</a>'
    if entry["gone"]:
        where = '<span class="warn">The folder is gone from the export folder.</span>'
    return f'<p class="small">{words}<br>\n{where}</p>\n{_remarks(job)}'


def _remarks(job: ExportJob) -> str:
    """Warnings and what stayed out, folded up."""
    left_out: dict[str, int] = job.counters.get("left_out", {})
    heads = [humane.count(len(job.warnings), "warning")] if job.warnings else []
    heads += ["what stayed out"] if left_out else []
    if not heads:
        return ""
    warnings = "".join(f'<p class="notice">{escape(str(warning))}</p>' for warning in job.warnings)
    lines = "".join(f"<li>{n:,} · {escape(reason)}</li>" for reason, n in left_out.items())
    return (
        f'<details><summary class="small dim">{", ".join(heads)}</summary>{warnings}'
        f'<ul class="small">{lines}</ul></details>'
    )
