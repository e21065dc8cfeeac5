"""The built wheel in fresh virtual environments, outside the checkout: what a user's `pip install` gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.packaging

DOMAIN_EXTRAS = ("dmcontrol", "metaworld", "maniskill", "mujoco", "box2d", "robodesk", "ogbench", "arcade", "atari")
OTHER_EXTRAS = ("agents", "language", "demos", "minari", "lerobot", "ray", "media", "sb3")


def run(*command: object, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MUJOCO_GL"))}
    child = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or child.returncode == 0, f"{command}\n{child.stdout}\n{child.stderr}"
    return child


@pytest.fixture(scope="session")
def outside(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(scope="session")
def wheel(outside) -> Path:
    """The wheel, built from the source archive, which is built from the checkout."""
    run(sys.executable, "-m", "build", "--outdir", outside / "dist", REPOSITORY, cwd=outside)
    (path,) = (outside / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="session")
def bare(outside, wheel) -> Path:
    """Python of an environment with the wheel and no extra."""
    return make_environment(outside / "bare", wheel, "")


@pytest.fixture(scope="session")
def playing(outside, wheel) -> Path:
    """Python of an environment with the wheel and one domain's extra."""
    return make_environment(outside / "playing", wheel, "[dmcontrol]")


def make_environment(folder: Path, wheel: Path, extras: str) -> Path:
    run(sys.executable, "-m", "venv", folder, cwd=wheel.parent)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", f"newt-bench{extras} @ {wheel.as_uri()}", cwd=wheel.parent)
    return python


@pytest.fixture(scope="session")
def requirements(wheel) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Requires-Python"] == "<3.13,>=3.10"
    assert metadata["License-Expression"] == "MIT"
    assert {*DOMAIN_EXTRAS, *OTHER_EXTRAS, "all", "docs", "dev"} == set(metadata.get_all("Provides-Extra"))
    return [Requirement(line) for line in metadata.get_all("Requires-Dist")]


def of_extra(requirements: list[Requirement], extra: str) -> dict[str, str]:
    return {
        re.sub(r"[-_.]+", "-", r.name).lower(): str(r.specifier)
        for r in requirements
        if r.marker and r.marker.evaluate({"extra": extra}) and not r.marker.evaluate({"extra": ""})
    }


def test_metadata_names_releases_only(requirements):
    for requirement in requirements:
        assert requirement.url is None, requirement
        assert not requirement.specifier.prereleases, requirement


def test_physics_is_pinned_in_every_extra_that_needs_it(requirements):
    pins = {
        "dm-control": "==1.0.34",
        "mujoco": "==3.3.6",
        "metaworld": "==3.0.0",
        "mani-skill": "==3.0.1",
        "ogbench": "==1.1.5",
        "robodesk": "==1.0.0",
        "ale-py": "==0.12.1",
        "box2d": "==2.3.10",
    }
    seen = set()
    for extra in DOMAIN_EXTRAS:
        for name, specifier in of_extra(requirements, extra).items():
            if name in pins:
                assert specifier == pins[name], (extra, name)
                seen.add(name)
    assert seen == set(pins)
    for extra in ("maniskill", "agents", "language", "sb3"):
        assert "<2.14" in of_extra(requirements, extra)["torch"]
    core = {r.name: str(r.specifier) for r in requirements if r.marker is None}
    assert core["gymnasium"] == "<2,>=1.1"
    assert "<2.4" in core["numpy"]


def test_all_holds_every_extra(requirements):
    everything = of_extra(requirements, "all")
    for extra in (*DOMAIN_EXTRAS, *OTHER_EXTRAS):
        assert of_extra(requirements, extra).items() <= everything.items()


def test_content_is_found_in_wheel_editable_install_and_checkout(bare, outside):
    code = (
        "import newt_bench; from newt_bench.content import content_folder\n"
        "print(len(newt_bench.tasks()))\n"
        "for name in ('tasks', 'demos', 'baselines', 'leaderboard'): print(content_folder(name))"
    )
    count, *folders = run(bare, "-c", code, cwd=outside).stdout.split()
    assert count == "234"
    assert all("_content" in folder for folder in folders)
    # The environment that runs these tests is an editable install.
    count, *folders = run(sys.executable, "-c", code, cwd=outside).stdout.split()
    assert (count, folders) == ("234", [str(REPOSITORY / n) for n in ("tasks", "demos", "baselines", "leaderboard")])
    # A checkout that nobody installed.
    checkout = outside / "checkout"
    for folder in ("newt_bench", "tasks", "demos", "baselines", "leaderboard"):
        shutil.copytree(REPOSITORY / folder, checkout / folder)
    count, *folders = run(bare, "-c", code, cwd=outside, PYTHONPATH=str(checkout)).stdout.split()
    assert (count, {Path(folder).parent for folder in folders}) == ("234", {checkout})


def test_without_extras(bare, outside):
    assert run(bare, "-m", "pip", "check", cwd=outside).stdout.startswith("No broken requirements")
    shown = run(bare.with_name("newt-bench"), "tasks", "--split", "core", cwd=outside)
    assert shown.stderr.strip() == "200 tasks"
    validated = run(bare.with_name("newt-bench"), "leaderboard", "validate", cwd=outside)
    assert validated.stdout.endswith("submissions, all accepted\n")
    made = run(
        bare,
        "-c",
        "import gymnasium, newt_bench; gymnasium.make('newt/walker-run-v0')",
        cwd=outside,
        check=False,
    )
    assert 'Install it with: pip install "newt-bench[dmcontrol]"' in made.stderr
    doctor = run(bare.with_name("newt-bench"), "doctor", "dmcontrol", cwd=outside, check=False)
    assert doctor.returncode == 1
    assert 'fix: pip install "newt-bench[dmcontrol]"' in doctor.stdout


def test_with_one_domain(playing, outside):
    code = (
        "import gymnasium, newt_bench; print(len(newt_bench.tasks()))\n"
        "for name in ('walker-run', 'giraffe-run', 'jumper-jump'):\n"  # the last two on models of the wheel's own
        "    print(gymnasium.make(f'newt/{name}-v0').reset(seed=0)[0].size)"
    )
    assert run(playing, "-c", code, cwd=outside).stdout.split() == ["234", "24", "19", "9"]
    assert run(playing, "-m", "pip", "check", cwd=outside).stdout.startswith("No broken requirements")
    evaluated = run(
        playing.with_name("newt-bench"),
        *("evaluate", "--agent", "random", "--tasks", "cartpole-balance", "--episodes", 2, "--out", "r.json"),
        cwd=outside,
    )
    assert "cartpole-balance" in evaluated.stdout
    assert run(playing.with_name("newt-bench"), "doctor", "dmcontrol", "--no-render", cwd=outside).returncode == 0
