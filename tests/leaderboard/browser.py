"""A real browser without a window, for what a page does there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--force-prefers-reduced-motion"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1400,1000"),
)


@contextmanager
def started(folder: Path) -> Iterator[webdriver.Chrome]:
    """Starts Chromium with its profile in `folder`; where there is none, the test fails and says what to install."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail(
            "The tests of the leaderboard's page need Chromium and its driver; on Debian: "
            "apt-get install --no-install-recommends chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for switch in (*SWITCHES, f"--user-data-dir={folder}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_script_timeout(120)
    browser.set_page_load_timeout(120)
    try:
        yield browser
    finally:
        browser.quit()


def requests_of(browser: webdriver.Chrome) -> list[str]:
    """Addresses that pages asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def emulate(browser: webdriver.Chrome, *, width: int = 1400, scheme: str = "light", media: str = "") -> None:
    """Sets the width of the window in pixels, whether the reader prefers dark pages, and `print` for paper."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


#: Text whose contrast with what is behind it is below 4.5 to 1 (WCAG 2.2, criterion 1.4.3), with the contrast.
POOR_CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const known = new Map();
function rgba(colour) {
  if (!known.has(colour)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
  }
  return known.get(colour);
}
function luminance([r, g, b]) {
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}
function behind(node) {
  for (let at = node; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255];
}
const poor = [];
let seen = 0;
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own || node.closest("[hidden], script, noscript, button:disabled") || !node.checkVisibility()) continue;
  const style = getComputedStyle(node);
  const colour = rgba(node.closest("svg") ? style.fill : style.color);
  const [high, low] = [luminance(colour), luminance(behind(node))].sort((a, b) => b - a);
  const contrast = (high + 0.05) / (low + 0.05);
  seen += 1;
  if (contrast < 4.5) poor.push(`${node.textContent.trim()}: ${contrast.toFixed(2)}`);
}
return [seen, poor];
"""
