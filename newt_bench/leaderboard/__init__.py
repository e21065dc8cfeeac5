"""The leaderboard: tracks and their rules, submissions, checks, ranking. See `docs/leaderboard.md`."""

from newt_bench.leaderboard.board import Row, check_folder, find_row, load_rows
from newt_bench.leaderboard.building import Entry, build_submission
from newt_bench.leaderboard.export import to_csv, write_csv, write_episodes
from newt_bench.leaderboard.problems import Problem, SubmissionError
from newt_bench.leaderboard.publishing import open_pull_request
from newt_bench.leaderboard.ranking import Board, Placed, boards, profile, rank
from newt_bench.leaderboard.reading import parse_submission, read_submission
from newt_bench.leaderboard.reproduction import reproduction_commands
from newt_bench.leaderboard.site import Site, build_site
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import TRAINING_FIELDS, Track, get_track, hub_repository, limits, task_set, tracks
from newt_bench.leaderboard.trust import LEVELS, Trust, add_trust
from newt_bench.leaderboard.verification import Verification, verify

__all__ = [
    "LEVELS",
    "TRAINING_FIELDS",
    "Board",
    "Entry",
    "Placed",
    "Problem",
    "Row",
    "Site",
    "Submission",
    "SubmissionError",
    "Track",
    "Trust",
    "Verification",
    "add_trust",
    "boards",
    "build_site",
    "build_submission",
    "check_folder",
    "find_row",
    "get_track",
    "hub_repository",
    "limits",
    "load_rows",
    "open_pull_request",
    "parse_submission",
    "profile",
    "rank",
    "read_submission",
    "reproduction_commands",
    "task_set",
    "to_csv",
    "tracks",
    "verify",
    "write_csv",
    "write_episodes",
]
