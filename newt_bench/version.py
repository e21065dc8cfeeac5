"""The version of newt-bench."""

__version__ = "0.1.0"
