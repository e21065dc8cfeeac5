"""Importing stays light, and missing or broken simulators give clear errors."""

from __future__ import annotations

import json
import sys

import pytest

import newt_bench

HEAVY = [
    *("torch", "dm_control", "mujoco", "metaworld", "mani_skill", "sapien", "robodesk", "ogbench", "ale_py", "Box2D"),
    *("pygame", "scipy", "pandas", "rich", "typer", "jsonschema", "imageio", "matplotlib", "OpenGL"),
]
MAKE = "import gymnasium, newt_bench\ngymnasium.make('newt/walker-run-v0')"


def test_import_loads_nothing_heavy(run_python):
    code = f"import sys, newt_bench; print([m for m in {HEAVY} if m in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


def test_catalogue_and_one_environment_load_no_other_simulator(run_python):
    code = (
        "import sys, gymnasium, newt_bench\nnewt_bench.tasks()\n"
        "gymnasium.make('newt/walker-run-v0').reset(seed=0)\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    loaded = json.loads(run_python(code, MUJOCO_GL=None).stdout.replace("'", '"'))
    assert set(loaded) <= {"dm_control", "mujoco", "scipy"}


def test_public_names():
    assert len(newt_bench.__all__) <= 25
    assert dir(newt_bench) == sorted(newt_bench.__all__)
    for name in newt_bench.__all__:
        assert getattr(newt_bench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = newt_bench.nonsense


@pytest.mark.parametrize("package", ["dm_control", "mujoco"])
def test_missing_simulator_names_the_extra(run_python, package):
    child = run_python(f"import sys; sys.modules['{package}'] = None\n{MAKE}", check=False)
    assert (
        f"MissingExtraError: newt/walker-run-v0 needs the package '{package}', which is not installed. "
        'Install it with: pip install "newt-bench[dmcontrol]"'
    ) in child.stderr
    assert "The above exception was the direct cause" in child.stderr


def test_missing_simulator_is_gymnasiums_error_too(run_python):
    code = f"""
import sys; sys.modules['dm_control'] = None
import gymnasium
try:
    {MAKE.splitlines()[0]}
    {MAKE.splitlines()[1]}
except gymnasium.error.DependencyNotInstalled as error:
    print(type(error).__name__)
"""
    assert run_python(code).stdout.strip() == "MissingExtraError"


def test_broken_simulator_is_reported_as_broken(run_python, tmp_path):
    folder = tmp_path / "stubs" / "dm_control"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import absent_dependency")
    child = run_python(MAKE, check=False, PYTHONPATH=str(folder.parent))
    assert "SimulatorError: newt/walker-run-v0: dm_control or mujoco is installed but fails to import" in child.stderr
    assert "absent_dependency" in child.stderr
    assert "MissingExtraError" not in child.stderr


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libGL.so.1", "On Debian or Ubuntu: apt-get install libgl1"),
        ("libodd.so.3", "Install it with the system's tools"),
    ],
)
def test_a_missing_system_library_is_named_with_its_package(run_python, tmp_path, library, remedy):
    folder = tmp_path / "stubs" / "dm_control"
    folder.mkdir(parents=True)
    message = f"{library}: cannot open shared object file: No such file or directory"  # the dynamic linker's words
    (folder / "__init__.py").write_text(f"raise ImportError({message!r})")
    child = run_python(MAKE, check=False, PYTHONPATH=str(folder.parent))
    assert f"SimulatorError: newt/walker-run-v0 needs the system library {library}" in child.stderr
    assert remedy in child.stderr


def test_commands_work_without_simulators(run_python):
    code = f"""
import sys
for name in {[m for m in HEAVY if m not in ("rich", "typer", "scipy", "jsonschema")]}:
    sys.modules[name] = None
sys.argv = ["newt-bench", "tasks", "--split", "lite"]
from newt_bench.cli import main
main()
"""
    assert "walker-run" in run_python(code).stdout


def test_writing_videos_without_the_extra_names_it(run_python):
    code = """
import sys; sys.modules["imageio"] = None
from pathlib import Path
from newt_bench.filming import film
film(Path("x.gif"), "cartpole-balance", "random", steps=1, size=32)
"""
    child = run_python(code, check=False)
    assert (
        "needs the package 'imageio', which is not installed. Install it with: pip install \"newt-bench[media]\""
        in (child.stderr)
    )


def test_python_version_is_supported():
    assert (3, 10) <= sys.version_info < (3, 13)
