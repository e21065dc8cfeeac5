"""Demonstrations: one HDF5 file per task, read safely; from the Hub, or from a folder."""

from newt_bench.demos.dataset import Demos, TaskDemos, Windows
from newt_bench.demos.format import Episode, Info
from newt_bench.demos.frames import FrameFile
from newt_bench.demos.loading import download_demos, load_demos
from newt_bench.demos.reading import DemoFile
from newt_bench.demos.validation import validate
from newt_bench.demos.writing import write_demos

__all__ = [
    "DemoFile",
    "Demos",
    "Episode",
    "FrameFile",
    "Info",
    "TaskDemos",
    "Windows",
    "download_demos",
    "load_demos",
    "validate",
    "write_demos",
]
