"""Downloads from a real server on this machine, and zip files that mean harm."""

from __future__ import annotations

import socket
import stat
import zipfile
from pathlib import Path

import pytest

from newt_bench import downloads
from newt_bench.errors import DownloadError

CONTENT = bytes(range(256)) * 2000


def test_fetch_reports_progress_and_leaves_one_file(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    seen = []
    downloads.fetch(f"{server.url}/a.bin", tmp_path / "deep" / "a.bin", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 3


def test_fetch_goes_on_where_the_connection_broke(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    server.faults = [1000, 50_000]
    downloads.fetch(f"{server.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=51000-"]


def test_fetch_goes_on_in_a_later_call(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    server.faults = [2000, "503", "503", "503"]
    with pytest.raises(DownloadError, match=r"503.*Run the same command again"):
        downloads.fetch(f"{server.url}/a.bin", tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin.part").stat().st_size == 2000
    downloads.fetch(f"{server.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=2000-"


def test_fetch_from_a_server_without_ranges_starts_again(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    server.faults = [3000, "no ranges"]
    downloads.fetch(f"{server.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [len(CONTENT), len(CONTENT) + 7])
def test_fetch_with_all_or_more_of_the_file_there(server, tmp_path, left):
    server.files["/a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes((CONTENT + b"1234567")[:left])
    downloads.fetch(f"{server.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_fetch_gives_up_at_once_on_what_is_not_there(server, tmp_path):
    with pytest.raises(DownloadError, match="the server answers 404"):
        downloads.fetch(f"{server.url}/b.bin", tmp_path / "b.bin")
    assert len(server.requests) == 1


def test_fetch_where_nobody_listens(monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "_PAUSE_SECONDS", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a"
        with pytest.raises(DownloadError, match="refused"):
            downloads.fetch(url, tmp_path / "a")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "/etc/passwd"])
def test_fetch_takes_web_addresses_only(tmp_path, url):
    with pytest.raises(DownloadError, match="not an address of the web"):
        downloads.fetch(url, tmp_path / "a")


def make_zip(path: Path, members: dict[str, bytes] | list[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_unpack_drops_a_single_outer_folder(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"Robot-1.2/": b"", "Robot-1.2/a.urdf": b"A", "Robot-1.2/meshes/b": b"B"})
    downloads.unpack(archive, tmp_path / "robots" / "robot", 100)
    assert files(tmp_path / "robots") == {"robot/a.urdf": b"A", "robot/meshes/b": b"B"}


def test_unpack_keeps_several_outer_names(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"one/a": b"A", "b": b"B"})
    downloads.unpack(archive, tmp_path / "out", 100)
    assert files(tmp_path / "out") == {"one/a": b"A", "b": b"B"}


def test_unpack_into_a_folder_with_files_replaces_those_of_the_same_name(tmp_path):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "own").write_bytes(b"mine")
    (tmp_path / "out" / "sub" / "a").write_bytes(b"old")
    archive = make_zip(tmp_path / "a.zip", {"x/sub/a": b"new", "x/more/b": b"B"})
    downloads.unpack(archive, tmp_path / "out", 100)
    assert files(tmp_path / "out") == {"own": b"mine", "sub/a": b"new", "more/b": b"B"}


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


ATTACKS = {
    "parent": [("good/a", b"x"), ("../evil", b"x")],
    "parent inside": [("good/../../evil", b"x")],
    "absolute": [("/tmp/evil", b"x")],
    "drive": [("C:/evil", b"x")],
    "backslashes": [("..\\evil", b"x")],
    "link": [(link("good/link"), b"/etc"), ("good/link/evil", b"x")],
    "same name twice": [("good/a", b"x"), ("good/./a", b"y")],
    "bomb": [("good/zeros", bytes(5_000_000))],
    "bomb of many": [(f"good/{k}", bytes(2_000)) for k in range(600)],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_unpack_refuses(tmp_path, attack):
    archive = make_zip(tmp_path / "a.zip", ATTACKS[attack])
    before = files(tmp_path)
    with pytest.raises(DownloadError, match=r"a\.zip is not safe to unpack"):
        downloads.unpack(archive, tmp_path / "data" / "out", 1_000_000)
    assert files(tmp_path) == before
    assert list((tmp_path / "data").iterdir()) == []


def test_unpack_refuses_members_that_hold_more_than_they_declare(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"good/zeros": bytes(5_000_000)})
    content = archive.read_bytes()
    declared = (5_000_000).to_bytes(4, "little")
    assert content.count(declared) == 2
    archive.write_bytes(content.replace(declared, (10).to_bytes(4, "little")))
    with pytest.raises(zipfile.BadZipFile):
        downloads.unpack(archive, tmp_path / "out", 1_000_000)
    assert not (tmp_path / "out").exists()


def test_unpack_refuses_damage(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a/b": b"content" * 100})
    content = bytearray(archive.read_bytes())
    content[content.index(b"a/b") + 8] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        downloads.unpack(archive, tmp_path / "out", 10_000)
    archive.write_bytes(b"<html>")
    with pytest.raises(zipfile.BadZipFile):
        downloads.unpack(archive, tmp_path / "out", 10_000)
    assert not (tmp_path / "out").exists()
