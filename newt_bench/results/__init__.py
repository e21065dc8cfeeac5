"""Results as data: episodes, protocol, provenance, and the statistics computed from them."""

from newt_bench.results.merging import merge_results, split_results
from newt_bench.results.provenance import collect_provenance
from newt_bench.results.records import EpisodeRecord, Protocol, Results, load_results
from newt_bench.results.statistics import CONFIDENCE, Estimate

__all__ = [
    "CONFIDENCE",
    "EpisodeRecord",
    "Estimate",
    "Protocol",
    "Results",
    "collect_provenance",
    "load_results",
    "merge_results",
    "split_results",
]
