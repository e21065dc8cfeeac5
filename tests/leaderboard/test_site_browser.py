"""The page in a real browser, opened from a file as anyone may."""

from __future__ import annotations

import base64
import json
import re

import imageio.v2 as imageio
import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from selenium.webdriver.support.wait import WebDriverWait

from newt_bench.catalogue import get_task
from newt_bench.leaderboard import Submission, build_site
from newt_bench.leaderboard.site import render_page
from newt_bench.media import write_image
from tests.leaderboard.browser import POOR_CONTRAST, emulate, requests_of, started
from tests.leaderboard.conftest import make_document
from tests.leaderboard.sites import EVIDENCE, made_board
from tests.leaderboard.test_site import HOSTILE

BOARD = "single-task/100k/core:mujoco"
TASK = "mujoco-walker"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaderboard")
    (folder / "gallery").mkdir()
    imageio.imwrite(folder / "gallery" / f"{TASK}.png", np.full((224, 224, 3), 90, np.uint8))
    write_image(folder / "gallery" / "mujoco-hopper.webp", np.full((192, 192, 3), 90, np.uint8))
    build_site(folder / "site", made_board(folder / "board"), folder / "gallery")
    return folder / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with started(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, site):
    """The page, freshly opened. Whatever a test does there: no error, and nothing is asked of any machine."""
    yield opened(browser, site / "index.html", f"board={BOARD}")
    assert browser.get_log("browser") == []
    asked = requests_of(browser)
    assert asked
    assert all(address.startswith(("file://", "data:")) for address in asked), asked


def opened(browser, path, hash_=""):
    browser.get("about:blank")
    browser.get_log("browser")
    requests_of(browser)
    emulate(browser)
    browser.get(f"{path.as_uri()}#{hash_}")
    return browser


def find(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def texts(page, selector):
    return page.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((n) => n.textContent)", selector
    )


def agents(page):
    return texts(page, "#ranking-table .name")


def focused(page):
    return page.switch_to.active_element


def press(page, *keys):
    for key in keys:
        focused(page).send_keys(key)


def scroll_to(page, selector):
    node = find(page, selector)
    page.execute_script("arguments[0].scrollIntoView({ block: 'center' })", node)
    return node


def wait(page, condition):
    return WebDriverWait(page, 30).until(lambda _: condition())


def test_rows_ranks_ties_trust_and_flags(page):
    assert agents(page)[0] == "Alpha"
    assert agents(page)[3] == "Delta"
    assert texts(page, "#ranking-table .rank") == ["1", "=2", "=2", "4"]
    trust = dict(zip(agents(page), texts(page, "#ranking-table td.col-trust"), strict=True))
    assert "by the maintainers" in trust["Alpha"]
    assert "re-run" in trust["Beta"]
    assert "self-reported" in trust["Gamma"]
    assert "mujoco 3.2.7 instead of 3.3.6" in trust["Delta"]
    links = page.find_elements(By.CSS_SELECTOR, "#ranking-table tbody tr:first-child .links a")
    assert [link.text for link in links] == ["code", "paper", "run"]
    assert all("noreferrer" in link.get_attribute("rel") for link in links[:2])
    assert texts(page, "#boards [aria-current]") == ["Single task", "100k \u00b7 core:mujoco"]


def test_sorting_with_mouse_and_keyboard(page):
    header = "#ranking-table th[data-key=iqm]"
    find(page, f"{header} button").click()
    assert find(page, header).get_attribute("aria-sort") == "descending"
    down = agents(page)
    assert down[0] == "Alpha"
    assert down[-1] == "Delta"
    press(page, Keys.ENTER)  # the focus stayed on the heading
    assert find(page, header).get_attribute("aria-sort") == "ascending"
    assert agents(page) == down[::-1]
    find(page, "#ranking-table th[data-key=name] button").send_keys(Keys.SPACE)
    assert agents(page) == ["Alpha", "Beta", "Delta", "Gamma"]
    assert find(page, header).get_attribute("aria-sort") == "none"


def test_filtering_agents(page):
    box = find(page, "#filter-text")
    box.send_keys("hopper")  # an author
    assert agents(page) == ["Alpha"]
    assert find(page, "#filter-count").text == "1 of 4 agents"
    assert len(texts(page, ".heat-head > [role=columnheader]")) == 2  # the heat map follows
    box.send_keys("xyz")
    assert agents(page) == []
    assert "No agent passes" in find(page, "#ranking-table").text
    box.send_keys(Keys.BACKSPACE * len("hopperxyz"))
    # Not by keys: what is typed soon after counts as one word with what was typed before.
    Select(find(page, "#filter-trust")).select_by_visible_text("re-run or better")
    assert sorted(agents(page)) == ["Alpha", "Beta"]
    Select(find(page, "#filter-trust")).select_by_visible_text("any")
    find(page, "#filter-flags").send_keys(Keys.SPACE)
    assert sorted(agents(page)) == ["Alpha", "Beta", "Gamma"]


def test_drill_down_with_the_keyboard(page, site):
    scroll_to(page, "#task-order").send_keys(Keys.TAB)
    press(page, Keys.END, Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    cell = focused(page)
    assert cell.get_attribute("role") == "gridcell"
    assert len(page.find_elements(By.CSS_SELECTOR, ".heat [tabindex='0']")) == 1
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    board = next(b for b in data["boards"] if b["id"] == BOARD)
    assert cell.text == f"{np.mean(board['rows'][0]['scores'][1]):.2f}".removeprefix("0")
    assert board["rows"][0]["name"] in find(page, "#tip").text
    press(page, Keys.ENTER)
    dialog = wait(page, lambda: find(page, "dialog[open]"))
    name = find(page, "#details-title").text
    assert name == board["tasks"][1]
    assert get_task(name).instruction in dialog.text
    assert get_task(name).embodiment in dialog.text
    assert set(texts(page, "#details tbody th")) == {"Alpha", "Beta", "Gamma", "Delta"}
    press(page, Keys.ESCAPE)
    wait(page, lambda: not page.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    assert focused(page) == cell
    assert "task=" not in page.current_url


def test_drill_down_with_the_mouse_shows_the_picture(page):
    find(page, "#task-text").send_keys(TASK)
    wait(page, lambda: len(texts(page, ".heat [role=rowheader]")) == 1)
    scroll_to(page, ".heat [role=rowheader]").click()
    picture = wait(page, lambda: find(page, "dialog[open] img"))
    wait(page, lambda: picture.get_property("naturalWidth") == 224)
    assert get_task(TASK).instruction in picture.get_attribute("alt")
    find(page, "#details-close").click()
    wait(page, lambda: focused(page).get_attribute("role") == "rowheader")


def test_small_stills_are_shown_as_large_as_others(page, site):
    opened(page, site / "index.html", f"board={BOARD}&task=mujoco-hopper")
    picture = find(page, "dialog[open] img")
    wait(page, lambda: picture.get_property("naturalWidth") == 192)
    assert picture.size == {"width": 224, "height": 224}


def test_from_task_to_task_and_addresses_that_open_one(page, site):
    opened(page, site / "index.html", f"board={BOARD}&task={TASK}")
    assert find(page, "#details-title").text == TASK
    step = next(b for b in page.find_elements(By.CSS_SELECTOR, ".steps button") if b.is_enabled())
    step.send_keys(Keys.ENTER)
    other = find(page, "#details-title").text
    assert other != TASK
    assert page.current_url.endswith(f"task={other}")


def test_an_agent_in_full(page):
    find(page, "#ranking-table .name").send_keys(Keys.ENTER)
    dialog = wait(page, lambda: find(page, "dialog[open]"))
    for text in (
        EVIDENCE,
        "Ada Lovelace, Grace Hopper",
        "best of all",
        "100,000",
        "mujoco 3.3.6",
        "newt-bench reproduce",
    ):
        assert text in dialog.text
    press(page, Keys.ESCAPE)
    wait(page, lambda: focused(page).text == "Alpha")


def test_two_agents(page, site):
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    board = next(b for b in data["boards"] if b["id"] == BOARD)
    scroll_to(page, "#compare-b").send_keys("Delta")
    assert find(page, ".sentence").text == "Alpha has the higher interquartile mean."
    difference, improvement = board["pairs"]["0,3"]
    shown = find(page, ".verdict").text
    assert f"+{difference[0]:.3f} [+{difference[1]:.3f}, +{difference[2]:.3f}]" in shown
    assert f"{improvement[0]:.3f}" in shown
    assert len(page.find_elements(By.CSS_SELECTOR, "#scatter circle")) == len(board["tasks"])
    find(page, "#compare-swap").click()
    assert (
        f"\u2212{difference[0]:.3f} [\u2212{difference[2]:.3f}, \u2212{difference[1]:.3f}]"
        in find(page, ".verdict").text
    )
    find(page, "#compare-a").send_keys("Beta")
    find(page, "#compare-b").send_keys("Gamma")
    assert find(page, ".sentence").text.startswith("A tie")


def test_profiles_and_ticks(page, site):
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    alpha = next(b for b in data["boards"] if b["id"] == BOARD)["rows"][0]
    scroll_to(page, "#threshold").send_keys(Keys.ARROW_RIGHT)
    assert find(page, "#threshold-value").text == "0.51"
    assert f"{alpha['profile'][0][51]:.3f}" in find(page, "#profile-table").text
    assert len(page.find_elements(By.CSS_SELECTOR, "#profile-chart .curve")) == 4
    scroll_to(page, "#ranking-table [type=checkbox]").send_keys(Keys.SPACE)
    assert focused(page).get_attribute("data-row") == alpha["id"]
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "#profile-chart .curve")) == 3)
    assert "Alpha" not in find(page, "#domain-panels").text
    assert "Beta" in find(page, "#domain-panels").text


def test_boards_are_switched(page):
    few_shot = next(a for a in page.find_elements(By.CSS_SELECTOR, ".tracks a") if a.text == "Few-shot adaptation")
    few_shot.click()
    wait(page, lambda: agents(page) == ["Lonely"])
    assert "this board has one" in find(page, "#comparison-body").text
    page.back()
    wait(page, lambda: len(agents(page)) == 4)


CONTROLS = {"button", "link", "checkbox", "combobox", "searchbox", "slider", "image", "grid", "dialog", "table"}


def test_everything_has_a_name(page, site):
    opened(page, site / "index.html", f"board={BOARD}&task={TASK}")
    inside = named(page)
    page.execute_script("document.querySelector('#details').close()")
    assert inside | named(page) >= CONTROLS - {"table"}


def named(page) -> set[str]:
    """Roles of what the reader can use, as screen readers are told of it."""
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in CONTROLS]
    nameless = [node["role"]["value"] for node in seen if not node.get("name", {}).get("value", "").strip()]
    assert nameless == []
    return {node["role"]["value"] for node in seen}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, scheme):
    emulate(page, scheme=scheme)
    seen, poor = page.execute_script(POOR_CONTRAST)
    assert seen > 100
    assert poor == []


def test_a_phone(page):
    emulate(page, width=360)
    wait(page, lambda: page.execute_script("return innerWidth") == 360)
    assert page.execute_script("return document.documentElement.scrollWidth") == 360
    assert "by the maintainers" in find(page, "#ranking-table tbody tr").text
    scroll_to(page, "#ranking-table .name").click()
    box = wait(page, lambda: find(page, "dialog[open]")).rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


@pytest.fixture(scope="module")
def long_site(tmp_path_factory):
    """One board of more tasks than the comparison shows at first, and of more agents than a phone has room for."""
    folder = tmp_path_factory.mktemp("long")
    for index in range(8):
        document = make_document(f"Agent {index}", 0.1 * index, rng=index, track="lite", tasks="lite")
        submission = Submission.from_json(document)
        submission.save(folder / "board" / "submissions" / f"{submission.id}.json")
    build_site(folder / "site", folder / "board")
    return folder / "site"


PAPER = 700  # pixels of 1/96 inch: A4, less margins of 12 mm


def shown(page, selector):
    """Boxes of the elements that are displayed: left and right end, text."""
    return page.execute_script(
        """return [...document.querySelectorAll(arguments[0])].filter((n) => n.checkVisibility()).map((n) => {
             const box = n.getBoundingClientRect();
             return [box.left, box.right, n.textContent];
           })""",
        selector,
    )


def test_on_paper_tables_are_whole_and_light_and_controls_are_left_out(browser, long_site):
    page = opened(browser, long_site / "index.html", "board=lite/100k/lite")
    assert len(shown(page, ".differences tbody tr")) == 12
    headings = [text for _, _, text in shown(page, "#ranking-table thead th")]
    emulate(page, width=PAPER, scheme="dark")
    assert len(shown(page, "#ranking-table thead th")) < len(headings)
    emulate(page, width=PAPER, scheme="dark", media="print")
    wait(page, lambda: page.execute_script("return innerWidth") == PAPER)
    assert [text for _, _, text in shown(page, "#ranking-table thead th")] == headings
    assert len(shown(page, "#ranking-table tbody tr")) == 8
    assert len(shown(page, ".differences tbody tr")) == 20
    cells = shown(page, ".heat [role=gridcell]")
    assert len(cells) == 160
    assert all(0 <= left < right <= PAPER for left, right, _ in [*cells, *shown(page, "table")])
    assert shown(page, "input, select, nav, .controls, .differences > button") == []
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(251, 252, 252)"
    seen, poor = page.execute_script(POOR_CONTRAST)
    assert seen > 100
    assert poor == []
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 8  # not one, cut off


def test_an_open_task_is_printed_alone(browser, site):
    page = opened(browser, site / "index.html", f"board={BOARD}&task={TASK}")
    emulate(page, width=PAPER, media="print")
    assert shown(page, "main, .steps, dialog button") == []
    ((left, right, text),) = shown(page, "dialog")
    assert (left, right) == (0, PAPER)
    assert TASK in text


def test_hostile_text_is_text(browser, site):
    """Submissions with such text are refused; were they not, it would still be only text."""
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    row = next(b for b in data["boards"] if b["id"] == BOARD)["rows"][0]
    row.update(
        name=HOSTILE, notes=HOSTILE, authors=[HOSTILE], flags=[HOSTILE], code="javascript:document.title='owned'"
    )
    path = site.parent / "hostile.html"
    path.write_text(render_page(data), encoding="utf-8")
    opened(browser, path, f"board={BOARD}&row={row['id']}")
    assert find(browser, "#details-title").text == HOSTILE
    assert agents(browser)[0] == HOSTILE
    assert browser.title == "newt-bench leaderboard"
    assert browser.find_elements(By.CSS_SELECTOR, "img, a[href^=javascript]") == []
    assert browser.get_log("browser") == []


def test_injected_markup_could_not_run(browser, site):
    """The second line of defence: the page's policy refuses markup, inline handlers and other machines."""
    opened(browser, site / "index.html", f"board={BOARD}")
    attempts = """
      const outcomes = [];
      try { document.body.innerHTML = "<b>x</b>"; outcomes.push("ran"); } catch (error) { outcomes.push(error.name); }
      try { await fetch("https://example.org/"); outcomes.push("ran"); } catch (error) { outcomes.push(error.name); }
      return outcomes;
    """
    assert browser.execute_script(f"return (async () => {{ {attempts} }})()") == ["TypeError", "TypeError"]
    refused = " ".join(entry["message"] for entry in browser.get_log("browser"))
    assert "Trusted" in refused
    assert "connect-src" in refused or "default-src" in refused
