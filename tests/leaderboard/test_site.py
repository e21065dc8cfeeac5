"""The site as files: all rows or none, the raw results beside the page, and nothing that the page would fetch."""

from __future__ import annotations

import base64
import csv
import hashlib
import html.parser
import json
import re

import pytest

from newt_bench.errors import InputError, LeaderboardError
from newt_bench.leaderboard import build_site, load_rows, read_submission
from newt_bench.leaderboard.site import render_page
from newt_bench.results.statistics import iqm_difference, probability_of_improvement
from tests.leaderboard.conftest import make_document
from tests.leaderboard.sites import made_board


class Elements(html.parser.HTMLParser):
    """Elements of a page as a browser would find them: tag, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        self.found.append((f"/{tag}", {}, ""))  # what follows is no text of the element

    def handle_data(self, data):
        tag, attributes, text = self.found[-1] if self.found else ("", {}, "")
        self.found[-1:] = [(tag, attributes, text + data)]

    def of(self, tag: str) -> list[tuple[dict, str]]:
        return [(attributes, text) for found, attributes, text in self.found if found == tag]


def data_of(page: str) -> dict:
    (text,) = (text for attributes, text in Elements(page).of("script") if attributes["type"] == "application/json")
    return json.loads(text)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return made_board(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="module")
def site(board, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "site"
    assert build_site(out, board).rows == 5
    return out


def test_every_submission_is_on_the_page_in_the_table_and_beside_it(board, site):
    rows = {row.id: row for row in load_rows(board)}
    data = data_of((site / "index.html").read_text(encoding="utf-8"))
    assert data == json.loads((site / "data.json").read_text(encoding="utf-8"))
    assert {row["id"] for b in data["boards"] for row in b["rows"]} == set(rows)
    for row in (row for b in data["boards"] for row in b["rows"]):
        assert read_submission(site / row["run"]) == rows[row["id"]].submission
        assert row["trust"]["level"] == rows[row["id"]].trust.level
        assert row["aggregate"]["iqm"] == pytest.approx(
            [getattr(rows[row["id"]].aggregate["iqm"], end) for end in ("value", "low", "high")], abs=1e-4
        )
    with (site / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    played = [(row.id, record) for row in rows.values() for record in row.submission.merged.episodes]
    assert len(lines) == len(played)
    for line, (name, record) in zip(lines, played, strict=True):
        assert (line["id"], line["seed"], line["episode"]) == (name, str(record.seed), str(record.episode))
        assert (float(line["return"]), float(line["score"])) == (record.episode_return, record.score)
        assert line["trust"] == rows[name].trust.level
        assert f"newt/{line['task']}-v0" == record.task
    assert "mujoco 3.2.7" in next(line["versions"] for line in lines if line["agent"] == "Delta")


def test_pairs_are_those_of_the_statistics(board, site):
    (data,) = (b for b in data_of((site / "index.html").read_text("utf-8"))["boards"] if len(b["rows"]) == 4)
    scores = {row.id: row.scores for row in load_rows(board)}
    first, last = (scores[data["rows"][index]["id"]] for index in (0, 3))
    assert set(data["pairs"]) == {"0,1", "0,2", "0,3", "1,2", "1,3", "2,3"}
    for found, compare in zip(data["pairs"]["0,3"], (iqm_difference, probability_of_improvement), strict=True):
        estimate = compare(first, last)
        assert found == pytest.approx([estimate.value, estimate.low, estimate.high], abs=1e-4)


def test_a_merged_submission_is_in_the_next_build_or_there_is_none(leaderboard, tmp_path):
    small = {"track": "few-shot", "tasks": "heldout:ogbench"}
    folder, out = leaderboard(make_document("One", rng=1, **small)), tmp_path / "site"
    build_site(out, folder)
    leaderboard(make_document("Two", rng=2, **small))
    build_site(out, folder)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert [row["name"] for row in data_of(page)["boards"][0]["rows"]] in (["One", "Two"], ["Two", "One"])
    (folder / "submissions" / "few-shot" / "three.json").write_text("{}")
    with pytest.raises(LeaderboardError, match=r"three\.json is refused"):
        build_site(out, folder)
    assert (out / "index.html").read_text(encoding="utf-8") == page


def test_a_folder_that_is_no_site_is_left_alone(board, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        build_site(tmp_path, board)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_pictures_of_tasks_are_copied(leaderboard, tmp_path):
    folder = leaderboard(make_document("One", track="few-shot", tasks="heldout:ogbench"))
    pictures = tmp_path / "gallery" / "ogbench"
    pictures.mkdir(parents=True)
    named = ("og-point-var1.png", "og-point-var1.gif", "og-point-var2.webp")
    for name in (*named, "nobody.png", "og-point-var1.html"):
        (pictures / name).write_bytes(name.encode())
    assert build_site(tmp_path / "site", folder, pictures.parent).pictures == 2
    data = data_of((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert data["tasks"]["og-point-var1"]["pictures"] == ["gif", "png"]
    assert data["tasks"]["og-point-var2"]["pictures"] == ["webp"]
    copied = {path.name: path.read_bytes().decode() for path in (tmp_path / "site" / "pictures").iterdir()}
    assert copied == {name: name for name in named}
    with pytest.raises(InputError, match="holds no picture of a task"):
        build_site(tmp_path / "site", folder, tmp_path / "gallery" / "nowhere")


def test_the_page_admits_its_own_script_and_style_only(site):
    elements = Elements((site / "index.html").read_text(encoding="utf-8"))
    (policy,) = (a["content"] for a, _ in elements.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    (script,) = (text for a, text in elements.of("script") if a["type"] == "module")
    ((_, style),) = elements.of("style")
    for kind, text in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    fetched = [a[key] for tag, a, _ in elements.found for key in ("src", "href") if key in a and tag != "a"]
    assert [re.sub(",.*", "", address) for address in fetched] == ["data:image/svg+xml"]
    assert "url(" not in style
    assert "@import" not in style


HOSTILE = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> & {{data}}"


def test_no_text_leaves_the_data(site):
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    data["boards"][0]["rows"][0]["name"] = HOSTILE
    page = render_page(data)
    assert data_of(page) == data
    assert len(Elements(page).of("script")) == 2
    assert Elements(page).of("img") == []


def test_the_command_builds(run_cli, board, tmp_path):
    child = run_cli("leaderboard", "build", "--out", "site", "--folder", board)
    assert child.returncode == 0, child.stderr
    assert "5 submissions" in child.stdout
    assert (tmp_path / "site" / "index.html").exists()
