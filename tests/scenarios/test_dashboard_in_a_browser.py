"""The dashboard in a real browser: every page at a telephone's and a desk's width, light and dark, by keyboard, and an
incident from alarm to healed by clicks alone.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.api.app import create_app
from reliability_platform.service.dashboard.pages import PAGES
from tests.browser import CHROMIUM, Browser, browser
from tests.ground import Platform
from tests.unit.asked_of import lived_with_troubles

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (Debian's package chromium)"),
]
DEVICES = [(1280, 900, "light"), (1280, 900, "dark"), (375, 800, "light"), (375, 800, "dark")]
OF_ONE = {"incident": "INC-0001", "failure_class": "null_spike"}
FIRST_PAINT_SECONDS = 2.0
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, level AA, for text of common size."""
CONTRASTS = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = rgb(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const one of document.querySelectorAll("main *, header *, nav *")) {
    const said = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!said || one.closest("svg") || !one.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < LEAST) poor.push(`${one.tagName}.${one.className} ${contrast.toFixed(2)}: ${one.textContent.slice(0, 40)}`);
  }
  return poor;
})()
""".replace("LEAST", str(LEAST_CONTRAST))


@pytest.fixture(scope="module")
def home(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two clean days and troubles."""
    return lived_with_troubles(lived, tmp_path_factory.mktemp("seen") / "home")


@pytest.fixture(scope="module")
def address(home: Platform) -> Iterator[str]:
    """Where the dashboard is served."""
    settings = home.settings.model_copy(update={"api_requests_per_minute": 100_000})
    app = create_app(settings, tokens_needed=False, at_the_machine="ada", faults=())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser's tab."""
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.mark.parametrize(("width", "height", "scheme"), DEVICES)
def test_every_page_fits_is_readable_and_asks_nobody_else(
    address: str, tab: Browser, width: int, height: int, scheme: str
) -> None:
    """A table wider than a telephone, soft grey on a dark ground, a font from elsewhere: none is seen in HTML."""
    tab.look(width, height, scheme)
    tab.requests.clear()
    tab.complaints.clear()
    for page in PAGES:
        if page.template == "request":
            continue
        tab.open(f"{address}/ui/{page.path.format(**OF_ONE)}")
        assert tab.value("document.documentElement.scrollWidth") <= width, page.title
        assert tab.value(CONTRASTS) == [], page.title
    assert tab.complaints == []
    # `data:` asks nobody: Chromium draws the icon of a field for a date from one.
    assert all(one.startswith((address, "data:")) for one in tab.requests), tab.requests


def test_the_first_page_is_seen_within_two_seconds(address: str, tab: Browser) -> None:
    tab.open(f"{address}/")
    took = "(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN) / 1000"
    end = time.monotonic() + 10
    while tab.value(f"Number.isNaN({took})") and time.monotonic() < end:
        time.sleep(0.1)
    assert tab.value(took) < FIRST_PAINT_SECONDS


def test_the_keyboard_comes_first_to_the_content(address: str, tab: Browser) -> None:
    tab.open(f"{address}/ui/incidents")
    tab.press("Tab")
    assert tab.value("document.activeElement.textContent") == "To the content"
    assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.press("Enter")
    assert tab.value("document.activeElement.id") == "main"


def test_moments_are_those_of_the_viewer_with_utc_beside(address: str, tab: Browser) -> None:
    tab.look(1280, 900, "light", "Asia/Tokyo")
    tab.open(f"{address}/ui/incidents/INC-0001")
    shown = tab.value("document.querySelector('time').textContent")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC", shown)
    local, utc = shown.split(" ")[1], shown.split(" ")[-2]
    assert (int(local[:2]) - int(utc[:2])) % 24 == 9
    tab.look(1280, 900, "light")


def test_an_incident_is_healed_by_clicks(home: Platform, address: str, tab: Browser) -> None:
    """From alarm to healed: acknowledged, tried without effect, done, and told as over."""
    store = IncidentStore(home.engine)
    tab.open(f"{address}/ui/")
    assert "2 incidents are open" in tab.value("document.querySelector('h1').textContent")
    _click(tab, "a[href*='/incidents/INC-0001']")
    _click(tab, "form[action$='/acknowledge'] button")
    assert "acknowledged" in tab.value("document.querySelector('h1').textContent")
    _click(tab, "form[action$='/heal'] button")
    _wait(tab)
    assert "Nothing has changed" in tab.value("document.querySelector('h1').textContent")
    assert store.get("INC-0001").is_open
    _click(tab, "form[action$='/carry-out'] button")
    _wait(tab)
    assert not store.get("INC-0001").is_open, tab.value("document.querySelector('main').textContent")
    _click(tab, "main a[href*='/incidents/INC-0001']")
    assert "It is over" in tab.value("document.querySelector('h1').textContent")
    assert "ada" in {entry.actor for entry in store.get("INC-0001").timeline}


def _click(tab: Browser, what: str) -> None:
    assert tab.value(f'document.querySelector("{what}") !== null'), what
    tab.value(f'document.querySelector("{what}").click()')
    tab.settle()


def _wait(tab: Browser) -> None:
    """Until what was asked for has ended; the page is read again by itself."""
    end = time.monotonic() + 600
    while tab.value("document.querySelector('[data-poll]') !== null"):
        assert time.monotonic() < end
        tab.settle()
