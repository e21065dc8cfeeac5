"""Runs the command line as `python -m newt_bench.cli`."""

from newt_bench.cli import main

main()
