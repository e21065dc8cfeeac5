"""Every code block of README and docs runs, or is parsed; links lead somewhere; the site is built without a warning."""

from __future__ import annotations

import ast
import html
import importlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import imageio.v3 as iio
import pytest
import typer.main

import newt_bench
from newt_bench.cli import app
from newt_bench.doctor import DomainReport, PackageReport, Report
from newt_bench.errors import ResultsError
from tests.conftest import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = REPOSITORY / "docs"
MADE = ("_build", "generated", "tasks")  # by the building of the site
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.relative_to(DOCS).parts[0] not in MADE),
]
CONTENT = ("tasks", "demos", "baselines", "leaderboard")
EVERY_PAGE = [
    *PAGES,
    REPOSITORY / "CHANGELOG.md",
    *(p for f in CONTENT for p in sorted((REPOSITORY / f).rglob("*.md"))),
]
BLOCK = re.compile(r"^( *)```(\S*)[^\n`]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

#: Commands of newt-bench that are parsed and not run, by a pattern of the line, and why.
PARSED_ONLY = {
    r"new task|walker-sprint": "changes the catalogue; tests/test_scaffold.py does it to a copy",
    r"newt-bench train": "takes minutes to hours; tests/training trains",
    r"\brun/checkpoint\b|--checkpoint run|curves run": "plays what the training that is not run would leave",
    r"evaluate .*--split": "takes hours, and needs every simulator; tests/cli evaluates",
    r"results (lite|baselines)": "shows what the evaluation that is not run would leave",
    r"demos (list|download|push)|assets download": "needs a network; tests/demos and tests/test_assets.py serve one",
    r"newt-bench play": "waits for a person; tests/test_playing.py is one",
    r"newt-bench doctor": "tries every simulator; tests/test_doctor.py does",
}
#: Other commands that are not looked into, and why.
LEFT_ALONE = {".venv/bin/pre-commit install": "changes the git repository"}
#: Languages of blocks. `py` and `sh` need a network, hours or files that are not there: they are parsed, and never run.
KINDS = ("python", "py", "bash", "sh", "toml")
#: Blocks of plain text, by page, and what they are.
PLAIN = {"docs/architecture.md": "the layers", "docs/leaderboard.md": "what a refusal looks like"}


def named(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(*languages: str):
    for page in PAGES:
        found = [textwrap.dedent(text) for _, kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in languages]
        for number, text in enumerate(found, start=1):
            yield pytest.param(text, id=f"{named(page)}-{number}")


def shell_lines(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", " ").splitlines() if shlex.split(line, comments=True)]


def every_shell_line() -> list[str]:
    return [line for block in blocks("bash") for line in shell_lines(block.values[0])]


def parse_command(words: list[str], complete: bool = True) -> None:
    """Parses a command line with the real parser. Raises its errors; without `complete`, arguments may be missing."""
    command, context, rest = typer.main.get_command(app), None, words[1:]
    while hasattr(command, "commands"):
        if not rest and not complete:
            return
        context = command.make_context(command.name, list(rest), parent=context)
        below = [*getattr(context, "_protected_args", []), *context.args]
        _, command, rest = command.resolve_command(context, below)
    try:
        command.make_context(command.name, list(rest), parent=context)
    except Exception as error:
        if complete or type(error).__name__ != "MissingParameter":
            raise


def test_the_parser_refuses_what_does_not_exist():
    parse_command(shlex.split("newt-bench train newt --tasks walker-run --steps 10"))
    parse_command(shlex.split("newt-bench demos collect"), complete=False)
    for line in (
        "newt-bench fly",
        "newt-bench train --no-such",
        "newt-bench demos collect",
        "newt-bench render x --out",
    ):
        with pytest.raises(Exception, match=r"No such|Missing|requires"):
            parse_command(shlex.split(line))
    with pytest.raises(Exception, match="valid integer"):
        parse_command(shlex.split("newt-bench train newt --steps many"))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_blocks_are_of_a_kind_that_is_checked(page):
    text = page.read_text("utf-8")
    kinds = [kind for _, kind, _ in BLOCK.findall(text)]
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(kinds)
    unchecked = [kind for kind in kinds if kind not in KINDS and not kind.startswith("{")]
    assert unchecked == ([""] if named(page) in PLAIN else [])


@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_blocks_run(run_python, code):
    run_python(code, MUJOCO_GL=None)


@pytest.mark.parametrize("code", list(blocks("py")))
def test_python_blocks_that_need_a_network_or_hours_name_what_exists(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "newt_bench":
            assert hasattr(newt_bench, node.attr), node.attr
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("newt_bench"):
            for item in node.names:
                assert hasattr(importlib.import_module(node.module), item.name), item.name


@pytest.mark.parametrize("text", list(blocks("toml")))
def test_toml_blocks_are_toml(text):
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", list(blocks("bash")))
def test_shell_blocks_run(run_cli, text):
    """Commands of newt-bench run in order in one folder; of others it is checked that there is what they name."""
    for line in shell_lines(text):
        words = shlex.split(line, comments=True)
        if words[0] != "newt-bench":
            check_other_command(line, words)
            continue
        parse_command(words)
        if not any(re.search(pattern, line) for pattern in PARSED_ONLY):
            child = run_cli(*words[1:])
            assert child.returncode == 0, f"{line}\n{child.stdout}\n{child.stderr}"


@pytest.mark.parametrize("text", list(blocks("sh")))
def test_shell_blocks_that_need_more_than_a_test_has_parse(text):
    for line in shell_lines(text):
        words = shlex.split(line, comments=True)
        parse_command(words) if words[0] == "newt-bench" else check_other_command(line, words)


def check_other_command(line: str, words: list[str]) -> None:
    program = words[0].removeprefix(".venv/bin/")
    paths = [
        word for word in words[1:] if "/" in word and not word.startswith("-") and not word.startswith("newt-bench")
    ]
    if line in LEFT_ALONE:
        return
    if program in ("for", "done"):  # what is between them is looked at line by line
        return
    if program == "torchrun":
        parse_command(words[words.index("newt_bench.cli") :])
    elif program == "make":
        targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(words[1:]) <= set(targets), line
    elif words[:2] == ["pip", "install"]:
        extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        wanted = re.findall(r"newt-bench\[([a-z,]+)\]", line)
        assert wanted, line
        assert {extra for group in wanted for extra in group.split(",")} <= set(extras), line
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), line
    else:
        assert program in ("python", "pytest"), f"nothing is known of: {line}"
        assert paths or program == "pytest", line
        for path in paths:
            assert (REPOSITORY / path).exists(), line


def test_every_exception_is_needed():
    lines = every_shell_line()
    for pattern in PARSED_ONLY:
        assert any(re.search(pattern, line) for line in lines), pattern
    assert set(LEFT_ALONE) <= set(lines)
    plain = {named(page) for page in PAGES if any(not kind for _, kind, _ in BLOCK.findall(page.read_text("utf-8")))}
    assert plain == set(PLAIN)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_sentences_parse(page):
    prose = BLOCK.sub("", page.read_text("utf-8"))
    for span in re.findall(r"`(newt-bench [^`]+)`", prose):
        words = ["1" if word in ("n", "...") else word for word in shlex.split(span)]
        parse_command(words, complete=False)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=named)
def test_relative_links_exist(page):
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        made = path.is_relative_to(DOCS) and path.relative_to(DOCS).parts[0] in MADE  # the site's test looks at these
        assert made or path.exists(), target


def test_readme_table_is_true():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\d*) \| ?(\d*) \|[^|]*\|$", text, re.MULTILINE)
    assert len(rows) == 10
    for domain, core, heldout in rows:
        assert len(newt_bench.tasks(domain=domain, split="core")) == int(core or 0)
        assert len(newt_bench.tasks(domain=domain, split="heldout")) == int(heldout or 0)


# The site


class Page(HTMLParser):
    """What a page of the site links to, and what in it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.names.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto"]
    child = subprocess.run(
        [*command, "--doctree-dir", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return folder / "html"


def test_every_task_and_domain_has_a_page(site):
    gallery = Page(site / "tasks" / "index.html").links
    for domain in newt_bench.catalogue.DOMAIN_NAMES:
        links = Page(site / "tasks" / f"{domain}.html").links
        for task in newt_bench.tasks(domain=domain):
            assert f"{task.name}.html" in links
            assert f"{task.name}.html" in gallery
            text = html.unescape(re.sub(r"<[^>]+>", "", (site / "tasks" / f"{task.name}.html").read_text("utf-8")))
            assert f"({task.obs_dim},), float32" in text
            assert f"({task.action_dim},), float32" in text
            assert f"{task.max_episode_steps} agent steps" in text
            assert task.paraphrases[3] in text


def pictures(page: Path) -> list[str]:
    """Names of the pictures that a page of the site shows."""
    return [Path(link).stem for link in Page(page).links if "_images/" in link]


def test_stills_are_small_and_of_every_task_that_needs_no_download():
    stills = sorted((DOCS / "stills").rglob("*.*"))
    drawn = [task for task in newt_bench.tasks() if not task.assets]
    assert {path.relative_to(DOCS / "stills").as_posix() for path in stills} == {
        f"{task.domain}/{task.name}.webp" for task in drawn
    }
    assert sum(path.stat().st_size for path in stills) < 1.5e6
    assert {iio.improps(path).shape for path in stills} == {(192, 192, 3)}


def test_the_gallery_shows_a_picture_of_every_task_that_has_one(site):
    text = (site / "tasks" / "index.html").read_text("utf-8")
    shown = pictures(site / "tasks" / "index.html")
    local = {path.stem for path in (DOCS / "pictures").rglob("*.png")}  # what `make pictures` may have drawn
    kept = {path.stem for path in (DOCS / "stills").rglob("*.webp")}
    assert sorted(shown) == sorted((kept | local) & set(newt_bench.tasks().names))
    assert (f"{234 - len(shown)} tasks have none" in text) == (len(shown) < 234)
    assert pictures(site / "tasks" / "walker-run.html") == ["walker-run"]


@pytest.fixture
def task_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("site_pages.task_pages"), importlib.import_module("site_pages.writing").Writer


def test_local_pictures_take_the_place_of_stills(task_pages, tmp_path):
    pages, writer = task_pages
    for name in ("data", "domains.md"):
        (tmp_path / name).symlink_to(DOCS / name)
    names = ("stills/miniarcade/pygame-pong.webp", "pictures/miniarcade/pygame-pong.gif")
    for name in (*names, "pictures/miniarcade/pygame-pong.png", "stills/miniarcade/pygame-cowboy.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pages.write(writer(tmp_path / "tasks"), tmp_path)
    gallery, pong, cowboy, other = (
        (tmp_path / "tasks" / f"{name}.md").read_text("utf-8")
        for name in ("miniarcade", "pygame-pong", "pygame-cowboy", "pygame-coinrun")
    )
    assert "(../pictures/miniarcade/pygame-pong.png)" in gallery
    assert "(../stills/miniarcade/pygame-cowboy.webp)" in gallery
    assert "(../pictures/miniarcade/pygame-pong.gif)" in pong
    assert "(../stills/miniarcade/pygame-cowboy.webp)" in cowboy
    assert "![" not in other


def test_the_leaderboard_is_part_of_the_site(site):
    assert "board/index.html" in Page(site / "leaderboard.html").links
    data = json.loads((site / "board" / "data.json").read_text("utf-8"))
    assert data["boards"]
    shown = data["tasks"]["walker-run"]
    assert shown["pictures"] == ["webp"]
    assert (site / "board" / "pictures" / "walker-run.webp").is_file()


def test_links_of_the_site_lead_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 260
    for path, page in pages.items():
        for link in set(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].names, f"{path.relative_to(site)}: {link}"


def test_the_reference_holds_the_public_names(site):
    named = {name for path in (site / "api").glob("*.html") for name in Page(path).names}
    for name in set(newt_bench.__all__) - {"__version__", "make_vec"}:
        assert any(entry.endswith(f".{name}") for entry in named), name
    commands = Page(site / "generated" / "cli.html").names
    assert {"newt-bench-train", "newt-bench-demos-collect"} <= commands


# What the pages are made from


def test_tables_of_entries_fit_the_catalogue():
    spaces = json.loads((DOCS / "data" / "spaces.json").read_text("utf-8"))
    described = [task for task in newt_bench.tasks() if task.domain != "miniarcade"]
    assert list(spaces) == [task.name for task in described]
    for task in described:
        assert sum(size for _, size in spaces[task.name]["observation"]) == task.obs_dim
        assert len(spaces[task.name]["action"]) == task.action_dim


def test_tables_of_entries_are_what_simulators_say(run_python):
    """One task of every way of describing; the script compares names with values of real observations."""
    names = "quadruped-run giraffe-run mw-reach ms-pick-cube mujoco-hopper rd-push-red og-antball og-ant-maze"
    code = f"""
import json, sys
sys.path.insert(0, {str(REPOSITORY / "scripts")!r})
from describe_spaces import FILE, describe
known = json.loads(FILE.read_text("utf-8"))
for name in {names.split()!r}:
    assert describe(name) == known[name], name
"""
    run_python(code)


@pytest.fixture
def platform_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("site_pages.platforms"), importlib.import_module("site_pages.writing").Writer


def test_the_table_of_platforms_is_made_from_reports(platform_pages, tmp_path):
    platforms, writer = platform_pages
    package = PackageReport("mujoco", "==3.3.6", "3.3.6")
    domains = [
        DomainReport(name, False, "ok", (package,), True, True, "glfw: some card", "not needed")
        for name in newt_bench.catalogue.DOMAIN_NAMES
    ]
    domains[3] = DomainReport("maniskill", False, "broken", (package,), False, problem="it is\nbroken | so")
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "macos.json").write_text(json.dumps(Report(tuple(domains)).to_json()))
    platforms.write(writer(tmp_path / "made"), tmp_path)
    text = (tmp_path / "made" / "platforms.md").read_text("utf-8")
    assert "no report from Linux, Windows yet" in text
    assert "| [ManiSkill3](../tasks/maniskill.md) | no report | **no** | no report |" in text
    assert "it is broken \\| so" in text
    assert text.count("| no report | yes") == 9


def test_a_report_that_is_none_is_refused(platform_pages, tmp_path):
    platforms, writer = platform_pages
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "linux.json").write_text('{"ok": true}')
    with pytest.raises(ResultsError, match="doctor-1"):
        platforms.write(writer(tmp_path / "made"), tmp_path)
