"""What the repository promises to whoever clones it: set-up that works, pinned packages, nothing of one machine."""

import ast
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
TARGETS = ("help", "demo", "test", "check", "bench", "docs", "tables", "dist", "lock", "clean")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="NO MAKE: the Makefile is not tried")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-C", str(folder), *arguments]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean)


def pins() -> list[tuple[str, str]]:
    """Each line of constraints.txt that pins a package: its name, and the lines of its hashes."""
    pin = r"^([a-z0-9._-]+)==[^\n]*\n((?: {4}--hash=sha256:[0-9a-f]{64}\b.*\n)*)"
    return re.findall(pin, read("constraints.txt"), re.MULTILINE)


def named_dependencies() -> Iterator[str]:
    facts = project()
    extras, groups = facts["project"]["optional-dependencies"], facts["dependency-groups"]
    lists: list[list[str]] = [*extras.values(), *groups.values(), facts["project"]["dependencies"]]
    for line in itertools.chain.from_iterable(lists):
        name = re.split(r"[\[<>=~! ;]", line)[0].lower().replace("_", "-")
        if name != facts["project"]["name"]:
            yield name
    yield re.split(r"[<>=]", facts["build-system"]["requires"][0])[0]


def test_every_package_is_pinned_with_hashes() -> None:
    lines = re.findall(r"^[^\s#].*", read("constraints.txt"), re.MULTILINE)
    assert len(lines) == len(pins()) > 50
    assert all(hashes for _, hashes in pins())


def test_every_dependency_extra_and_development_package_is_in_the_constraints() -> None:
    assert set(named_dependencies()) <= {name for name, _ in pins()}


def test_the_constraints_name_no_registry_and_no_machine() -> None:
    lines = read("constraints.txt").splitlines()
    assert not [line for line in lines if "://" in line or re.search(r"(^|\s)(/|-i\b|--(extra-)?index|--find)", line)]


def test_the_licence_is_apache_2_0_word_for_word() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0
    assert project()["project"]["license"] == "Apache-2.0"


@needs_make
def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^  make (\w+) +(\S.*)$", make().stdout, re.MULTILINE))
    assert tuple(listed) == TARGETS


@needs_make
@pytest.mark.parametrize("target", ["demo", "test", "check", "bench"])
def test_every_target_that_runs_something_sets_up_the_environment_first(target: str, tmp_path: Path) -> None:
    checkout(tmp_path)
    steps = make("--dry-run", target, folder=tmp_path).stdout
    assert 0 < steps.index("-m venv") < steps.index("--require-hashes") < steps.index("--editable")


@needs_make
def test_set_up_runs_again_only_when_the_pins_or_the_project_change(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "set-up").touch()
    assert make("--question", ".venv/set-up", folder=tmp_path).returncode == 0
    for name in ("constraints.txt", "pyproject.toml"):
        os.utime(tmp_path / name, (2e9, 2e9))
        assert make("--question", ".venv/set-up", folder=tmp_path).returncode == 1
        os.utime(tmp_path / name, (1e9, 1e9))


@needs_make
def test_an_older_python_is_refused_with_the_version_and_the_way_out(tmp_path: Path) -> None:
    checkout(tmp_path)
    older = tmp_path / "python3.9"
    older.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "sys.version_info, sys.version = (3, 9, 1), '3.9.1 (main)'\n"
        "exec(sys.argv[2])\n"
    )
    older.chmod(0o755)
    refused = make(f"PYTHON={older}", "test", folder=tmp_path)
    assert refused.returncode != 0
    assert "needs Python 3.11 or newer" in refused.stderr
    assert "is 3.9.1." in refused.stderr
    assert "make PYTHON=" in refused.stderr
    assert not (tmp_path / ".venv").exists()


def checkout(folder: Path) -> None:
    """A copy of the files that set-up depends on, long unchanged."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (1e9, 1e9))


def test_continuous_integration_runs_the_checks_and_the_commands_of_the_readme() -> None:
    script = read(".ci/run")
    assert script.index("make check") < script.index("make test")
    assert "set -euo pipefail" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_change_is_told_in_a_fragment_that_becomes_the_changelog() -> None:
    kinds = {kind["directory"] for kind in project()["tool"]["towncrier"]["type"]}
    fragments = [path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]
    assert project()["tool"]["towncrier"]["start_string"].strip() in read("CHANGELOG.md")
    assert fragments
    assert {path.suffixes[0].removeprefix(".") for path in fragments} <= kinds


def test_the_version_is_said_alike_in_both_places() -> None:
    assert f'__version__ = "{project()["project"]["version"]}"' in read("src/cloudistill/__init__.py")


def test_one_workflow_calls_the_make_targets() -> None:
    (workflow,) = (ROOT / ".github" / "workflows").glob("*.yml")
    runs = re.findall(r"- run: (.*)", workflow.read_text("utf-8"))
    assert runs == ["make check", "make test", "make docs dist"]


def test_every_module_opens_with_one_line_that_says_what_it_is_for() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]
        assert len(first) > 20, f"{path.relative_to(ROOT)} opens with {first!r}"
        assert first.endswith((".", ":")), f"{path.relative_to(ROOT)} opens with {first!r}"


def test_no_file_holds_a_path_of_one_machine_or_a_registry_host() -> None:
    # Spelt in parts, so that this file does not hold them itself.
    places = re.compile("/" + "work/|/" + "root/|/" + r"home/\w|files\.python" + "hosted|registry\\.npm" + "js")
    found: list[str] = []
    for folder in ("src", "tests", "docs", "examples", "bench", "scripts"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".toml", ".md", ".json", ".jsonl", ".j2", ".sh", ".txt"}:
                found += [str(path.relative_to(ROOT))] if places.search(path.read_text("utf-8")) else []
    assert not found


def test_everything_the_package_reads_at_run_time_lies_inside_it() -> None:
    package = ROOT / "src" / "cloudistill"
    assert (package / "py.typed").exists()
    assert all((package / "demo" / name).is_file() for name in ("phrases.toml", "page.html.j2"))
