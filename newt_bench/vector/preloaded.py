"""What the fork server imports before it forks workers, so that they share the memory of it.

The server imports this module; nothing else does. It reads which others to import from `NEWT_BENCH_PRELOAD`.
"""

from __future__ import annotations

import gc
import importlib
import os
from contextlib import suppress

from newt_bench.vector import worker  # noqa: F401 (all workers need it)

for _name in os.environ.pop("NEWT_BENCH_PRELOAD", "").split():
    with suppress(Exception):  # the worker that needs it says what is wrong
        importlib.import_module(_name)
# A search for garbage writes to every object that it visits, and what is written to is shared no longer.
gc.collect()
gc.freeze()
