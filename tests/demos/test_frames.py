"""Images of observations: written, read when asked for and not before, refused when made to harm."""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import tracemalloc
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

from newt_bench.demos import DemoFile, load_demos, validate, write_demos
from newt_bench.demos.frames import ENCODINGS, FrameFile, FrameFormat, decode, encode, frames_path, write_frames
from newt_bench.demos.importing import import_published_folder
from newt_bench.demos.publishing import push
from newt_bench.errors import DemosError, DownloadError, InputError
from tests.demos.conftest import info_of
from tests.demos.published import write_published

NAME, SIZE = "pygame-point-maze-var1", 16
COUNT = 3 * 201


def pictures(count: int = COUNT, size: int = SIZE) -> np.ndarray:
    """Every one different, with smooth parts and noise."""
    noise = np.random.default_rng(0).integers(0, 50, (count, size, size, 3))
    return (noise + np.arange(count)[:, None, None, None] % 200).astype(np.uint8)


def put(folder, frames=None, encoding="png"):
    """Frames beside the demonstrations of a folder."""
    kind = FrameFormat(encoding, SIZE, SIZE)
    with DemoFile(folder / f"{NAME}.h5") as demos:
        return write_frames(demos, [[encode(f, encoding)] for f in (pictures() if frames is None else frames)], kind,
                            origin="drawn", versions={"numpy": "2"})  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_written_is_read(folder, encoding):
    path = put(folder, encoding=encoding)
    assert path == folder / f"{NAME}.frames.h5"
    item = load_demos(NAME, root=folder)[NAME]
    expected = pictures()
    for index in range(3):
        frames = item.frames(index)
        assert frames.shape == (len(item.episode(index).observation), SIZE, SIZE, 3)
        error = np.abs(frames.astype(int) - expected[201 * index : 201 * (index + 1)])
        assert error.max() == 0 if encoding != "jpeg" else error.mean() < 15
    file = item.frame_file
    assert (file.kind, file.task, file.origin, file.versions) == (
        FrameFormat(encoding, SIZE, SIZE), NAME, "drawn", {"numpy": "2"},
    )  # fmt: skip
    assert validate(folder)[folder / f"{NAME}.h5"] == []
    with pytest.raises(InputError, match=r"demonstrations 0\.\.2"):
        item.frames(3)


def test_plain_h5py_and_pillow_read_it(folder):
    """As docs/demos.md says."""
    with h5py.File(put(folder, encoding="webp")) as file:
        assert (file.attrs["encoding"], file.attrs["height"]) == ("webp", SIZE)
        start, end = file["frame_offset"][7:9]
        image = Image.open(io.BytesIO(file["frame"][start:end].tobytes()))
    np.testing.assert_array_equal(image, pictures()[7])


def test_frames_are_not_touched_unless_asked_for(folder):
    """Not even looked at: here they are no such file at all."""
    put(folder).write_bytes(b"no HDF5")
    demos = load_demos(root=folder)
    assert len(list(demos.episodes())) == 6
    demos.to_replay()
    demos.windows(2)[0]
    with pytest.raises(DemosError, match=r"frames\.h5: it is damaged, or no HDF5 file"):
        demos[NAME].frames(0)
    assert "is damaged" in validate(folder)[folder / f"{NAME}.h5"][0]


def test_none_there(folder):
    item = load_demos(NAME, root=folder)[NAME]
    assert item.frame_file is None
    with pytest.raises(DemosError, match="has no frames beside it"):
        item.frames(0)


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1])
def test_one_frame_for_every_observation(folder, count):
    with pytest.raises(DemosError, match=f"{count} frames for {COUNT} observations"):
        put(folder, pictures(count))
    assert not frames_path(folder / f"{NAME}.h5").exists()


def test_frames_of_other_demonstrations(folder, recorded):
    put(folder)
    first = recorded[NAME][0]
    other = dataclasses.replace(first, action=first.action * np.float32(0.5))
    write_demos(folder / f"{NAME}.h5", info_of(NAME), [other, *recorded[NAME][1:]])
    with pytest.raises(DemosError, match=r"its frames are not of the demonstrations in .*make them anew"):
        load_demos(NAME, root=folder)[NAME].frames(0)
    write_demos(folder / f"{NAME}.h5", info_of(NAME), recorded[NAME], "gzip")  # stored otherwise, the same episodes
    load_demos(NAME, root=folder)[NAME].frames(0)
    (folder / f"{NAME}.h5").unlink()
    problems = validate(folder)
    assert problems[folder / f"{NAME}.frames.h5"] == ["there are no demonstrations beside its frames"]


def bomb(width: int, height: int, chunk: bytes = b"") -> bytes:
    """A PNG of a few bytes that declares to be large."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = part(b"IHDR", header) + chunk + part(b"IDAT", zlib.compress(bytes(1000))) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def as_format(encoding: str, frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, encoding)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bomb(60_000, 60_000), "Decompression"),
        (bomb(9_000, 9_000), r"declares \(9000, 9000\) pixels where \(16, 16\) are said"),
        (bomb(16, 17), r"declares \(16, 17\)"),
        (as_format("jpeg", pictures(1)[0]), "is damaged, or no png"),
        (as_format("tiff", pictures(1)[0]), "is damaged, or no png"),
        (as_format("png", pictures(1)[0])[:-30], "is damaged, or no png"),
        (b"", "is damaged, or no png"),
        (b"\x89PNG\r\n\x1a\n", "is damaged, or no png"),
    ],
    ids=["bomb", "large", "other", "jpeg", "tiff", "truncated", "empty", "headless"],
)
def test_images_made_to_harm(data, message):
    tracemalloc.start()
    try:
        with pytest.raises(DemosError, match=message):
            decode(data, FrameFormat("png", SIZE, SIZE))
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def change(name, edit):
    def apply(file):
        values = file[name][()]
        del file[name]
        file[name] = edit(values)

    return apply


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def at(place, value):
    return lambda offsets: np.concatenate([offsets[:place], [value], offsets[place + 1 :]])


ATTACKS = {
    "another format": (attribute("format", "newt-bench-demos"), "no file of the format newt-bench-frames"),
    "newer": (attribute("format_version", 2), "it is of format 2"),
    "encoding": (attribute("encoding", "tiff"), "and not as 'tiff'"),
    "huge": (attribute("width", 10**6), "frames of 1000000 x 16 pixels"),
    "negative": (attribute("height", -1), "frames of 16 x -1 pixels"),
    "text": (attribute("height", "16"), "'height' is not a whole number"),
    "no size": (lambda file: file.attrs.__delitem__("width"), "'width' is missing"),
    "no task": (lambda file: file.attrs.__delitem__("task"), "'task' is missing"),
    "versions": (attribute("versions", "[1]"), "'versions' is not a JSON object"),
    "external": (lambda file: (file.__delitem__("frame"), file.__setitem__("frame", h5py.ExternalLink("x", "/y"))),
                 "link to elsewhere"),
    "unknown": (lambda file: file.__setitem__("more", [1]), "'more' is not known"),
    "floats": (change("frame", lambda a: a.astype("f4")), "does not hold uint8"),
    "missing": (lambda file: file.__delitem__("frame_offset"), "'frame_offset' is missing"),
    "falling": (change("frame_offset", at(5, 1)), "frame offsets do not rise"),
    "beyond": (change("frame_offset", at(COUNT, 10**9)), "frame offsets do not rise"),
    "before": (change("frame_offset", at(0, -5)), "frame offsets do not rise"),
    "few": (change("frame_offset", lambda a: a[[0, -1]]), "its frames are not of"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_made_to_harm(folder, attack):
    path = put(folder)
    edit, message = ATTACKS[attack]
    with h5py.File(path, "a") as file:
        edit(file)
    with pytest.raises(DemosError, match=message) as caught:
        load_demos(NAME, root=folder)[NAME].frames(0)
    assert str(path) in str(caught.value)


def test_a_frame_of_many_bytes(folder):
    path = put(folder)
    with h5py.File(path, "a") as file:
        del file["frame"], file["frame_offset"]
        file["frame"], file["frame_offset"] = np.zeros(2**25 + 1, np.uint8), [0, 2**25 + 1]
    with pytest.raises(DemosError, match="a frame takes more than"):
        FrameFile(path)


def test_validate_looks_at_every_frame(folder):
    path = put(folder)
    with h5py.File(path, "a") as file:
        start, end = file["frame_offset"][400:402]
        file["frame"][start + 20 : end] = 0
    item = load_demos(NAME, root=folder)[NAME]
    item.frames(0)
    with pytest.raises(DemosError, match="frame 400: an image is damaged"):
        item.frames(1)
    for target in (folder, folder / f"{NAME}.h5", path):
        (problem,) = validate(target)[folder / f"{NAME}.h5"]
        assert "frame 400: an image is damaged" in problem


def test_truncated_anywhere(folder, tmp_path):
    """Refused, or what is read is right."""
    path = put(folder)
    whole = path.read_bytes()
    for cut in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:cut])
        with pytest.raises(DemosError):
            load_demos(NAME, root=folder)[NAME].frames(2)


def strips(folder, frames, cuts, size=SIZE):
    """Frames side by side, as published: rows of a strip run over all of its frames."""
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(np.split(frames, cuts)):
        row = part.swapaxes(0, 1).reshape(size, -1, 3)
        Image.fromarray(row).save(folder / f"{NAME}-{number}.png")


@pytest.mark.parametrize("cuts", [[], [201, 402], [7, 300, 301]])
def test_strips(recorded, tmp_path, cuts):
    write_published(tmp_path / "in" / f"{NAME}.pt", recorded[NAME])
    strips(tmp_path / "in", pictures(), cuts)
    assert import_published_folder(tmp_path / "in", tmp_path / "plain") == [tmp_path / "plain" / f"{NAME}.h5"]
    made = import_published_folder(tmp_path / "in", tmp_path / "out", frames="webp")
    assert made == [tmp_path / "out" / f"{NAME}.h5", tmp_path / "out" / f"{NAME}.frames.h5"]
    item = load_demos(root=tmp_path / "out")[NAME]
    np.testing.assert_array_equal(np.concatenate([item.frames(k) for k in range(3)]), pictures())
    assert (item.frame_file.kind, item.frame_file.origin) == (FrameFormat("webp", SIZE, SIZE), "published")
    assert not any(validate(tmp_path / "out").values())


def save(path, frame):
    Image.fromarray(frame).save(path)


@pytest.mark.parametrize(
    ("number", "spoil", "message"),
    [
        (1, os.unlink, "-1.png does not exist, and there are not enough frames"),
        (0, os.unlink, "-0.png does not exist"),
        (2, lambda path: save(path, np.zeros((16, 16 * 500, 3), "u1")), r"its 500 frames of 16 pixels do not fit"),
        (2, lambda path: save(path, np.zeros((8, 8 * 201, 3), "u1")), r"of 8 pixels do not fit the 16 pixels before"),
        (0, lambda path: save(path, np.zeros((16, 20, 3), "u1")), "20 x 16 pixels are not a row of square frames"),
        (0, lambda path: path.write_bytes(bomb(10**6, 224)), "-0.png: an image is damaged.*Decompression"),
        (0, lambda path: path.write_bytes(path.read_bytes()[:5000]), "-0.png: an image is damaged"),
        (1, lambda path: path.write_bytes(as_format("jpeg", pictures(1)[0])), "-1.png: an image is damaged, or no png"),
    ],
)
def test_strips_that_are_wrong(recorded, tmp_path, number, spoil, message):
    write_published(tmp_path / "in" / f"{NAME}.pt", recorded[NAME])
    strips(tmp_path / "in", pictures(), [201, 402])
    spoil(tmp_path / "in" / f"{NAME}-{number}.png")
    with pytest.raises(DemosError, match=message):
        import_published_folder(tmp_path / "in", tmp_path / "out", frames="png")
    assert os.listdir(tmp_path / "out") == [f"{NAME}.h5"]


def gets(server, ending):
    return [path for path in server.gets() if path.endswith(ending)]


def test_pixels_come_from_the_hub_only_when_asked_for(server, folder, monkeypatch, tmp_path):
    """A push takes them along; a load fetches states in one transfer, and frames in another if they are wanted."""
    put(folder)
    server.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    entry = push(folder, "tester/mine").manifest.tasks[NAME]
    assert entry.frames_size == frames_path(folder / f"{NAME}.h5").stat().st_size
    demos = load_demos([NAME, "pygame-cowboy"], repository="tester/mine")
    assert len(gets(server, ".h5")) == 2
    with pytest.raises(DemosError, match=r"has no frames beside it\. Load demonstrations with frames=True"):
        demos[NAME].frames(0)
    item = load_demos(NAME, repository="tester/mine", frames=True)[NAME]
    assert len(gets(server, ".h5")) == 3
    np.testing.assert_array_equal(item.frames(2), pictures()[402:])
    with pytest.raises(DownloadError, match=r"has no frames beside pygame-cowboy\.h5"):
        load_demos("pygame-cowboy", repository="tester/mine", frames=True)


def test_frames_of_other_states_are_not_taken(server, folder, monkeypatch, tmp_path):
    put(folder)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    push(folder, "tester/mine")
    commit = server.branches["tester/mine"]["main"]
    files = dict(server.repositories["tester/mine"][commit])
    files[f"{NAME}.frames.h5"] = files[f"{NAME}.frames.h5"][:-1] + b"x"
    server.add("tester/mine", files, commit)
    with pytest.raises(DownloadError, match=r"frames\.h5 is not the expected file, twice"):
        load_demos(NAME, repository="tester/mine", frames=True)
    assert not list((tmp_path / "cache").rglob("*.frames.h5"))


def test_published_strips_come_from_the_hub(server, recorded, tmp_path):
    write_published(tmp_path / "in" / f"{NAME}.pt", recorded[NAME])
    strips(tmp_path / "in", pictures(), [201, 402])
    files = {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    server.add("nicklashansen/mmbench", files)
    load_demos(NAME)
    assert not gets(server, ".png")
    item = load_demos(NAME, frames=True)[NAME]
    np.testing.assert_array_equal(item.frames(1), pictures()[201:402])
    assert [path.rpartition("/")[2] for path in gets(server, ".png")] == [f"{NAME}-{k}.png" for k in range(3)]
    load_demos(NAME, frames=True)
    assert len(server.gets()) == 4
    assert not list((tmp_path / "cache").rglob("*.png"))


def test_published_strips_that_lack(server, recorded, tmp_path):
    write_published(tmp_path / "in" / f"{NAME}.pt", recorded[NAME])
    strips(tmp_path / "in", pictures(300), [])
    server.add("nicklashansen/mmbench", {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()})
    with pytest.raises(DownloadError, match=rf"{NAME}-1\.png cannot be downloaded. The repository has no such file"):
        load_demos(NAME, frames=True)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix == ".png" or "frames" in path.name]
    assert len(load_demos(NAME)[NAME]) == 3
