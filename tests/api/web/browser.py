# SPDX-License-Identifier: Apache-2.0
"""A browser on the pages of a real server, which notes down whatever goes wrong on them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = shutil.which("chromium")
PATIENCE_MILLISECONDS = 60_000
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}

WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const what = entry.sources.map((source) => source.node?.id || source.node?.className || '');
    window.shifts.push([entry.value, what.join(' ')]);
  }
}).observe({ type: 'layout-shift', buffered: true });
document.addEventListener('securitypolicyviolation', (event) => {
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
});
"""

# Text whose contrast with what is behind it is below WCAG 2.2 AA (4.5, or 3 where it is large).
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(rgba(getComputedStyle(each).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest('svg, .unseen, .skip')) continue;
    if (element.closest('option, [aria-busy=true]')) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const colour = rgba(style.color);
    for (let each = element; each; each = each.parentElement) {
      colour[3] *= Number(getComputedStyle(each).opacity);
    }
    const [one, two] = [luminance(over(colour, ground)), luminance(ground)];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


@dataclass
class Visitor:
    """Somebody with a browser.

    Attributes:
        page: Where they are.
        address: The server.
        key: Its first key.
        problems: What went wrong so far: errors of scripts, of the policy, of requests.
    """

    page: Page
    address: str
    key: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self.page.set_default_timeout(PATIENCE_MILLISECONDS)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", self._refuse)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} {message.location.get('url', '')}")

    def _refuse(self, dialog: Any) -> None:
        self.problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def go(self, place: str) -> None:
        """Open a page."""
        answer = self.page.goto(f"{self.address}{place}")
        assert answer is not None
        assert answer.status == 200, f"{place}: {answer.status}"

    def sign_in(self) -> None:
        """Sign in as a person does."""
        self.go("/sign-in")
        self.page.get_by_label("API key").fill(self.key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.address}/")

    @property
    def shift(self) -> float:
        """How much the layout has shifted by itself since the page was opened."""
        shifts = self.page.evaluate("window.shifts")
        return float(sum(value for value, _ in shifts))

    @property
    def shifted(self) -> list[Any]:
        """What has shifted, for messages."""
        return list(self.page.evaluate("window.shifts"))

    @property
    def faint(self) -> list[str]:
        """Text that is hard to read."""
        return list(self.page.evaluate(FAINT))

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def open_context(browser: Browser, size: str = "desktop", scheme: str = "light") -> BrowserContext:
    """Return a fresh window: no cookies, and the system's colours as said."""
    context = browser.new_context(
        viewport=DESKTOP if size == "desktop" else PHONE,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        accept_downloads=True,
    )
    context.add_init_script(WATCH)
    return context
