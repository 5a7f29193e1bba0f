"""How well text can be read."""

from __future__ import annotations

from typing import Any

from tests.report.browser import Page

__all__ = ["worst_contrast"]


async def worst_contrast(page: Page) -> float:
    """The lowest contrast of any text on the page to what is behind it (WCAG 2)."""
    found: list[Any] = await page.run(
        """(() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = (one) => { for (; one; one = one.parentElement) { const c = parse(getComputedStyle(one).backgroundColor); if (c[3] > .6) return c; } return [255, 255, 255, 1]; };
  let worst = [99, ""];
  for (const one of document.querySelectorAll("main *, header *")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    if (one.closest("svg, select") || !one.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, one.className + ": " + one.textContent.slice(0, 40)];
  }
  return worst;
})()"""
    )
    assert found[0] >= 4.5, found
    return float(found[0])
