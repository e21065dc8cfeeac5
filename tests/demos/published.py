"""Files in the layout of the published demonstrations, and files of that kind that are made to harm."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import newt_bench
from newt_bench.demos import Episode


def published_columns(episodes: Sequence[Episode], **more) -> dict[str, np.ndarray]:
    """One row more than steps per episode; row 0 has neither action nor reward."""

    def shifted(values):
        return np.concatenate([np.full((1, *values.shape[1:]), np.nan, "f4"), values])

    columns = {
        "obs": np.concatenate([e.observation for e in episodes]),
        "action": np.concatenate([shifted(e.action) for e in episodes]),
        "reward": np.concatenate([shifted(e.reward) for e in episodes]),
        "episode": np.repeat(np.arange(len(episodes)), [len(e) + 1 for e in episodes]),
    }
    columns["terminated"] = np.zeros(len(columns["reward"]), bool)
    return {**columns, **more}


class Named:
    """A global name in a pickle."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Called:
    """A call in a pickle."""

    def __init__(self, function: Named, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Stored:
    """Raw numbers beside a pickle."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.pid = ("storage", Named("torch", kind), key, "cpu", count)


class Writer(pickle._Pickler):
    """Writes names without importing them."""

    def save(self, item: Any, *rest: Any) -> None:
        if isinstance(item, Named):
            self.write(pickle.GLOBAL + f"{item.module}\n{item.name}\n".encode())
        elif isinstance(item, Called):
            self.save(item.function)
            self.save(item.arguments)
            self.write(pickle.REDUCE)
            if item.state is not None:
                self.save(item.state)
                self.write(pickle.BUILD)
        elif isinstance(item, Stored):
            self.save(item.pid)
            self.write(pickle.BINPERSID)
        else:
            super().save(item, *rest)


KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage", "b1": "BoolStorage"}


def tensor(array: np.ndarray, key: str, **lies) -> Called:
    kind = lies.get("kind", KINDS[array.dtype.str[1:]])
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Called(
        Named("torch._utils", "_rebuild_tensor_v2"),
        Stored(kind, key, lies.get("count", array.size)),
        lies.get("offset", 0),
        lies.get("shape", array.shape),
        lies.get("strides", strides),
        False,
        Called(Named("collections", "OrderedDict")),
    )


def tensordict(columns: Mapping[str, np.ndarray], manner: str = "new", **lies) -> Any:
    """What pickling a TensorDict writes: recent versions by a function of its own, older ones by state."""
    tensors = {name: tensor(array, str(k), **lies) for k, (name, array) in enumerate(columns.items())}
    size = Called(Named("torch", "Size"), (len(next(iter(columns.values()))),))
    state = {"_tensordict": tensors, "_device": None, "_batch_size": size, "_td_dim_names": None}
    cls = Named("tensordict._td", "TensorDict")
    if manner == "new":
        return Called(Named("tensordict._reductions", "_make_td"), cls, state)
    return Called(cls, state=state) if manner == "old" else tensors


def save(path: Path, content: Any, arrays: Sequence[np.ndarray], compression: int = zipfile.ZIP_STORED, **more) -> None:
    """Writes a file as `torch.save` does."""
    text = io.BytesIO()
    Writer(text, protocol=2).dump(content)
    description = more.pop("description", text.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("file/data.pkl", description)
        archive.writestr("file/byteorder", more.pop("byteorder", "little"))
        for k, array in enumerate(arrays):
            archive.writestr(f"file/data/{k}", array.tobytes())
        for name, data in more.items():
            archive.writestr(f"file/{name}", data)


def write_published(path: Path, episodes: Sequence[Episode], manner: str = "new", **more) -> None:
    columns = published_columns(episodes, **more)
    save(path, tensordict(columns, manner), list(columns.values()))


def reserve_memory(count: int) -> bytes:
    """A pickle that asks for so many bytes before it gives any."""
    return pickle.PROTO + b"\x05" + pickle.BYTEARRAY8 + struct.pack("<Q", count)


TASK = newt_bench.get_task("pygame-cowboy")
