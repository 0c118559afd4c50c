"""The documents say what the code does: every setting, the version, no dependency with a licence we refuse."""

from __future__ import annotations

import ast
import re
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from ingest.version import VERSION
from project.licences import licence_of

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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


def test_each_setting_has_a_line_in_the_readme_and_no_line_is_left_over() -> None:
    table = README.split("## Settings")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)`", table, re.M)) == settings_read()


def test_no_other_module_reads_the_environment() -> None:
    for app in ("ingest", "annotate", "export"):
        for path in (ROOT / app).rglob("*.py"):
            assert not re.search(r"os\.(environ|getenv)", path.read_text(encoding="utf-8")), path


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\S+)", changelog, re.M)
    assert found
    assert found.group(1) == VERSION


def requirements(name: str) -> dict[str, Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    parsed = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {f"{one.name.lower()}{one.marker or ''}": one for one in parsed}


def test_all_requirements_are_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for one in requirements(name).values():
            assert re.fullmatch(r"==[\w.]+", str(one.specifier)), f"{one} in {name}"


def test_every_requirement_is_used() -> None:
    apps = ("project", "export", "annotate", "ingest", "drawing")
    code = "\n".join(path.read_text(encoding="utf-8") for app in apps for path in (ROOT / app).rglob("*.py"))
    modules = packages_distributions()
    for one in requirements("requirements.txt").values():
        names = [module for module, owners in modules.items() if one.name.lower() in map(str.lower, owners)]
        names = [name for name in names if not name.startswith("_")]
        if not names or one.name == "psycopg":  # not for this machine; loaded by Django for PostgreSQL
            continue
        assert any(re.search(rf"\b{re.escape(name)}\b", code) for name in names), one.name


def test_one_onnxruntime_is_chosen_on_every_machine() -> None:
    both = [one for one in requirements("requirements.txt").values() if one.name.startswith("onnxruntime")]
    assert len(both) == 2
    for platform in ("linux", "darwin", "win32"):
        for machine in ("x86_64", "aarch64", "arm64", "AMD64"):
            machine_is = {"sys_platform": platform, "platform_machine": machine}
            chosen = [one.name for one in both if one.marker is not None and one.marker.evaluate(machine_is)]
            expected = "onnxruntime-gpu" if (platform, machine) == ("linux", "x86_64") else "onnxruntime"
            assert chosen == [expected], machine_is


def test_no_package_is_under_the_agpl() -> None:
    found = {one.metadata["Name"]: licence_of(one) for one in distributions()}
    assert "Django" in found
    assert [name for name, text in found.items() if re.search(r"agpl|affero", text, re.I)] == []


def compose() -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = loaded["services"]
    assert isinstance(services, dict)
    return services


def test_compose_publishes_the_web_port_only() -> None:
    services = compose()
    assert set(services) == {"web", "worker-cpu", "worker-gpu", "db", "redis"}
    assert [name for name, one in services.items() if "ports" in one] == ["web"]
    assert str(services["web"]["ports"]).endswith(":8000']")


def test_compose_sets_only_settings_that_exist() -> None:
    for name in ("web", "worker-cpu", "worker-gpu"):
        environment = compose()[name]["environment"]
        assert isinstance(environment, dict)
        assert set(environment) <= settings_read()
        assert {"DATABASE_URL", "REDIS_URL"} <= set(environment)


def test_compose_has_a_worker_for_each_queue() -> None:
    from project.queues import TIMEOUT_SECONDS

    commands = [one["command"] for name, one in compose().items() if name.startswith("worker")]
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
    assert "requirements.txt" in dockerfile
    assert "requirements-dev" not in dockerfile
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.M))
    assert copied >= {"project", "export", "annotate", "ingest", "drawing", "templates", "static"}
    ignored = (ROOT / ".dockerignore").read_text()
    for name in copied | {"manage.py", "LICENSE", "requirements.txt"}:
        assert f"!{name}" in ignored
    environment = dict(re.findall(r"(KOMA_[A-Z_]+)=(\S+)", dockerfile))
    assert set(environment) <= settings_read()
    assert environment["KOMA_BIND"] == "0.0.0.0"
    for module in re.findall(r'"python", "-m", "([\w.]+)"', dockerfile):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
