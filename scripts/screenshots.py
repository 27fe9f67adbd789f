"""Makes the pictures of the screens in docs/screenshots anew, from a demonstration. `make screenshots` runs it.

What a picture shows is what the demonstration holds on the day, so they differ from day to day.
"""

import os
import re
from pathlib import Path

from playwright.sync_api import expect, sync_playwright
from test_browser import PASSWORD, chromium

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
BYTES_MAX = 200_000
SELECTED = 5


def overview(page):
    page.goto("/ui/account/1")
    page.wait_for_load_state("networkidle")


def certificates(page):
    page.goto("/ui/account/1/certificates")
    page.get_by_role("link", name="Last 7 days").click()
    boxes = page.get_by_role("checkbox", name=re.compile("^Select bundle"))
    for number in range(SELECTED):
        boxes.nth(number).check()
    expect(page.locator("[data-selected]")).to_contain_text(f"{SELECTED} bundles selected")
    page.evaluate("scrollTo(0, 0)")


def lineage(page):
    """Of a bundle that was split: a part of it was transferred and is cancelled."""
    page.goto("/ui/activity?kind=transfer")
    page.locator("main table").get_by_role("row").filter(has_text="Puddlewick Wind").last.get_by_role("link").first.click()
    page.locator("main table").get_by_role("row").filter(has_text="split").last.get_by_role("link").first.click()
    heading = page.get_by_role("heading", name="Lineage")
    expect(heading).to_be_visible()
    page.evaluate("(heading) => scrollTo(0, heading.offsetTop - 20)", heading.element_handle())


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        context = browser.new_context(
            base_url=os.environ["BASE"], viewport={"width": 1280, "height": 800}, color_scheme="light", timezone_id="UTC",
        )
        page = context.new_page()
        page.goto("/ui")
        page.get_by_label("Name").fill("producer@demo.granary.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("header.top")).to_be_visible()
        for picture in (overview, certificates, lineage):
            picture(page)
            path = PICTURES / f"{picture.__name__}.png"
            page.screenshot(path=path)
            size = path.stat().st_size
            if size > BYTES_MAX:
                raise SystemExit(f"screenshots: {path.name} has {size} bytes, more than {BYTES_MAX}")
            print(f"{path.name}: {size} bytes")
        browser.close()


if __name__ == "__main__":
    main()
