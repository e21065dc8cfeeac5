"""Images of the observations: encoded, in a second file beside a task's demonstrations.

They are by far the larger part of a data set, and most uses never look at them. In a file of their own they are
neither downloaded nor opened until they are asked for. `docs/demos.md` describes the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_path
from newt_bench.demos.audit import MAX_BYTES, Stored, audit_datasets, check_offsets, read_attributes
from newt_bench.demos.format import READABLE_BY, SUFFIX, Column
from newt_bench.demos.reading import AuditedFile, DemoFile, import_h5py
from newt_bench.demos.writing import explained
from newt_bench.errors import DemosError, InputError
from newt_bench.extras import import_optional

__all__ = [
    "ENCODINGS",
    "FRAMES_COLUMNS",
    "FRAMES_FORMAT",
    "FRAMES_SUFFIX",
    "Encoding",
    "FrameFile",
    "FrameFormat",
    "decode",
    "encode",
    "frames_path",
    "open_image",
    "write_frames",
]

FRAMES_FORMAT = "newt-bench-frames"
FRAMES_FORMAT_VERSION = 1
FRAMES_SUFFIX = ".frames.h5"
FRAMES_COLUMNS: Mapping[str, Column] = {
    "frame": Column(np.dtype("u1"), "bytes"),
    "frame_offset": Column(np.dtype("<i8"), "frame boundaries"),
}

#: WebP and PNG give back what was drawn, bit for bit; JPEG takes less space and does not.
Encoding = Literal["webp", "png", "jpeg"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

#: By measurement, see benchmarks/demos.py: the last per cent of size take most of the time.
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "webp": {"lossless": True, "method": 0, "quality": 20},
    "png": {"compress_level": 6},
    "jpeg": {"quality": 95},
}
_MAX_SIDE = 2048  # pixels
_MAX_FRAME_BYTES = 2**25
_CHUNK_BYTES = 2**18


class FrameFormat(NamedTuple):
    """What all frames of a file have in common.

    Attributes:
        encoding: `webp`, `png` or `jpeg`.
        height: In pixels.
        width: In pixels.
    """

    encoding: Encoding
    height: int
    width: int

    def check(self) -> None:
        """Refuses what no file may have.

        Raises:
            DemosError: The encoding is not known, or frames would be empty or huge.
        """
        if self.encoding not in ENCODINGS:
            raise DemosError(f"frames may be encoded as {', '.join(ENCODINGS)}, and not as {self.encoding!r}")
        if not (1 <= self.height <= _MAX_SIDE and 1 <= self.width <= _MAX_SIDE):
            raise DemosError(f"frames of {self.width} x {self.height} pixels; at most {_MAX_SIDE} each way are allowed")


def _pillow() -> Any:
    return import_optional("PIL.Image", extra="demos", packages=("PIL",), wanted_by="Reading and writing frames")


def frames_path(path: Path) -> Path:
    """Where the frames of a file of demonstrations are."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}{FRAMES_SUFFIX}")


def encode(frame: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """Encodes an RGB image of shape (height, width, 3)."""
    file = io.BytesIO()
    _pillow().fromarray(frame).save(file, encoding.upper(), **_SETTINGS[encoding])
    return file.getvalue()


def decode(data: bytes, kind: FrameFormat) -> NDArray[np.uint8]:
    """Decodes an image that comes from anywhere. What it declares to be is checked before memory is claimed for it.

    Args:
        data: The encoded image.
        kind: What it must be.

    Returns:
        RGB image of shape (height, width, 3).

    Raises:
        DemosError: It is damaged, or of another encoding or size.
    """
    with open_image(io.BytesIO(data), kind.encoding) as image:
        if image.size != (kind.width, kind.height):
            raise DemosError(f"a frame declares {image.size} pixels where {(kind.width, kind.height)} are said")
        frame: NDArray[np.uint8] = np.asarray(image.convert("RGB"))
    return frame


@contextlib.contextmanager
def open_image(file: Any, encoding: Encoding) -> Iterator[Any]:
    """Opens an image without decoding it. Only the decoder of its encoding is tried, and huge ones are refused.

    Args:
        file: An open file, or a path.
        encoding: What it must be.

    Raises:
        DemosError: It is damaged, huge, or of another encoding; also if that shows while it is decoded in the block.
    """
    pillow = _pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("error", pillow.DecompressionBombWarning)
        try:
            with pillow.open(file, formats=[encoding.upper()]) as image:
                yield image
        except DemosError:
            raise
        except Exception as error:  # decoders meet damage with errors of many kinds
            raise DemosError(f"an image is damaged, or no {encoding}: {type(error).__name__}: {error}") from error


class FrameFile(AuditedFile):
    """The frames of one file of demonstrations: one per observation, in their order.

    Args:
        path: The file, `{task}.frames.h5`.
        max_bytes: Refuse a file that holds more than this.

    Attributes:
        kind: Encoding and size of the frames.
        task: Name of the task.
        origin: How they came about.
        versions: Versions of newt-bench and of the packages that drew them.
        offsets: Boundaries of the encoded frames in bytes, shape (frames + 1,).

    Raises:
        DemosError: The file is not there, damaged, unsafe, or not of this format.
        MissingExtraError: h5py is not installed.
    """

    known = FRAMES_COLUMNS

    def __init__(self, path: str | Path, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, max_bytes)
        self.kind: FrameFormat
        self.task = self.origin = self._fingerprint = ""
        self.versions: dict[str, str] = {}
        with self._explained():
            self._open()
            self.offsets: NDArray[np.int64] = self.read("frame_offset")
            check_offsets(self.offsets, self.shape("frame")[0], "frame offsets", "bytes")
            if np.diff(self.offsets).max() > _MAX_FRAME_BYTES:
                raise DemosError(f"a frame takes more than {_MAX_FRAME_BYTES} bytes")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.offsets) - 1

    def encoded(self, start: int, end: int) -> list[bytes]:
        """Frames as they are stored, from `start` up to `end`."""
        bounds = self.offsets[start : end + 1] - self.offsets[start]
        data = self.read("frame", int(self.offsets[start]), int(self.offsets[end])).tobytes()
        return [data[a:b] for a, b in itertools.pairwise(bounds)]

    def decoded(self, start: int, end: int) -> NDArray[np.uint8]:
        """Frames from `start` up to `end`, shape (end - start, height, width, 3).

        Raises:
            DemosError: One of them is damaged, or not what the file says.
        """
        frames = np.empty((end - start, self.kind.height, self.kind.width, 3), np.uint8)
        number = start
        try:
            for number, data in enumerate(self.encoded(start, end), start):
                frames[number - start] = decode(data, self.kind)
        except DemosError as error:
            raise DemosError(f"{self.path}: frame {number}: {str(error).removeprefix(f'{self.path}: ')}") from error
        return frames

    def check_match(self, demos: DemoFile) -> None:
        """Checks that the frames are of these demonstrations.

        Raises:
            DemosError: They are of others.
        """
        if len(self) != demos.steps + demos.episodes or self._fingerprint != fingerprint(demos):
            raise DemosError(f"{self.path}: its frames are not of the demonstrations in {demos.path}; make them anew")

    def _inspect(self, handle: Any, file_bytes: int) -> dict[str, Stored]:
        texts, numbers = read_attributes(handle, FRAMES_FORMAT, FRAMES_FORMAT_VERSION, ("height", "width"))
        stored = audit_datasets(handle, FRAMES_COLUMNS, file_bytes, self._max_bytes)
        lacking = [n for n in ("task", "encoding", "origin", "versions", "demonstrations") if n not in texts]
        if lacking:
            raise DemosError(f"attribute '{lacking[0]}' is missing")
        self.kind = FrameFormat(texts["encoding"], numbers["height"], numbers["width"])  # type: ignore[arg-type]
        self.kind.check()
        self.task, self.origin, self._fingerprint = (texts[name] for name in ("task", "origin", "demonstrations"))
        try:
            self.versions = dict(json.loads(texts["versions"]))
        except (ValueError, TypeError, RecursionError) as error:
            raise DemosError(f"attribute 'versions' is not a JSON object: {error}") from error
        return stored


def fingerprint(demos: DemoFile) -> str:
    """SHA-256 of the episodes' boundaries and actions, however they are stored: by it frames know their states."""
    digest = hashlib.sha256(demos.offsets.astype("<i8").tobytes())
    digest.update(demos.read("action").astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def write_frames(
    demos: DemoFile,
    batches: Iterable[Sequence[bytes]],
    kind: FrameFormat,
    *,
    origin: str,
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Writes frames beside their demonstrations. The file appears whole or not at all.

    Args:
        demos: The demonstrations.
        batches: Encoded frames, one for each observation, a few at a time.
        kind: Encoding and size of them.
        origin: How they came about.
        versions: Versions of newt-bench and of what drew them.

    Returns:
        The file.

    Raises:
        DemosError: There are more or fewer than observations; or what `batches` raises.
        InputError: The encoding is not known.
        MissingExtraError: h5py is not installed.
    """
    if kind.encoding not in ENCODINGS:
        raise InputError(f"frames may be encoded as {', '.join(ENCODINGS)}, and not as {kind.encoding!r}")
    path, expected = frames_path(demos.path), demos.steps + demos.episodes
    attributes = {
        "format": FRAMES_FORMAT,
        "format_version": FRAMES_FORMAT_VERSION,
        "readable_by": READABLE_BY,
        "task": demos.info.task,
        **kind._asdict(),
        "origin": origin,
        "versions": json.dumps(dict(versions or {}), sort_keys=True),
        "demonstrations": fingerprint(demos),
    }
    with atomic_path(path) as temporary:
        h5py = import_h5py()
        with explained(path), h5py.File(temporary, "w") as file:
            file.attrs.update(attributes)
            sizes = _write_bytes(file, batches)
            if len(sizes) != expected:
                raise DemosError(f"{len(sizes)} frames for {expected} observations")
            offsets = np.cumsum([0, *sizes], dtype=FRAMES_COLUMNS["frame_offset"].dtype)
            file.create_dataset("frame_offset", data=offsets, track_times=False)
        with explained(path, temporary), FrameFile(temporary) as written:
            decode(written.encoded(0, 1)[0], kind)
    return path


def _write_bytes(file: Any, batches: Iterable[Sequence[bytes]]) -> list[int]:
    """Appends encoded frames; only one batch is in memory at a time. Returns their sizes."""
    dataset = file.create_dataset("frame", (0,), np.uint8, maxshape=(None,), chunks=(_CHUNK_BYTES,), track_times=False)
    sizes: list[int] = []
    for batch in batches:
        data = np.frombuffer(b"".join(batch), np.uint8)
        start = len(dataset)
        dataset.resize(start + len(data), axis=0)
        dataset[start:] = data
        sizes += map(len, batch)
    return sizes
