"""Fixtures shared by all tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import newt_bench
from newt_bench import downloads
from tests import standins
from tests.web import Server

DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).parent.parent

#: All of them are tested: a missing simulator fails the tests.
EVERY_TASK = newt_bench.tasks()

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


def load_data(name: str) -> dict:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session", autouse=True)
def standin_assets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Puts stand-ins where all tasks, in child processes too, look for files that users download."""
    folder = tmp_path_factory.mktemp("assets")
    standins.write_all(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEWT_BENCH_ASSETS", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def no_screen() -> Iterator[None]:
    """Windows open on SDL's driver without a screen, on machines with one too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDL_VIDEODRIVER", "dummy")
        yield


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Runs code in a fresh interpreter, away from the checkout.

    Keyword arguments become environment variables; None removes one.
    """

    def run(code: str, *, check: bool = True, timeout: float = 240, **environment: str | None):
        variables = {**os.environ, **environment}
        child = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:newt_bench", "-c", code],
            env={key: value for key, value in variables.items() if value is not None},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and child.returncode != 0:
            raise AssertionError(f"exit code {child.returncode}\n{child.stdout}\n{child.stderr}")
        return child

    return run


@pytest.fixture
def run_cli(tmp_path: Path):
    """Runs the installed `newt-bench` command in an empty folder."""

    def run(*arguments: object, timeout: float = 300, **environment: str):
        inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "MUJOCO_GL")}
        command = [str(Path(sys.executable).parent / "newt-bench"), *map(str, arguments)]
        return subprocess.run(
            command,
            env={**inherited, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server whose clients do not pause between tries."""
    monkeypatch.setattr(downloads, "_PAUSE_SECONDS", 0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
