"""Uploads demonstrations to the Hugging Face Hub, with a card and a manifest; pins what others published."""

from __future__ import annotations

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from newt_bench import downloads
from newt_bench.atomic import write_text
from newt_bench.demos.dataset import TaskDemos
from newt_bench.demos.format import COLUMNS
from newt_bench.demos.frames import frames_path
from newt_bench.demos.hub import Hub, import_hub
from newt_bench.demos.manifest import MANIFEST_NAME, Entry, Manifest, parse_manifest, pin_published
from newt_bench.demos.reading import DemoFile
from newt_bench.demos.validation import demo_files, require_complete
from newt_bench.errors import DemosError, DownloadError

__all__ = ["Pushed", "card", "describe", "pin", "push"]


@dataclasses.dataclass(frozen=True)
class Pushed:
    """An upload.

    Attributes:
        manifest: What the repository holds now, pinned to the commit that the upload made.
        url: The page of the commit.
    """

    manifest: Manifest
    url: str


def describe(file: DemoFile) -> Entry:
    """The manifest's record of a file."""
    demos = TaskDemos(file)
    scores = demos.final_score
    path = frames_path(file.path)
    frames = path if path.exists() else None
    return Entry(
        file=f"{file.info.task}.h5",
        sha256=downloads.sha256(file.path),
        size=file.path.stat().st_size,
        bytes=sum(math.prod(file.shape(name)) * COLUMNS[name].dtype.itemsize for name in file.columns),
        episodes=file.episodes,
        steps=file.steps,
        mean_return=round(float(demos.returns.mean()), 4),
        mean_score=None if np.isnan(scores).any() else round(float(scores.mean()), 4),
        frames_sha256=downloads.sha256(frames) if frames else None,
        frames_size=frames.stat().st_size if frames else None,
    )


def card(files: Sequence[DemoFile], entries: Sequence[Entry], repository: str) -> str:
    """The data set card, `README.md` of the repository: tasks, episodes, returns, versions, licence, how to load."""
    licences = sorted({file.info.licence for file in files})
    example = files[0].info.task
    policies = Counter((str(f.info.policy.get("name")), str(f.info.policy.get("checkpoint"))) for f in files)
    versions = sorted({f"{name} {version}" for file in files for name, version in file.info.versions.items()})
    lines = [
        "---",
        f"license: {licences[0].lower() if len(licences) == 1 else 'other'}",
        "task_categories: [reinforcement-learning, robotics]",
        "tags: [newt-bench, demonstrations, continuous-control]",
        "---",
        "",
        f"# {repository}",
        "",
        f"Demonstrations of {len(files)} tasks of newt-bench: {sum(f.episodes for f in files)} episodes, "
        f"{sum(f.steps for f in files)} steps, {sum(e.size for e in entries) / 1e6:.1f} MB.",
        "",
        "```python",
        "import newt_bench",
        "",
        f'demos = newt_bench.load_demos("{example}", repository="{repository}")',
        f'print(demos["{example}"].returns)',
        "```",
        "",
        "One HDF5 file per task; plain h5py reads them too. `manifest.toml` has the checksums.",
        "",
        "| task | episodes | steps | mean return | mean score | size (kB) | frames (kB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for file, entry in zip(files, entries, strict=True):
        score = "" if entry.mean_score is None else f"{entry.mean_score:.3f}"
        lines.append(
            f"| `{file.info.task}` | {entry.episodes} | {entry.steps} | {entry.mean_return:.2f} | {score} "
            f"| {entry.size / 1e3:.0f} | {'' if entry.frames_size is None else f'{entry.frames_size / 1e3:.0f}'} |"
        )
    lines += ["", "Collected by: " + "; ".join(f"{n} (checkpoint: {c}), {k} tasks" for (n, c), k in policies.items())]
    lines += [f"Licence: {', '.join(licences)}", f"Versions: {', '.join(versions)}", ""]
    return "\n".join(lines)


def push(source: str | Path, repository: str, *, private: bool = False, message: str | None = None) -> Pushed:
    """Uploads files of demonstrations, frames beside them, their card and their manifest, in one commit.

    Args:
        source: A file, or a folder of files.
        repository: `owner/name` on the Hub; made if it is not there.
        private: Whether a repository that is made is private.
        message: Of the commit.

    Raises:
        DemosError: A file is not valid, or does not tell where it comes from. Nothing was uploaded.
        DownloadError: The Hub refuses.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = import_hub()
    name = Hub.parse(repository).repository
    files = require_complete(demo_files(Path(source)))
    try:
        entries = [describe(file) for file in files]
        tasks = {file.info.task: entry for file, entry in zip(files, entries, strict=True)}
        text = card(files, entries, name)
    finally:
        for file in files:
            file.close()
    manifest = Manifest(name, "main", tasks)
    add: Any = hub.CommitOperationAdd
    operations = [
        add(path_in_repo=entry.file, path_or_fileobj=str(f.path)) for f, entry in zip(files, entries, strict=True)
    ]
    operations += [
        add(path_in_repo=entry.frames_file, path_or_fileobj=str(frames_path(f.path)))
        for f, entry in zip(files, entries, strict=True)
        if entry.frames_sha256
    ]
    operations.append(add(path_in_repo=MANIFEST_NAME, path_or_fileobj=manifest.to_toml().encode()))
    operations.append(add(path_in_repo="README.md", path_or_fileobj=text.encode()))
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        commit = api.create_commit(
            name,
            operations,
            repo_type="dataset",
            commit_message=message or f"Demonstrations of {len(files)} tasks",
        )
    except Exception as error:  # errors of whatever HTTP library the client's version uses
        raise DownloadError(f"{name} does not take the upload: {type(error).__name__}: {error}") from error
    return Pushed(dataclasses.replace(manifest, revision=commit.oid), commit.commit_url)


def pin(manifest: Path, revision: str = "main") -> Hub:
    """Pins the published files that a manifest names to the commit that a revision of them stands for now.

    Args:
        manifest: A `manifest.toml`; only its revision of the published files is changed.
        revision: A branch, tag or commit.

    Returns:
        The repository, at the commit.

    Raises:
        DemosError: The manifest cannot be read, or names no published files.
        DownloadError: The commit cannot be found out.
    """
    try:
        text = manifest.read_text(encoding="utf-8")
    except OSError as error:
        raise DemosError(f"{manifest} cannot be read: {error}") from error
    _, published = parse_manifest(text, str(manifest))
    if published is None:
        raise DemosError(f"{manifest} names no published files: it has no table [published]")
    commit = Hub(published.repository, revision).commit()
    changed = pin_published(text, commit)
    parse_manifest(changed, str(manifest))
    write_text(manifest, changed)
    return Hub(published.repository, commit)
