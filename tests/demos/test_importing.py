"""Published files, read without running what they hold."""

from __future__ import annotations

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from newt_bench.demos import load_demos, validate
from newt_bench.demos.importing import import_published_folder
from newt_bench.demos.tensorfile import read_tensors
from newt_bench.errors import DemosError, UnknownTaskError
from tests.demos.published import (
    Called,
    Named,
    published_columns,
    reserve_memory,
    save,
    tensor,
    tensordict,
    write_published,
)

NAMES = ("obs", "action", "reward", "episode")


@pytest.mark.parametrize("manner", ["new", "old", "plain"])
@pytest.mark.parametrize("name", ["pygame-cowboy", "pygame-point-maze-var1"])
def test_import(recorded, tmp_path, manner, name):
    write_published(tmp_path / "in" / f"{name}.pt", recorded[name], manner)
    (made,) = import_published_folder(tmp_path / "in", tmp_path / "out")
    assert made == tmp_path / "out" / f"{name}.h5"
    assert validate(made)[made] == []
    item = load_demos(name, root=tmp_path / "out")[name]
    assert len(item) == 3
    for before, after in zip(recorded[name], item, strict=True):
        for column in ("observation", "action", "reward"):
            np.testing.assert_array_equal(getattr(before, column), getattr(after, column))
        assert after.reset_seed == -1
        if before.success[0] == -1:
            np.testing.assert_allclose(after.score, before.score, atol=1e-6)
        else:
            assert np.isnan(after.score).all()
    assert item.info.policy["file"] == f"{name}.pt"


def test_padding_and_features(recorded, tmp_path):
    name = "pygame-cowboy"
    columns = published_columns(recorded[name])
    rows = len(columns["reward"])
    padded = np.pad(columns["obs"], ((0, 0), (0, 125))).astype("f4")
    action = np.pad(columns["action"], ((0, 0), (0, 15)))
    feature = np.random.default_rng(0).normal(size=(rows, 768)).astype("f4")
    write_published(tmp_path / f"{name}.pt", recorded[name], obs=padded, action=action, feat=feature)
    import_published_folder(tmp_path / f"{name}.pt", tmp_path)
    item = load_demos(name, root=tmp_path)[name]
    np.testing.assert_array_equal(item.observation, columns["obs"])
    np.testing.assert_array_equal(item.feature, feature)


def test_real_torch_files(tmp_path):
    """torch's own writer, with views, of all kinds of numbers."""
    base = torch.arange(60, dtype=torch.float32).reshape(6, 10)
    tensors = {
        "obs": base[:, 2:7],
        "action": base.T[:6, :2],
        "reward": torch.arange(6, dtype=torch.float64),
        "episode": torch.tensor([0, 0, 1, 1, 1, 2]),
        "terminated": torch.tensor([False] * 5 + [True]),
        "half": torch.ones(6, dtype=torch.float16),
        "none": torch.empty(0, 3),
    }
    torch.save({"more": [tensors]}, tmp_path / "x.pt")
    found = read_tensors(tmp_path / "x.pt", NAMES)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value.numpy())


def flag(path):
    """What an attack would do."""
    return Called(Named("os", "system"), f"touch {path}")


def hostile(tmp_path, recorded):
    columns = published_columns(recorded["pygame-cowboy"])
    arrays, good = list(columns.values()), tensordict(columns)
    sign = tmp_path / "executed"
    unnumbered = {name.replace("episode", "id"): array for name, array in columns.items()}
    first = columns["obs"]

    def with_first(**lies):
        return {**{n: tensor(a, str(k)) for k, (n, a) in enumerate(columns.items())}, "obs": tensor(first, "0", **lies)}

    return {
        "system": ({"content": flag(sign)}, "it asks for os.system"),
        "in a tensordict": (
            {"content": Called(Named("tensordict", "TensorDict"), {"x": flag(sign)})},
            "it asks for os.system",
        ),
        "builtins": ({"content": Called(Named("builtins", "eval"), f"open({str(sign)!r}, 'w')")}, "builtins.eval"),
        "torch.load": ({"content": Called(Named("torch", "load"), "x")}, "torch.load"),
        "dotted": ({"content": Named("tensordict", "TensorDict.__init__.__globals__")}, "lacks|damaged"),
        "state": ({"content": Called(Named("torch", "Size"), state={"a": 1})}, "it changes a tuple"),
        "function": (
            {"description": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."},
            "it changes a function",
        ),
        "memory": ({"description": reserve_memory(2**40)}, "damaged"),
        "memo": ({"description": b"\x80\x02Nr\xff\xff\xff\xff."}, "lacks"),
        "extension": ({"description": b"\x80\x02\x82\x01."}, "damaged"),
        "deep": ({"description": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b"."}, "lacks|damaged"),
        "long": ({"description": b"\x80\x02" + b"N0" * 2**21 + b"N."}, "description takes"),
        "beyond": ({"content": with_first(offset=9)}, "tensor beyond its storage"),
        "negative": ({"content": with_first(strides=(-3, 1))}, "negative"),
        "large": ({"content": with_first(shape=(2**40, 3), strides=(0, 1))}, "larger than its storage"),
        "short": ({"content": with_first(count=7)}, "storage 0 has"),
        "kind": ({"content": with_first(kind="DoubleStorage")}, "storage 0 has"),
        "bfloat": ({"content": with_first(kind="BFloat16Storage")}, "it asks for torch.BFloat16Storage"),
        "compressed": ({"content": good, "compression": zipfile.ZIP_DEFLATED}, "torch.save does not compress"),
        "big-endian": ({"content": good, "byteorder": "big"}, "big-endian"),
        "nothing": ({"content": {}}, "lacks action, episode, obs, reward"),
        "no episode": (
            {"content": tensordict(unnumbered)},
            "lacks episode",
        ),
        "cut": ({"content": good, "cut": 5000}, "is damaged, or not written by torch.save"),
    }, arrays


HOSTILE = ["system", "in a tensordict", "builtins", "torch.load", "dotted", "state", "function", "memory", "memo",
           "extension", "deep", "long", "beyond", "negative", "large", "short", "kind", "bfloat", "compressed",
           "big-endian", "nothing", "no episode", "cut"]  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_files(recorded, tmp_path, attack):
    attacks, arrays = hostile(tmp_path, recorded)
    options, message = attacks[attack]
    path = tmp_path / "in" / "pygame-cowboy.pt"
    cut = options.pop("cut", None)
    save(path, options.pop("content", None), arrays, **options)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DemosError, match=message) as caught:
        import_published_folder(path, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


def test_the_attack_is_real(recorded, tmp_path):
    """That a trusting reader runs it."""
    attacks, _ = hostile(tmp_path, recorded)
    path = tmp_path / "x.pt"
    save(path, attacks["system"][0]["content"], [])
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("file/data.pkl"))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": lambda c: c["obs"][:, :2].copy()}, r"'obs' has shape \(1503, 2\) where the task has 3"),
        ({"obs": lambda c: np.pad(c["obs"], ((0, 0), (0, 1)), constant_values=1)}, "'obs' has shape"),
        ({"reward": lambda c: c["reward"][1:].copy()}, "different lengths"),
        ({"reward": lambda c: np.full(1503, np.nan, "f4")}, "'reward' holds NaN"),
        ({"obs": lambda c: c["obs"] * np.float32(np.nan)}, "'obs' holds NaN"),
        ({"episode": lambda c: np.arange(1503) % 2}, "do not follow each other"),
        ({"episode": lambda c: np.arange(1503)}, "do not follow each other"),
    ],
)
def test_other_layouts(recorded, tmp_path, change, message):
    name = "pygame-cowboy"
    columns = published_columns(recorded[name])
    changed = {key: make(columns) for key, make in change.items()}
    write_published(tmp_path / f"{name}.pt", recorded[name], **changed)
    with pytest.raises(DemosError, match=message):
        import_published_folder(tmp_path / f"{name}.pt", tmp_path)
    assert os.listdir(tmp_path) == [f"{name}.pt"]


def test_import_names_what_is_missing(tmp_path):
    with pytest.raises(DemosError, match="holds no files"):
        import_published_folder(tmp_path, tmp_path)
    (tmp_path / "no-task.pt").write_bytes(b"")
    with pytest.raises(UnknownTaskError):
        import_published_folder(tmp_path, tmp_path)
    with pytest.raises(DemosError, match="does not exist"):
        read_tensors(tmp_path / "absent.pt", NAMES)
    (tmp_path / "legacy.pt").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    with pytest.raises(DemosError, match="is damaged, or not written by torch"):
        read_tensors(tmp_path / "legacy.pt", NAMES)


def test_two_descriptions(recorded, tmp_path):
    write_published(tmp_path / "x.pt", recorded["pygame-cowboy"])
    with zipfile.ZipFile(tmp_path / "x.pt", "a") as archive:
        archive.writestr("other/data.pkl", b"")
    with pytest.raises(DemosError, match=r"it has 2 files data\.pkl"):
        read_tensors(tmp_path / "x.pt", NAMES)
