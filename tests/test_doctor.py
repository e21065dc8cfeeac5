"""The doctor survives what it examines, and names the command that mends it."""

from __future__ import annotations

import json
import os

import jsonschema
import pytest
from packaging.specifiers import SpecifierSet

from newt_bench.catalogue import DOMAIN_NAMES
from newt_bench.schemas import load_schema


def report(child) -> dict:
    document = json.loads(child.stdout)
    jsonschema.Draft202012Validator(load_schema("doctor-1")).validate(document)
    return document


@pytest.fixture
def stub(tmp_path):
    """Puts a package of our own in front of a simulator's."""

    def make(package: str, code: str) -> str:
        folder = tmp_path / "stubs" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(code)
        return str(folder.parent)

    return make


def test_every_domain_works_here(run_cli):
    child = run_cli("doctor", *DOMAIN_NAMES, "--json")
    document = report(child)
    assert child.returncode == 0
    assert document["ok"] is True
    for domain in document["domains"]:
        assert (domain["status"], domain["state"], domain["render"]) == ("ok", True, True), domain
        assert all(package["found"] in SpecifierSet(package["expected"]) for package in domain["packages"])
        assert ": " in domain["renderer"]


def test_report_on_everything(run_cli):
    child = run_cli("doctor", "--json", "--no-render")
    document = report(child)
    assert [d["name"] for d in document["domains"]] == list(DOMAIN_NAMES)
    assert child.returncode == 0
    assert {d["render"] for d in document["domains"]} == {None}
    table = run_cli("doctor", "--no-render").stdout
    assert all(name in table for name in DOMAIN_NAMES)


def test_a_simulator_that_crashes_is_a_finding(run_cli, stub):
    stubs = stub("dm_control", "import os; os.abort()")
    child = run_cli("doctor", "dmcontrol", "--json", PYTHONPATH=stubs)
    (domain,) = report(child)["domains"]
    assert child.returncode == 1
    assert domain["status"] == "broken"
    assert domain["state"] is False
    assert "ended with code -6" in domain["problem"]
    assert domain["remedy"] == 'pip install "newt-bench[dmcontrol]" --force-reinstall'


def test_a_simulator_that_does_not_import_is_reported_as_such(run_cli, stub):
    stubs = stub("dm_control", "raise ImportError('libphysics.so.3: cannot open shared object file')")
    (domain,) = report(run_cli("doctor", "dmcontrol", "--json", PYTHONPATH=stubs))["domains"]
    assert "needs the system library libphysics.so.3" in domain["problem"]
    assert domain["remedy"] == "Install it with the system's tools"


def test_other_versions_are_named(run_cli, tmp_path):
    metadata = tmp_path / "site" / "mujoco-3.9.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mujoco\nVersion: 3.9.0\n")
    (domain,) = report(run_cli("doctor", "dmcontrol", "--json", PYTHONPATH=str(metadata.parent)))["domains"]
    assert domain["status"] == "broken"
    assert "mujoco 3.9.0 (expected ==3.3.6)" in domain["problem"]
    assert domain["remedy"] == 'pip install "newt-bench[dmcontrol]"'


def test_states_without_frames(run_cli):
    """A graphics back end that does not load breaks frames only."""
    child = run_cli("doctor", "dmcontrol", "--json", MUJOCO_GL="osmesa", PYOPENGL_PLATFORM="egl")
    (domain,) = report(child)["domains"]
    assert child.returncode == 1
    assert domain["state"] is True
    assert domain["render"] is False
    assert "osmesa" in domain["problem"]
    assert domain["remedy"]
    assert run_cli("doctor", "dmcontrol", "--no-render", MUJOCO_GL="osmesa", PYOPENGL_PLATFORM="egl").returncode == 0


def test_text_names_problem_and_fix(run_cli, stub):
    stubs = stub("dm_control", "raise ImportError('broken here')")
    child = run_cli("doctor", "dmcontrol", PYTHONPATH=os.pathsep.join([stubs]))
    assert "broken here" in child.stdout
    assert 'fix: Reinstall with: pip install "newt-bench[dmcontrol]" --force-reinstall' in child.stdout
