"""What does `import newt_bench` cost beyond `import gymnasium`? Fresh interpreters, alternating, medians.

python benchmarks/import_time.py [--runs 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

MODULES = ("gymnasium", "newt_bench")


def seconds(module: str) -> float:
    """Wall time of a fresh interpreter that imports one module."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for module in MODULES:
        seconds(module)  # fills the file cache
    pairs = [[seconds(module) for module in MODULES] for _ in range(runs)]
    base, with_ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    extra = statistics.median(b - a for a, b in pairs)
    print(f"import gymnasium {base:.3f} s, import newt_bench {with_ours:.3f} s, difference {extra:.3f} s")


if __name__ == "__main__":
    main()
