"""Downloads with the Hub's own client, from a server on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

import newt_bench
from newt_bench.demos import download_demos, hub, load_demos
from newt_bench.demos.manifest import Entry, Manifest, parse_manifest
from newt_bench.demos.publishing import pin
from newt_bench.errors import DemosError, DownloadError, InputError
from tests.conftest import REPOSITORY as CHECKOUT
from tests.demos.hub import HEAD, Hub
from tests.demos.published import write_published

NAME = "pygame-cowboy"
REPOSITORY = "tester/demos"
OTHER = "b" * 40


def entry_of(path: Path, **change) -> Entry:
    content = path.read_bytes()
    values = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return Entry(**{**values, "bytes": 10**6, "episodes": 3, "steps": 1500, "mean_return": 1.0, **change})


def fill(server: Hub, folder: Path, commit: str = HEAD, **change) -> None:
    """Fills the repository with the folder's files and their manifest."""
    files = {path.name: path.read_bytes() for path in folder.glob("*.h5")}
    entries = {path.stem: entry_of(path, **change) for path in folder.glob("*.h5")}
    files["manifest.toml"] = Manifest(REPOSITORY, "main", entries).to_toml().encode()
    server.add(REPOSITORY, files, commit)


def cached(tmp_path) -> set[str]:
    """All files of the cache that hold anything but notes of the Hub's client."""
    found = {str(p.relative_to(tmp_path / "cache")) for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    return {name for name in found if not name.endswith((".lock", ".toml", "CACHEDIR.TAG")) and "/refs/" not in name}


def test_download_once(server, folder, tmp_path):
    fill(server, folder)
    demos = load_demos(NAME, repository=REPOSITORY)
    assert demos[NAME].steps == 1500
    place = f"tester--demos/{HEAD}/{NAME}.h5"
    assert demos[NAME].path == tmp_path / "cache" / place
    assert demos[NAME].path.read_bytes() == (folder / f"{NAME}.h5").read_bytes()
    wanted = [path for _, path, _ in server.requests if NAME in path]
    assert len(wanted) == 2, "one question and one download for the task's file"
    server.requests.clear()
    load_demos(NAME, repository=REPOSITORY)
    assert not server.gets()
    assert not [path for _, path, _ in server.requests if NAME in path]
    assert {name for name in cached(tmp_path) if name.endswith(".h5")} == {place}


def test_the_repository_of_the_environment(server, folder, monkeypatch):
    fill(server, folder)
    monkeypatch.setenv("NEWT_BENCH_DEMOS_REPO", f"{REPOSITORY}@{HEAD}")
    assert load_demos(NAME)[NAME].steps == 1500
    with pytest.raises(DownloadError, match="tester/demos has no demonstrations of walker-run"):
        load_demos("walker-run")
    for wrong in ("tester", "a/b/c", "../x", "a/"):
        with pytest.raises(InputError, match="owner/name"):
            load_demos(NAME, repository=wrong)


def test_resume_after_a_cut(server, folder, monkeypatch):
    """The connection breaks, and then the server does: a later call goes on from there."""
    fill(server, folder)
    hub.find_source(REPOSITORY)
    server.requests.clear()
    server.faults = [("cut", 9000), *[500] * 40]
    with pytest.raises(DownloadError, match=f"{NAME}.h5 cannot be downloaded"):
        load_demos(NAME, repository=REPOSITORY)
    server.faults = []
    server.requests.clear()
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500
    assert [wanted for method, path, wanted in server.requests if method == "GET" and NAME in path] == ["bytes=9000-"]


def test_a_cut_within_one_call(server, folder):
    fill(server, folder)
    hub.find_source(REPOSITORY)
    server.requests.clear()
    server.faults = [("cut", 9000)]
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500
    ranges = [wanted for method, path, wanted in server.requests if method == "GET" and NAME in path]
    assert ranges == [None, "bytes=9000-"]


def test_altered_once_is_fetched_again(server, folder):
    fill(server, folder)
    content = (folder / f"{NAME}.h5").read_bytes()
    hub.find_source(REPOSITORY)
    server.faults = [content[:-1] + b"?"]
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500


def test_a_wrong_file_twice(server, folder, tmp_path):
    fill(server, folder, sha256="f" * 64)
    found = hashlib.sha256((folder / f"{NAME}.h5").read_bytes()).hexdigest()
    with pytest.raises(DownloadError) as caught:
        load_demos(NAME, repository=REPOSITORY)
    message = str(caught.value)
    assert f"{NAME}.h5 is not the expected file, twice: expected sha256 {'f' * 64}, found {found}" in message
    assert sum(NAME in path for path in server.gets()) == 2
    assert not [name for name in cached(tmp_path) if not name.startswith(".hub")]


def test_a_hostile_file_is_removed(server, folder, tmp_path):
    (folder / f"{NAME}.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    fill(server, folder)
    with pytest.raises(DemosError, match=rf"tester/demos at {HEAD}, {NAME}\.h5.*It was removed"):
        load_demos(NAME, repository=REPOSITORY)
    assert not [name for name in cached(tmp_path) if name.endswith(".h5")]


def test_more_data_than_the_manifest_says(server, folder):
    fill(server, folder, bytes=1000)
    with pytest.raises(DemosError, match="more than the 1000 that are allowed"):
        load_demos(NAME, repository=REPOSITORY)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda s: s.repositories.clear(), "no such repository, or it is private; log in with: hf auth login"),
        (lambda s: setattr(s, "gated", True), "Access to it must be asked for"),
        (lambda s: s.repositories[REPOSITORY].clear(), "It has no such revision"),
        (lambda s: s.repositories[REPOSITORY][HEAD].pop("manifest.toml"), "The repository has no such file"),
        (lambda s: s.head_faults.extend([429] * 50), "429"),
        (lambda s: s.head_faults.extend([500] * 50), "500"),
        (lambda s: s.head_faults.extend([401] * 50), "401|no such repository"),
        (lambda s: s.head_faults.extend([403] * 50), "403"),
        (lambda s: s.head_faults.extend([404] * 50), "404|no such"),
    ],
    ids=["401 code", "403 gated", "404 revision", "404 file", "429", "500", "401", "403", "404"],
)
def test_refusals(server, folder, prepare, message, capfd):
    fill(server, folder)
    prepare(server)
    with pytest.raises(DownloadError, match=message) as caught:
        load_demos(NAME, repository=REPOSITORY)
    assert str(caught.value).startswith("Hugging Face data set tester/demos at main: manifest.toml cannot be")


def test_a_private_repository_with_a_token(server, folder, monkeypatch):
    fill(server, folder)
    server.token = "hf_secret"
    with pytest.raises(DownloadError, match="log in with"):
        load_demos(NAME, repository=REPOSITORY)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500


def test_the_token_stays_with_the_hub(server, start, folder, monkeypatch):
    """Large files lie with another server, which must not see it."""
    fill(server, folder)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server.token = "hf_secret"
    hub.find_source(REPOSITORY)
    assert server.tokens == ["Bearer hf_secret"]
    store = start()
    fill(store, folder)
    server.store = store.url
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500
    assert store.tokens == [None]


def test_a_second_address(server, start, folder, monkeypatch):
    mirror = start()
    fill(mirror, folder)
    monkeypatch.setenv("NEWT_BENCH_DEMOS_MIRROR", mirror.url)
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500
    assert mirror.gets()
    monkeypatch.setenv("NEWT_BENCH_DEMOS_MIRROR", server.url)
    with pytest.raises(DownloadError, match=r"tester/other at main.*no such repository"):
        load_demos(NAME, repository="tester/other")


def test_offline(server, folder, monkeypatch):
    import huggingface_hub

    fill(server, folder)
    load_demos(NAME, repository=REPOSITORY)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    server.requests.clear()
    assert load_demos(NAME, repository=REPOSITORY)[NAME].steps == 1500
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        load_demos("pygame-point-maze-var1", repository=REPOSITORY)
    assert not server.requests


def test_a_moved_branch(server, folder, recorded):
    """A branch that moves gives the new files, a commit stays what it is."""
    from newt_bench.demos import write_demos
    from tests.demos.conftest import info_of

    fill(server, folder)
    assert len(load_demos(NAME, repository=REPOSITORY)[NAME]) == 3
    write_demos(folder / f"{NAME}.h5", info_of(NAME), recorded[NAME][:2])
    fill(server, folder, OTHER)
    assert len(load_demos(NAME, repository=REPOSITORY)[NAME]) == 2
    assert len(load_demos(NAME, repository=f"{REPOSITORY}@{HEAD}")[NAME]) == 3


def test_a_pinned_revision_that_was_changed(server, folder, monkeypatch, tmp_path):
    """This release's manifest pins a tag; somebody moves it."""
    entries = {NAME: entry_of(folder / f"{NAME}.h5")}
    pinned = Manifest(REPOSITORY, "v1", entries)
    monkeypatch.setattr(hub, "packaged_manifest", lambda: (pinned, hub.Hub("tester/published")))
    server.add(REPOSITORY, {f"{NAME}.h5": (folder / "pygame-point-maze-var1.h5").read_bytes()}, OTHER, "v1")
    with pytest.raises(DownloadError, match=f"at v1: {NAME}.h5 is not the expected file, twice"):
        load_demos(NAME)
    server.add(REPOSITORY, {f"{NAME}.h5": (folder / f"{NAME}.h5").read_bytes()}, HEAD, "v1")
    assert load_demos(NAME)[NAME].steps == 1500


def published(server, recorded, tmp_path) -> Path:
    path = tmp_path / "in" / f"{NAME}.pt"
    write_published(path, recorded[NAME])
    server.add("nicklashansen/mmbench", {path.name: path.read_bytes()})
    return path


def test_published_files_are_converted(server, recorded, tmp_path):
    """The one line, as it works without any file of this project's own."""
    published(server, recorded, tmp_path)
    demos = newt_bench.load_demos(NAME)
    assert (len(demos[NAME]), demos[NAME].steps) == (3, 1500)
    assert demos[NAME].info.policy["name"] == "published at nicklashansen/mmbench"
    assert demos[NAME].info.policy["revision"] == HEAD
    assert len(server.requests) == 2
    assert {n for n in cached(tmp_path) if not n.startswith(".hub")} == {f"nicklashansen--mmbench/main/{NAME}.h5"}
    assert not [n for n in cached(tmp_path) if n.endswith(".pt") or "blobs" in n]
    server.requests.clear()
    newt_bench.load_demos(NAME)
    assert not server.requests


def test_published_files_are_pinned(server, recorded, tmp_path, monkeypatch):
    """By one command, which changes one line; what was downloaded before is not taken for the pinned commit's."""
    published(server, recorded, tmp_path)
    load_demos(NAME)
    text = (CHECKOUT / "demos" / "manifest.toml").read_text()
    (tmp_path / "manifest.toml").write_text(text)
    found = pin(tmp_path / "manifest.toml")
    assert (found.repository, found.revision, found.pinned) == ("nicklashansen/mmbench", HEAD, True)
    changed = (tmp_path / "manifest.toml").read_text()
    lines = [(a, b) for a, b in zip(text.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert lines == [('revision = "main"', f'revision = "{HEAD}"')]
    assert parse_manifest(changed, "x")[1] == ("nicklashansen/mmbench", HEAD)
    assert parse_manifest(changed, "x")[0] == parse_manifest(text, "x")[0]
    server.add("nicklashansen/mmbench", {f"{NAME}.pt": b"moved on"}, OTHER)
    assert pin(tmp_path / "manifest.toml").revision == OTHER
    assert pin(tmp_path / "manifest.toml", HEAD).revision == HEAD
    monkeypatch.setattr(hub, "packaged_manifest", lambda: parse_manifest(changed, "x"))
    assert len(load_demos(NAME)[NAME]) == 3
    assert {n for n in cached(tmp_path) if n.endswith(".h5")} == {
        f"nicklashansen--mmbench/{revision}/{NAME}.h5" for revision in ("main", HEAD)
    }


def test_pinning_says_what_is_wrong(server, tmp_path):
    path = tmp_path / "manifest.toml"
    with pytest.raises(DemosError, match="cannot be read"):
        pin(path)
    path.write_text('format = 1\nrepository = "a/b"\nrevision = "main"\n')
    with pytest.raises(DemosError, match=r"has no table \[published\]"):
        pin(path)
    before = '[published]\nrepository = "nicklashansen/mmbench"\nrevision = "main"\n'
    path.write_text('format = 1\nrepository = "a/b"\nrevision = "main"\n' + before)
    with pytest.raises(DownloadError, match=r"its commit cannot be found out. There is no such repository"):
        pin(path)
    server.add("nicklashansen/mmbench", {})
    with pytest.raises(DownloadError, match="It has no such revision"):
        pin(path, "v9")
    assert path.read_text().endswith(before)
    path.write_text('format = 1\nrepository = "a/b"\nrevision = "main"\n' + before.replace("main", "../x"))
    with pytest.raises(DemosError, match=r"published: '\.\./x' is not a revision"):
        pin(path)


def test_published_files_are_checked(server, recorded, tmp_path):
    path = published(server, recorded, tmp_path)
    content = path.read_bytes()
    server.faults = [content[:-1] + b"?", content[:-2] + b"??"]
    with pytest.raises(DownloadError, match="is not the expected file, twice"):
        newt_bench.load_demos(NAME)
    assert not [n for n in cached(tmp_path) if n.endswith((".pt", ".h5")) or "blobs" in n]
    assert newt_bench.load_demos(NAME)[NAME].steps == 1500


def test_hostile_published_files(server, tmp_path):
    server.add("nicklashansen/mmbench", {f"{NAME}.pt": b"PK nothing"})
    with pytest.raises(DemosError, match=r"nicklashansen/mmbench at main.*is damaged.*It was removed"):
        newt_bench.load_demos(NAME)
    assert not [n for n in cached(tmp_path) if n.endswith((".pt", ".h5")) or "blobs" in n]


def test_nothing_is_printed(server, folder, capfd):
    fill(server, folder)
    download_demos([NAME, "pygame-point-maze-var1"], repository=REPOSITORY)
    assert capfd.readouterr() == ("", "")


GOOD = Entry("x.h5", "0" * 64, 5, 5, 5, 5, 1.5, 0.5)


def test_manifests_round_trip():
    manifest = Manifest("a/b", "c" * 40, {"walker-run": GOOD, "mw-reach": dataclasses.replace(GOOD, mean_score=None)})
    assert parse_manifest(manifest.to_toml(), "here") == (manifest, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../x.h5"}, r"tasks.walker-run: '../x.h5' is not the name of a file of this repository"),
        ({"file": "/etc/passwd"}, "is not the name of a file"),
        ({"file": "a/../../x.h5"}, "is not the name of a file"),
        ({"file": "..\\\\x.h5"}, "is not the name of a file"),
        ({"file": "x.h5\n"}, "'x.h5\n' is not the name of a file"),
        ({"sha256": "0"}, "is not a SHA-256"),
        ({"size": 0}, "size = 0"),
        ({"bytes": 2**60}, "bytes = "),
        ({"episodes": True}, "episodes = True"),
        ({"steps": "many"}, "steps = many"),
    ],
)
def test_manifests_are_checked(change, message):
    text = Manifest("a/b", "main", {"walker-run": dataclasses.replace(GOOD, **change)}).to_toml()
    with pytest.raises(DemosError, match=f"here: .*{message}"):
        parse_manifest(text, "here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "here is not TOML"),
        ("format = 2", "does not know; update newt-bench"),
        ('format = 1\nrepository = "../.."\nrevision = "main"', "is not a repository"),
        ('format = 1\nrepository = "a/b"\nrevision = "../main"', "is not a revision"),
        ('format = 1\nrepository = "a/b"\nrevision = "m"\ntasks = 1', "not a table"),
        ('format = 1\nrepository = "a/b"\nrevision = "m"\n[tasks.no-task]\nfile = "x"', "no task 'no-task'"),
        ('format = 1\nrepository = "a/b"\nrevision = "m"\n[tasks]\nwalker-run = 1', "not a table"),
        ('format = 1\nrepository = "a/b"\nrevision = "m"\n[tasks.walker-run]\nfile = "x"', "here: .*missing"),
        ('format = 1\nrepository = "a/b"\nrevision = "m"\n[tasks.walker-run]\nodd = 1', "here: .*odd"),
    ],
)
def test_manifests_that_are_none(text, message):
    with pytest.raises(DemosError, match=message):
        parse_manifest(text, "here")


def test_the_cache_folder(monkeypatch):
    monkeypatch.setenv("NEWT_BENCH_DEMOS", "~/x")
    assert hub.cache_folder() == Path.home() / "x"
    monkeypatch.delenv("NEWT_BENCH_DEMOS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert hub.cache_folder() == Path("/c/newt-bench/demos")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert os.fspath(hub.cache_folder()).endswith(".cache/newt-bench/demos")
