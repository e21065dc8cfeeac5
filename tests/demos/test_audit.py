"""Files made to harm: each must be refused before its data is touched."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from newt_bench.demos import DemoFile, validate
from newt_bench.errors import DemosError


def replace(file, name, **storage):
    """Puts a dataset of the same shape and type, stored otherwise, in a dataset's place."""
    shape, dtype = file[name].shape, file[name].dtype
    del file[name]
    file.create_dataset(name, shape, dtype, **storage)


def external_link(file, secret):
    del file["reward"]
    file["reward"] = h5py.ExternalLink(str(secret), "/secret")


def external_storage(file, secret):
    shape = file["reward"].shape
    del file["reward"]
    file.create_dataset("reward", shape, "<f4", external=[(str(secret), 0, 4 * shape[0])])


def virtual_dataset(file, secret):
    shape = file["reward"].shape
    layout = h5py.VirtualLayout(shape, "<f4")
    layout[:] = h5py.VirtualSource(str(secret), "secret", shape)
    del file["reward"]
    file.create_virtual_dataset("reward", layout)


def soft_links(file, secret):
    """A chain of soft links that leaves the file by its last one."""
    del file["reward"]
    file["hop"] = h5py.ExternalLink(str(secret), "/secret")
    file["reward"] = h5py.SoftLink("/score")
    del file["score"]
    file["score"] = h5py.SoftLink("/hop")


def soft_link(file, secret):
    del file["reward"]
    file["reward"] = h5py.SoftLink("/score")


def unknown_filter(file, secret):
    data = file["reward"][()]
    del file["reward"]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((100,))
    plan.set_filter(307, h5py.h5z.FLAG_OPTIONAL, (9,))  # bzip2: an optional filter may be unavailable to the writer
    h5py.h5d.create(file.id, b"reward", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(data.shape), plan)
    file["reward"][()] = data


def bomb(file, secret):
    """Petabytes that take no space."""
    del file["observation"]
    file.create_dataset("observation", (1503, 2**40), "<f4", chunks=(1, 2**20))


def compressed_bomb(file, secret):
    """A hundred megabytes of zeros in a hundred kilobytes."""
    del file["observation"]
    file.create_dataset("observation", data=np.zeros((1503, 20_000), "f4"), chunks=(1, 20_000), compression="gzip")


def huge_chunk(file, secret):
    del file["reward"]
    file.create_dataset("reward", (1500,), "<f4", chunks=(2**26,), maxshape=(None,))
    file["reward"][()] = 0


def no_data(file, secret):
    replace(file, "reward")


def cycle(file, secret):
    file.create_group("group")
    file["group/up"] = file["/"]


def root_cycle(file, secret):
    file["feature"] = file["/"]


def second_name(file, secret):
    del file["score"]
    file["score"] = file["reward"]


def named_type(file, secret):
    file["feature"] = np.dtype("<f4")


def text(file, secret):
    del file["reward"]
    file.create_dataset("reward", data=["x"] * 1500, dtype=h5py.string_dtype())


def wide(file, secret):
    data = file["reward"][()]
    del file["reward"]
    file["reward"] = data.astype("f8")


def scalar(file, secret):
    del file["reward"]
    file["reward"] = np.float32(0)


def one_row_less(file, secret):
    data = file["action"][()]
    del file["action"]
    file["action"] = data[:-1]


def falling_offsets(file, secret):
    file["offset"][1] = 1200


def offsets_beyond(file, secret):
    file["offset"][3] = 1501


def offsets_negative(file, secret):
    file["offset"][0] = -1


def missing(file, secret):
    del file["reset_seed"]


def another_format(file, secret):
    file.attrs["format"] = "minari"


def odd_version(file, secret):
    file.attrs["format_version"] = "1"


def number_as_text(file, secret):
    file.attrs["task"] = 7


def many_texts(file, secret):
    file.attrs["task"] = ["a", "b"]


def no_json(file, secret):
    file.attrs["policy"] = "{"


def deep_json(file, secret):
    file.attrs["policy"] = "[" * 5000


def json_list(file, secret):
    file.attrs["policy"] = "[]"


def no_attribute(file, secret):
    del file.attrs["instruction"]


ATTACKS = {
    external_link: "entry 'reward' is a link to elsewhere",
    external_storage: "stored in other files",
    virtual_dataset: "virtual",
    soft_links: "entry '(hop|reward|score)' is (a link to elsewhere|not known)",
    soft_link: "entry 'reward' is a link",
    unknown_filter: "needs filter 307, which is not allowed",
    bomb: "lacks .* of its .* chunks",
    compressed_bomb: "bytes would unpack to",
    huge_chunk: "has chunks of",
    no_data: "declares 6000 bytes that the file does not hold",
    cycle: "entry 'group' is not known",
    root_cycle: "entry 'feature' is not a dataset",
    second_name: "is a second name",
    named_type: "entry 'feature' is not a dataset",
    text: "'reward' does not hold float32 numbers",
    wide: "'reward' does not hold float32 numbers",
    scalar: "virtual, or stored in another odd way|has shape",
    one_row_less: "'action' has 1499 rows where 1500 steps in 3 episodes make 1500",
    falling_offsets: "offsets do not rise",
    offsets_beyond: "offsets do not rise",
    offsets_negative: "offsets do not rise",
    missing: "dataset 'reset_seed' is missing",
    another_format: "no file of the format newt-bench-demos",
    odd_version: "'format_version' is not a whole number",
    number_as_text: "'task' is not text",
    many_texts: "'task' is not text",
    no_json: "'policy' is not JSON",
    deep_json: "'policy' is not JSON",
    json_list: "'policy' is not a JSON object",
    no_attribute: "'instruction' is missing",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_refused(folder, tmp_path, attack):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.full(1500, 42, "f4")
    path = folder / "pygame-cowboy.h5"
    with h5py.File(path, "a") as file:
        attack(file, secret)
    with pytest.raises(DemosError, match=ATTACKS[attack]) as caught:
        DemoFile(path)
    assert str(caught.value).count(str(path)) == 1
    assert len(validate(path)[path]) == 1


def test_attacks_reach_the_secret_if_the_reader_is_trusting(folder, tmp_path):
    """That the attacks are real: plain h5py follows them."""
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.full(1500, 42, "f4")
    for attack in (external_link, virtual_dataset):
        path = folder / f"{attack.__name__}.h5"
        path.write_bytes((folder / "pygame-cowboy.h5").read_bytes())
        with h5py.File(path, "a") as file:
            attack(file, secret)
        with h5py.File(path, "r") as file:
            assert (file["reward"][()] == 42).all()


def test_more_than_allowed(folder):
    path = folder / "pygame-cowboy.h5"
    DemoFile(path, max_bytes=100_000)
    with pytest.raises(DemosError, match="more than the 1000 that are allowed"):
        DemoFile(path, max_bytes=1000)


def test_truncated_anywhere(folder, tmp_path):
    content = (folder / "pygame-cowboy.h5").read_bytes()
    path = tmp_path / "cut.h5"
    for size in (*range(0, 4096, 512), *range(4096, len(content), 5000), len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(DemosError, match="is damaged, or no HDF5 file"):
            DemoFile(path)


def test_altered_anywhere(folder, tmp_path):
    """Flipped bits give other numbers or a clear error, and nothing else."""
    content = (folder / "pygame-cowboy.h5").read_bytes()
    path, random = tmp_path / "bad.h5", np.random.default_rng(0)
    messages = []
    for place in random.integers(0, 6000, 150):
        altered = bytearray(content)
        altered[place] ^= int(random.integers(1, 256))
        path.write_bytes(altered)
        try:
            with DemoFile(path) as file:
                file.read("reward")
        except DemosError as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert all(message.startswith(str(path)) for message in messages)


def test_what_is_no_file(tmp_path):
    with pytest.raises(DemosError, match="does not exist"):
        DemoFile(tmp_path / "absent.h5")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(DemosError, match="it is not a file"):
        DemoFile(tmp_path / "folder.h5")
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(DemosError, match="it is not a file"):
        DemoFile(tmp_path / "pipe.h5")
    (tmp_path / "text.h5").write_text("<html>")
    with pytest.raises(DemosError, match="damaged, or no HDF5"):
        DemoFile(tmp_path / "text.h5")
