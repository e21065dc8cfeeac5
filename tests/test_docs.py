"""Every code block of README and docs runs; every relative link leads somewhere."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
CONTENT = ("tasks", "demos", "baselines", "leaderboard")
EVERY_PAGE = [
    *PAGES,
    REPOSITORY / "CHANGELOG.md",
    *(p for f in CONTENT for p in sorted((REPOSITORY / f).rglob("*.md"))),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str):
    for page in PAGES:
        found = [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]
        for number, text in enumerate(found, start=1):
            yield pytest.param(text, id=f"{page.name}-{number}")


@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_blocks_run(run_python, code):
    run_python(code, MUJOCO_GL=None)


@pytest.mark.parametrize("text", list(blocks("bash")))
def test_shell_blocks_run(run_cli, text):
    """Commands of newt-bench run in order in one folder; setting up (make, pip) is what CI itself does."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        changes_catalogue = words[:3] == ["newt-bench", "new", "task"]  # tested in test_scaffold.py
        needs_every_domain = "lite" in words
        if words[:1] == ["newt-bench"] and not changes_catalogue and not needs_every_domain:
            if words[1] == "results" and "baselines" in words[2]:
                words[2] = str(REPOSITORY / "baselines/random/results/dmcontrol.json")
            child = run_cli(*words[1:])
            assert child.returncode == 0, f"{line}\n{child.stdout}\n{child.stderr}"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_relative_links_exist(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_readme_table_is_true():
    import newt_bench

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\d*) \| ?(\d*) \|[^|]*\|$", text, re.MULTILINE)
    assert len(rows) == 10
    for domain, core, heldout in rows:
        assert len(newt_bench.tasks(domain=domain, split="core")) == int(core or 0)
        assert len(newt_bench.tasks(domain=domain, split="heldout")) == int(heldout or 0)
