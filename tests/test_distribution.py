"""What is handed out: both artefacts hold what they should, and work in an environment that holds nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

from cloudistill import __version__

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "examples" / "plugin"
ABOUT = f"cloudistill-{__version__}.dist-info"
INSIDE = (
    "platforms/openai.toml",
    "platforms/bedrock.toml",
    "platforms/vertex.toml",
    "demo/page.html.j2",
    "demo/phrases.toml",
    "py.typed",
    "conformance/__init__.py",
    "conformance/training.py",
)
SDKS = ("openai", "boto3", "google", "moto", "numpy", "starlette", "pytest")
ROW = '{"messages": [{"role": "user", "content": "Is it %d?"}, {"role": "assistant", "content": "It is."}]}\n'

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=_bare())


def _bare() -> dict[str, str]:
    """The environment without what points Python at this checkout, and with a key that is asked for before an SDK."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    return kept | {"OPENAI_API_KEY": "sk-nobodys"}


def done(*command: str | Path, folder: Path = ROOT) -> str:
    ended = run(*command, folder=folder)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


@dataclass(frozen=True)
class Artefacts:
    """What `make dist` builds, and the plug-in's wheel."""

    wheel: Path
    sdist: Path
    plugin: Path


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    out = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", out)
    done(*build, ROOT)  # the wheel is built from the sdist, so that the sdist is whole
    done(*build, "--wheel", PLUGIN)
    (wheel,), (sdist,) = out.glob("cloudistill-*.whl"), out.glob("cloudistill-*.tar.gz")
    (plugin,) = out.glob("cloudistill_acme-*.whl")
    return Artefacts(wheel, sdist, plugin)


@dataclass(frozen=True)
class Environment:
    """A virtual environment of which only we know what is in it."""

    folder: Path
    pins: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / "python"

    def install(self, *asked: str | Path) -> None:
        """Install what is asked for, in the versions of constraints.txt."""
        options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--no-compile")
        ended = run(sys.executable, "-m", "pip", "--python", self.python, "install", *options, "-c", self.pins, *asked)
        if re.search("No matching distribution|Could not find a version|connection", ended.stderr, re.IGNORECASE):
            pytest.skip(f"NO REGISTRY: nothing can be installed here, so the artefacts are not tried\n{ended.stderr}")
        assert ended.returncode == 0, ended.stderr

    def cli(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return run(self.python, "-I", "-m", "cloudistill", *words, folder=self.folder)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, artefacts: Artefacts) -> Environment:
    """An environment with the wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    done(sys.executable, "-m", "venv", "--without-pip", folder)
    pins = folder / "pins.txt"  # with hashes, pip would want one for the wheel itself
    text = (ROOT / "constraints.txt").read_text("utf-8")
    pins.write_text("".join(f"{pin}\n" for pin in re.findall(r"^[a-z0-9][^\n\\]*(?= \\$)", text, re.MULTILINE)))
    made = Environment(folder, pins)
    made.install(artefacts.wheel)
    return made


def members(path: Path) -> set[str]:
    if path.suffix == ".whl":
        return set(zipfile.ZipFile(path).namelist())
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_holds_all_that_is_read_at_run_time_and_nothing_else(artefacts: Artefacts) -> None:
    held = members(artefacts.wheel)
    assert not [name for name in INSIDE if f"cloudistill/{name}" not in held]
    assert {name.partition("/")[0] for name in held} == {"cloudistill", ABOUT}
    assert f"{ABOUT}/licenses/LICENSE" in held
    assert not [name for name in held if name.endswith(".pyc") or "/tests/" in name or "__pycache__" in name]
    sources = {f"cloudistill/{path.relative_to(ROOT / 'src' / 'cloudistill')}" for path in _sources()}
    assert sources <= held


def _sources() -> Iterator[Path]:
    for path in (ROOT / "src" / "cloudistill").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            yield path


def test_the_sdist_holds_source_tests_and_papers_and_nothing_that_was_built(artefacts: Artefacts) -> None:
    held = members(artefacts.sdist)
    papers = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt"}
    assert papers | {"src/cloudistill/py.typed", "tests/test_distribution.py", "docs/index.md"} <= held
    assert "examples/plugin/pyproject.toml" in held
    assert not [name for name in held if re.search(r"\.pyc$|__pycache__|(^|/)\.(?!gitignore)|^(build|dist)/", name)]


def test_the_metadata_says_what_a_registry_shows(artefacts: Artefacts) -> None:
    with zipfile.ZipFile(artefacts.wheel) as wheel:
        said = Parser().parsestr(wheel.read(f"{ABOUT}/METADATA").decode())
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("cloudistill", __version__, "Apache-2.0")
    assert said["Description-Content-Type"] == "text/markdown"
    assert "# cloudistill" in said.get_payload()
    assert said["Requires-Python"] == ">=3.11"
    assert "conformance" in said.get_all("Provides-Extra", [])


def test_the_base_installation_imports_without_any_sdk(empty: Environment) -> None:
    code = "import sys, cloudistill; [getattr(cloudistill, n) for n in cloudistill.__all__]; print(*sys.modules)"
    loaded = set(done(empty.python, "-I", "-c", code).split())
    assert "cloudistill" in loaded
    assert not loaded & set(SDKS)
    assert "numpy" not in done(sys.executable, "-m", "pip", "--python", empty.python, "list")


def test_the_base_installation_helps_and_checks_a_file(empty: Environment) -> None:
    assert "distill" in empty.cli("--help").stdout
    (empty.folder / "rows.jsonl").write_text("".join(ROW % number for number in range(60)), "utf-8")
    checked = empty.cli("check", "rows.jsonl", "--student", "openai:gpt-4.1-mini-2025-04-14", "--today", "2026-11-24")
    assert checked.returncode == 0, checked.stderr
    assert "60 rows: 60 fit" in checked.stderr


@pytest.mark.parametrize("platform", ["openai", "bedrock", "vertex"])
def test_a_missing_sdk_is_refused_with_the_line_that_installs_it(empty: Environment, platform: str) -> None:
    asked = empty.cli("doctor", platform)
    assert asked.returncode == 3
    assert f"pip install 'cloudistill[{platform}]'" in asked.stderr


def test_a_plug_in_keeps_every_promise_with_nothing_of_ours_changed(empty: Environment, artefacts: Artefacts) -> None:
    empty.install(artefacts.wheel, f"{artefacts.plugin}[test]")
    shutil.copytree(PLUGIN / "tests", empty.folder / "tests")
    said = done(
        empty.python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests", folder=empty.folder
    )
    assert re.search(r"^\d{2,} passed", said.splitlines()[-1])
    assert "acme" in empty.cli("platforms").stdout
