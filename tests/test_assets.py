"""Assets: which files tasks need, and their way from real servers on this machine to where simulators look."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

import newt_bench
from newt_bench import assets
from newt_bench.errors import CatalogueError, DownloadError, MissingAssetsError
from tests import standins

NEEDED = sorted({name for task in newt_bench.tasks() for name in task.assets})
URDF = "xarm6_robotiq.urdf"


def zipped(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("NEWT_BENCH_ASSETS", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def robot(server, monkeypatch) -> assets.Pack:
    """The xArm's pack, served here."""
    source = assets.WebFile(f"{server.url}/v0.1.1.zip")
    pack = dataclasses.replace(assets.PACKS["robot:xarm6"], source=source, max_bytes=10_000)
    monkeypatch.setitem(assets.PACKS, "robot:xarm6", pack)
    server.files["/v0.1.1.zip"] = zipped(
        {f"ManiSkill-XArm6-0.1.1/{URDF}": "<robot/>", "ManiSkill-XArm6-0.1.1/a/b": "B"}
    )
    return pack


def test_every_asset_of_the_catalogue_is_known():
    for name in NEEDED:
        assert assets.asset(name).files
    assert {assets.asset(name).pack.name for name in NEEDED} == set(assets.PACKS)
    for name in ("robot:r2d2", "ycb:", "ycb", "dog:rex"):
        with pytest.raises(CatalogueError, match=name):
            assets.asset(name)


def test_stand_ins_are_where_assets_are_looked_for(standin_assets):
    assert assets.data_folder() == standin_assets / "data"
    assert assets.missing(NEEDED) == []


def test_missing_and_require(place):
    assert assets.missing(NEEDED) == NEEDED
    assets.require((), place, "walker-run")
    with pytest.raises(MissingAssetsError, match=r"robot:anymal_c, looked for .* --tasks ms-anymal-reach$"):
        assets.require(("robot:anymal_c",), place, "ms-anymal-reach")
    standins.write_all(place)
    (place / "assets/mani_skill2_ycb/models/025_mug/textured.obj").unlink()
    assert assets.missing(NEEDED) == ["ycb:025_mug"]


def test_folder(monkeypatch):
    for variable, value in (("NEWT_BENCH_ASSETS", "/ours"), ("MS_ASSET_DIR", "/theirs"), ("HOME", "/home/someone")):
        expected = "/home/someone/.maniskill" if variable == "HOME" else value
        monkeypatch.setenv("MS_ASSET_DIR", "/theirs")
        monkeypatch.setenv(variable, value)
        if variable == "HOME":
            monkeypatch.delenv("MS_ASSET_DIR")
        assert assets.data_folder() == Path(expected) / "data"
        monkeypatch.delenv("NEWT_BENCH_ASSETS", raising=False)


def test_download(server, robot, place):
    reported = []

    def report(pack):
        reported.append(pack.name)
        return lambda done, total: reported.append((done, total))

    assert assets.download(["robot:xarm6"], report) == [robot]
    assert (place / "robots/xarm6" / URDF).read_text() == "<robot/>"
    assert (place / "robots/xarm6/a/b").read_text() == "B"
    assert [path.name for path in (place / ".downloads").iterdir()] == []
    size = len(server.files["/v0.1.1.zip"])
    assert reported == ["robot:xarm6", (size, size)]
    assert assets.download(["robot:xarm6"]) == []
    assert len(server.requests) == 1


def test_a_wrong_file_is_fetched_once_more(server, robot, place, monkeypatch):
    """First an interrupted download of something else is continued, and cannot fit."""
    good = server.files["/v0.1.1.zip"]
    part = place / ".downloads" / "xarm6.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 100)
    pack = dataclasses.replace(robot, sha256=hashlib.sha256(good).hexdigest())
    monkeypatch.setitem(assets.PACKS, "robot:xarm6", pack)
    assets.download(["robot:xarm6"])
    assert [wanted for _, wanted in server.requests] == ["bytes=100-", None]
    assert assets.missing(["robot:xarm6"]) == []


@pytest.mark.parametrize("checksum", [None, "0" * 64])
def test_a_file_that_is_wrong_twice_is_one_error(server, robot, place, monkeypatch, checksum):
    if checksum is None:
        server.files["/v0.1.1.zip"] = server.files["/v0.1.1.zip"][:-30]
    found = hashlib.sha256(server.files["/v0.1.1.zip"]).hexdigest()
    monkeypatch.setitem(assets.PACKS, "robot:xarm6", dataclasses.replace(robot, sha256=checksum))
    message = f"expected sha256 {checksum}, found {found}" if checksum else "expected a whole zip file, found"
    with pytest.raises(DownloadError, match=message) as caught:
        assets.download(["robot:xarm6"])
    assert f"{server.url}/v0.1.1.zip is not the expected file, twice" in str(caught.value)
    assert len(server.requests) == 2
    assert list((place / ".downloads").iterdir()) == []
    assert not (place / "robots").exists()


def test_an_archive_without_the_needed_files(server, robot, place):
    server.files["/v0.1.1.zip"] = zipped({"x/other": ""})
    with pytest.raises(DownloadError, match="does not hold what it should: robot:xarm6"):
        assets.download(["robot:xarm6"])


@pytest.mark.parametrize("member", ["../../evil", "x/zeros"])
def test_an_archive_that_is_not_safe(server, robot, place, member):
    server.files["/v0.1.1.zip"] = zipped({member: "0" * 20_000})
    with pytest.raises(DownloadError, match="is not safe to unpack"):
        assets.download(["robot:xarm6"])
    assert [path for path in place.rglob("*") if path.is_file()] == []


def ycb_zip(tmp_path: Path) -> bytes:
    standins.write_ycb(tmp_path / "made" / "mani_skill2_ycb")
    made = tmp_path / "made"
    return zipped({str(p.relative_to(made)): p.read_text() for p in made.rglob("*") if p.is_file()})


HUB_CODE = """
import dataclasses
from newt_bench import assets
assets.PACKS["ycb"] = dataclasses.replace(assets.PACKS["ycb"], sha256="SHA")
print([pack.name for pack in assets.download(["ycb:013_apple", "ycb:016_pear"])], assets.missing(["ycb:013_apple"]))
"""
HUB_PATH = "/datasets/haosulab/ManiSkill2/resolve/main/data/mani_skill2_ycb.zip"


def hub(server, tmp_path: Path) -> dict[str, str]:
    """Variables that have a process take the server for the Hub, and keep its files in a folder of the test's."""
    return {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "NEWT_BENCH_ASSETS": str(tmp_path / "cache"),
    }


def test_download_from_the_hub(server, run_python, tmp_path):
    """In a fresh process: the Hub's library reads its address while it is being imported."""
    content = server.files[HUB_PATH] = ycb_zip(tmp_path)
    variables = hub(server, tmp_path)
    code = HUB_CODE.replace("SHA", hashlib.sha256(content).hexdigest())
    assert run_python(code, **variables).stdout.strip() == "['ycb'] []"
    assert assets.missing(["ycb:013_apple", "ycb:077_rubiks_cube"], tmp_path / "cache" / "data") == []
    assert run_python(code, **variables).stdout.strip() == "[] []"


def test_a_wrong_file_from_the_hub(server, run_python, tmp_path):
    content = server.files[HUB_PATH] = ycb_zip(tmp_path)
    variables = hub(server, tmp_path)
    child = run_python(HUB_CODE.replace("SHA", "f" * 64), check=False, **variables)
    last = child.stderr.splitlines()[-1]
    assert "DownloadError: Hugging Face data set haosulab/ManiSkill2, file data/mani_skill2_ycb.zip is not" in last
    assert f"expected sha256 {'f' * 64}, found {hashlib.sha256(content).hexdigest()}" in last
    assert sum(path.endswith(".zip") for path, _ in server.requests) >= 2
    assert not (tmp_path / "cache" / "data" / "assets").exists()


def test_a_hub_without_the_file(server, run_python, tmp_path):
    child = run_python(HUB_CODE, check=False, **hub(server, tmp_path))
    assert (
        "DownloadError: Hugging Face data set haosulab/ManiSkill2, file data/mani_skill2_ycb.zip cannot" in child.stderr
    )


def test_commands(run_cli, server, tmp_path):
    cache = {"NEWT_BENCH_ASSETS": str(tmp_path / "cache")}
    listed = run_cli("assets", "list", **cache)
    assert listed.returncode == 0
    for name in NEEDED:
        assert name in listed.stdout
    assert f"{len(NEEDED)} of {len(NEEDED)} missing below {tmp_path}/cache/data" in listed.stderr
    one = run_cli("assets", "list", "--tasks", "ms-pick-mug,walker-run", **cache).stdout.splitlines()
    assert one[1:] == [line for line in one if line.split() == ["ycb:025_mug", "missing", "ms-pick-mug"]]
    assert run_cli("assets", "list", "--tasks", "ms-pick-mg", **cache).returncode == 2
    nothing = run_cli("assets", "download", "--tasks", "walker-run", **cache)
    assert (nothing.returncode, nothing.stdout) == (0, "nothing to download: everything is there\n")
    assert run_cli("assets", "download").stdout == "nothing to download: everything is there\n"  # the stand-ins
    server.files[HUB_PATH] = ycb_zip(tmp_path)
    refused = run_cli("assets", "download", "--tasks", "ms-pick-mug", **hub(server, tmp_path))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "error: Hugging Face data set haosulab/ManiSkill2" in refused.stderr
    assert assets.PACKS["ycb"].sha256 in refused.stderr.replace("\n", "")
    assert "Traceback" not in refused.stderr


def test_downloading_prints_where_files_went(server, robot, place, monkeypatch):
    from typer.testing import CliRunner

    from newt_bench.cli import app

    result = CliRunner().invoke(app, ["assets", "download", "--tasks", "ms-reach-xarm6"])
    assert result.exit_code == 0
    assert f"robot:xarm6: in {place}/robots/xarm6" in result.stdout
    assert os.listdir(place / "robots") == ["xarm6"]
