"""The screens in a real browser, as each role of a demonstration: every screen that links lead to, in light and in dark,
by keyboard, without scripts, and the main job by hand, from a file of readings to the receipt of a cancellation.

    SERVE="demo --days 20" scripts/with-server.sh .venv/bin/python scripts/test_browser.py [TEST …]

Nothing is waited for but what a page is to show, and nothing is tried twice. Where a test fails, what its pages showed is
kept in target/browser. Names of tests run these alone.
"""

import datetime
import os
import re
import shutil
import sys
import time
from collections import Counter, deque
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Error, expect, sync_playwright

BASE = os.environ["BASE"]
SCRATCH = Path(os.environ["SCRATCH"])
KEPT = Path(__file__).resolve().parent.parent / "target" / "browser"
PASSWORD = "granary-demo"
ROLES = ("producer", "supplier", "storage", "issuer", "auditor", "admin")
WAIT_MS_MAX = 15_000
# Without what plots are drawn from.
HTML_BYTES_MAX = 150_000
# Of each kind of address that differs in its numbers only; of each set of parameters, one.
PAGES_PER_KIND_MAX = 2
PAGES_PER_ROLE_MAX = 150
TABS_MAX = 60

# What there is on a page, without how often: tags with their classes and attributes below their parents, and the headings
# in their order. Two pages of which this is the same are the same to the rules of accessibility.
STRUCTURE = """() => {
  const of = (element) => `${element.localName}.${[...element.classList].sort().join(".")}`;
  const attributes = (element) => element.getAttributeNames().sort().join(",");
  const all = [...document.body.querySelectorAll("*")];
  const seen = new Set(all.map((element) => `${of(element.parentElement)}>${of(element)}[${attributes(element)}]`));
  const headings = all.filter((element) => /^h[1-6]$/.test(element.localName)).map((heading) => heading.localName);
  return [...seen].sort().join("|") + headings.filter((heading, i) => heading !== headings[i - 1]).join("");
}"""
# Rows of a table that are made like one before them need no look of their own.
MARK_REPEATS = """() => {
  const of = (element) => `${element.localName}.${element.getAttribute("class")}[${element.getAttributeNames().join()}]`;
  for (const body of document.querySelectorAll("tbody")) {
    const seen = new Set();
    for (const row of body.rows) {
      const made = [row, ...row.querySelectorAll("*")].map(of).join();
      if (seen.has(made)) row.dataset.repeats = "";
      seen.add(made);
    }
  }
}"""
AXE_RUN = """(options) => axe.run({ include: [["html"]], exclude: [["[data-repeats]"]] }, options).then((found) => found.violations.map((violation) =>
  `${violation.id}: ${violation.help}; ${violation.nodes.length} times, first ${violation.nodes[0].html.slice(0, 200)} ` +
  violation.nodes[0].failureSummary.replaceAll(/\\s+/g, " ")))"""
AXE_ALL = {"resultTypes": ["violations"]}
# Which of them a theme can change.
AXE_COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}


class Visitor:
    """A browser of its own, and everything that was wrong with what it was shown."""

    def __init__(self, browser, role=None, **settings):
        # Not in UTC, so that local times are shown beside it.
        settings = {"viewport": {"width": 1280, "height": 800}, "timezone_id": "Europe/Berlin", **settings}
        self.context = browser.new_context(base_url=BASE, color_scheme="light", **settings)
        self.context.set_default_timeout(WAIT_MS_MAX)
        self.faults = []
        self.context.on("console", self._said)
        self.context.on("weberror", lambda thrown: self._fault(f"a script failed: {thrown.error}"))
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)
        self.page = self.context.new_page()
        if role is not None:
            self.sign_in(role)

    def _fault(self, what):
        self.faults.append(f"{self.page.url.removeprefix(BASE)}: {what}")

    def _said(self, message):
        # A page that is refused is one that the test asks for, or else found by its status.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self._fault(f"the console says {message.text}")

    def _asked(self, request):
        if not request.url.startswith(BASE + "/"):
            self._fault(f"asks elsewhere: {request.url}")

    def _answered(self, response):
        address = urlsplit(response.url).path
        if response.status >= 500 or (response.status >= 400 and address.startswith("/ui/assets/")):
            self._fault(f"{address} is answered with {response.status}")

    def sign_in(self, role):
        self.page.goto("/ui")
        self.page.get_by_label("Name").fill(f"{role}@demo.granary.example")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator("header.top")).to_be_visible()

    def examine(self):
        """What the rules of accessibility say of the page that is shown, in both themes."""
        self.page.evaluate(MARK_REPEATS)
        self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate(AXE_RUN, AXE_ALL)
        self.page.emulate_media(color_scheme="dark")
        found += [f"in dark, {what}" for what in self.page.evaluate(AXE_RUN, AXE_COLOURS)]
        self.page.emulate_media(color_scheme="light")
        for what in found:
            self._fault(what)

    def finish(self):
        """Says what was wrong, if anything, and ends."""
        assert not self.faults, "\n".join(["", *self.faults])
        self.context.close()


def test_screens(browser):
    """Every screen that links lead to, as each role."""
    faults, looked_at, walked = [], set(), 0
    for role in ROLES:
        visitor = Visitor(browser, role)
        pages = walk(visitor, looked_at)
        print(f"   {role}: {pages} pages")
        walked += pages
        faults += [f"{role}: {fault}" for fault in visitor.faults]
        visitor.context.close()
    assert not faults, "\n".join(["", *faults])
    print(f"   {walked} pages, {len(looked_at)} of them unlike all others and examined in both themes")


def walk(visitor, looked_at):
    """Looks at the pages that links lead to, breadth first, and counts them."""
    page = visitor.page
    todo, seen, kinds = deque([("/ui", "the start")]), {"/ui"}, Counter()
    for walked in range(PAGES_PER_ROLE_MAX):
        if not todo:
            return walked
        address, origin = todo.popleft()
        response = page.goto(address)
        if response.status != 200:
            visitor.faults.append(f"{address}: a link of {origin} leads to {response.status}")
            continue
        look(visitor, response)
        structure = page.evaluate(STRUCTURE)
        if structure not in looked_at:
            looked_at.add(structure)
            visitor.examine()
        for to, is_file in page.eval_on_selector_all(
            "a[href]", "links => links.map(link => [link.getAttribute('href'), link.hasAttribute('download')])"
        ):
            to = to.partition("#")[0]
            kind = kind_of(to)
            if not to.startswith("/") or to in seen or kinds[kind] >= (1 if "?" in kind else PAGES_PER_KIND_MAX):
                continue
            seen.add(to)
            kinds[kind] += 1
            if to.startswith("/ui") and not is_file:
                todo.append((to, address))
            elif (status := visitor.context.request.get(to).status) != 200:
                visitor.faults.append(f"{address}: a link to {to} leads to {status}")
    raise AssertionError(f"links lead on and on: {len(todo)} of {len(seen)} addresses are left, such as {todo[0]}")


def kind_of(address):
    """An address without its numbers, and the names of its parameters."""
    parts = urlsplit(address)
    path = "/".join("N" if any(c.isdigit() for c in name) else name for name in parts.path.split("/"))
    names = ",".join(sorted({name for name, _ in parse_qsl(parts.query)}))
    return f"{path}?{names}" if names else path


def look(visitor, response):
    """What every page must be."""
    page = visitor.page
    html = response.text()
    plots = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    size = len(html.encode()) - sum(len(data.encode()) for data in plots)
    for wrong, what in (
        (size >= HTML_BYTES_MAX, f"{size} bytes of HTML"),
        (page.locator("h1").count() != 1, f"{page.locator('h1').count()} headings h1"),
        (not page.title().endswith(" – Granary"), f"its title is {page.title()!r}"),
        (response.headers.get("cache-control") != "no-store", "may be kept by caches"),
        ("default-src 'none'" not in response.headers.get("content-security-policy", ""), "says no policy"),
        (page.evaluate("document.documentElement.scrollWidth > innerWidth"), "is wider than its window"),
    ):
        if wrong:
            visitor.faults.append(f"{response.url.removeprefix(BASE)}: {what}")


def test_pages_that_refuse(browser):
    """What is told where there is nothing, or nothing for this visitor, is a page like every other."""
    visitor = Visitor(browser)
    page = visitor.page
    page.goto("/ui/profile")
    expect(page).to_have_url(re.compile("/ui/sign-in"))
    visitor.examine()
    page.get_by_label("Name").fill("producer@demo.granary.example")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
    visitor.examine()
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_request("**/ui/sign-in") as sent:
        page.get_by_role("button", name="Sign in").click()
    # What shows the registry whether the browser speaks TLS.
    origin = sent.value.all_headers().get("origin")
    assert origin == BASE, f"the browser says that the form is from {origin}"
    expect(page).to_have_url(f"{BASE}/ui/profile")
    for address, status, heading in (
        ("/ui/nothing", 404, "No such page"), ("/ui/account/4", 404, "Not found"), ("/ui/issue", 403, None),
    ):
        response = page.goto(address)
        assert response.status == status, f"{address} is answered with {response.status}"
        expect(page.get_by_role("heading", level=1)).to_have_text(heading or re.compile("."))
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        visitor.examine()
    visitor.finish()


def test_keyboard(browser):
    """Everything that a page is for is reached without a mouse."""
    visitor = Visitor(browser)
    page = visitor.page
    page.goto("/ui")
    # The first field has the focus already.
    page.keyboard.type("producer@demo.granary.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")

    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search", exact=True)
    expect(search).to_be_focused()
    # In a field a key is a letter.
    page.keyboard.type("/?")
    expect(search).to_have_value("/?")
    search.fill("Nothing of this name")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    menu = page.locator("details.who")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Profile and API keys")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()

    page.keyboard.press("?")
    expect(page).to_have_url(f"{BASE}/ui/help")
    for address in ("/ui/profile", "/ui/readings", "/ui/account/1/whitelist", "/ui/account/1/certificates"):
        page.goto(address)
        tab_to(page, "main form input, main form select", address)
    # Rows are selected with Space, and more of them with Shift and the arrows.
    boxes = page.get_by_role("checkbox", name=re.compile("^Select bundle"))
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(boxes.nth(2)).to_be_focused()
    expect(page.locator("[data-selected]")).to_contain_text("3 bundles selected")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    expect(page.locator("[data-selected]")).to_contain_text("2 bundles selected")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Transfer…")).to_be_focused()
    # What is selected is never what something else was looked for.
    page.reload()
    expect(page.locator("[data-selected]")).to_contain_text("2 bundles selected")
    page.get_by_role("link", name="Yesterday").click()
    expect(page.locator("[data-selected]")).to_have_text("Nothing selected")
    visitor.finish()


def test_narrow(browser):
    """On a telephone no page is wider than its window: what is wide scrolls by itself."""
    visitor = Visitor(browser, "producer", viewport={"width": 390, "height": 800})
    places = ("", "/certificates", "/devices", "/whitelist", "/activity")
    page = visitor.page
    page.goto("/ui/account/1/certificates")
    expect(page.get_by_role("checkbox", name=re.compile("^Select bundle")).first).to_be_in_viewport()
    expect(page.get_by_label("Energy source")).to_be_hidden()
    expect(page.locator(".scroll.wide")).to_have_count(1)
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_label("Energy source")).to_be_visible()
    visitor.examine()
    narrow(visitor, ("/ui/accounts", "/ui/help", "/ui/certificate/1", "/ui/device/1", *(f"/ui/account/1{place}" for place in places)))
    storage = Visitor(browser, "issuer", viewport={"width": 390, "height": 800})
    found = link_to(storage.page, "/ui/devices", "Wobblestone Battery")
    narrow(storage, (
        f"{found}/storage", f"{found}/storage/charge", f"{found}/storage/discharge", "/ui/storage/scr/1", "/ui/storage/sdr/1",
    ))


def narrow(visitor, addresses):
    """Looks whether any of these pages is wider than its window."""
    page = visitor.page
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            visitor.faults.append(f"{address}: is wider than its window")
    visitor.finish()


def link_to(page, address, name):
    """Where a link of a page leads."""
    page.goto(address)
    return page.get_by_role("link", name=name, exact=True).first.get_attribute("href")


def tab_to(page, selector, address):
    """Presses Tab until the focus is on such an element. Whatever has it on the way must show it."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        outline, is_there = page.evaluate(
            """(selector) => {
              const focused = document.activeElement;
              return [getComputedStyle(focused).outlineStyle, focused.matches(selector)];
            }""",
            selector,
        )
        assert outline != "none", f"{address}: the focus is not seen on {page.evaluate('document.activeElement.outerHTML')}"
        if is_there:
            return
    raise AssertionError(f"{address}: {TABS_MAX} times Tab do not lead to {selector}")


def test_themes(browser):
    """A theme that is chosen is as dark as the system's own, and stays."""
    visitor = Visitor(browser, "auditor")
    page = visitor.page
    colours = "() => [...document.querySelectorAll('*')].map((e) => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor].join())"
    page.goto("/ui/accounts")
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colours)
    assert light != dark, "the system's dark theme changes nothing"
    for chosen, system, expected in (("dark", "light", dark), ("light", "dark", light)):
        page.emulate_media(color_scheme=system)
        page.get_by_label("Theme").select_option(chosen)
        expect(page.locator("html")).to_have_attribute("data-theme", chosen)
        page.goto("/ui/accounts")
        assert page.evaluate(colours) == expected, f"{chosen} is not {chosen} everywhere on a system that is {system}"
    visitor.finish()


def test_local_times(browser):
    """Times are UTC, with the visitor's own beside them."""
    visitor = Visitor(browser, "producer")
    page = visitor.page
    page.goto("/ui/activity")
    expect(page.locator("main time").first).to_have_attribute("title", re.compile(r" UTC, .* (CET|CEST|GMT[+][12])$"))
    page.locator("main table a[href^='/ui/action/']").first.click()
    expect(page.locator("main small.local").first).to_have_text(re.compile(r"CET|CEST|GMT[+][12]"))
    visitor.finish()


def test_without_scripts(browser):
    """Pages are pages where scripts do not run, and forms are forms."""
    visitor = Visitor(browser, "producer", java_script_enabled=False)
    page = visitor.page
    for address in ("/ui/accounts", "/ui/account/1", "/ui/account/1/certificates", "/ui/account/1/devices", "/ui/help"):
        assert page.goto(address).status == 200, address
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.get_by_label("Theme").select_option("dark")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    page.goto("/ui/account/1/certificates")
    boxes = page.get_by_role("checkbox", name=re.compile("^Select bundle"))
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Transfer…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transfer certificates")
    expect(page.locator("dl.figures")).to_contain_text("2 bundles")
    send_to(page, "Marrowfield Trading")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Transfer .* Wh\?$|^Transfer .*\?$"))
    page.get_by_role("link", name="Do nothing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Certificates of Puddlewick Wind")

    page.locator("details.who summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/ui/accounts")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    visitor.finish()


def test_administration(browser):
    """An administrator makes a user by choosing from names, is told so, and changes them by one form; who only submits
    readings then sees devices and what became of their readings, and nothing else of accounts."""
    admin = Visitor(browser, "admin")
    page = admin.page
    page.goto("/ui/admin")
    expect(page.locator("main")).to_contain_text("All is well.")
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("link", name="Create a user").click()
    page.get_by_label("Name", exact=True).fill("Mia Meter")
    page.get_by_label("Signs in as").fill("admin@demo.granary.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("Roles: Choose at least one")
    admin.examine()
    page.get_by_role("checkbox", name="Auditor").check()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("Signs in as is already used")
    page.get_by_label("Signs in as").fill("meter@demo.granary.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mia Meter")
    expect(page.get_by_role("status")).to_contain_text("Created.")
    admin.examine()
    page.get_by_role("checkbox", name="Auditor").uncheck()
    page.get_by_role("checkbox", name="Measurement Body").check()
    page.get_by_label("Organisation").fill("Meters Ltd")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_role("checkbox", name="Measurement Body")).to_be_checked()
    expect(page.get_by_label("Organisation")).to_have_value("Meters Ltd")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    admin.finish()

    meter = Visitor(browser, "meter")
    page = meter.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    meter.examine()
    page.get_by_role("link", name=re.compile("^Gannet Shoal")).click()
    expect(page.get_by_label("File of readings")).to_be_visible()
    expect(page.locator("#calendar table")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Certificates"))).to_have_count(0)
    meter.examine()
    page.get_by_role("link", name="Readings", exact=True).last.click()
    page.locator("main tbody th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Reading")
    meter.examine()
    for closed in ("/ui/account/1", "/ui/account/1/certificates", "/ui/account/1/whitelist", "/ui/certificate/1"):
        assert page.goto(closed).status == 404, closed
    meter.finish()


def test_standing_order(browser):
    """An order is placed, looked at, paused, resumed and ended; its pages are examined with what stands on them."""
    visitor = Visitor(browser, "producer")
    page = visitor.page
    page.goto("/ui/account/1")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Standing orders").click()
    page.get_by_role("link", name="Order transfers").click()
    send_to(page, "Marrowfield Trading")
    day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=2)
    page.get_by_label("First due").fill(f"{day}T06:00Z")
    page.get_by_label("Percent").fill("much")
    expect(page.get_by_label("A share of each bundle that matches")).to_be_checked()
    page.get_by_label("Only of the device").select_option(label="Gannet Shoal Offshore Wind Farm")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Percent")).to_have_attribute("aria-invalid", "true")
    visitor.examine()
    page.get_by_label("Percent").fill("12.5")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order transfers to Marrowfield Trading (Marrowfield Supply)?")
    expect(page.get_by_role("main")).to_contain_text("As things stand, the first run would transfer")
    visitor.examine()
    page.get_by_role("button", name="Order transfers").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Transfer to Marrowfield Trading active$"))
    expect(page.get_by_role("heading", name="Next runs")).to_be_visible()
    visitor.examine()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    visitor.examine()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("active")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="End").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ended")
    page.get_by_role("link", name="All standing orders").click()
    expect(page.locator("main table")).to_contain_text("Marrowfield Trading")
    visitor.examine()
    visitor.finish()


def test_storage(browser):
    """The last day of the demonstration's battery is recorded and certified by hand; its pages are examined on the way."""
    visitor = Visitor(browser, "issuer")
    page = visitor.page
    page.goto(link_to(page, "/ui/devices", "Wobblestone Battery"))
    page.get_by_role("link", name="Storage", exact=True).last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Storage of Wobblestone Battery")
    expect(page.locator("div[data-plot=level] canvas")).to_be_visible()
    expect(page.locator("div[data-plot=factor] canvas")).to_be_visible()
    storage = page.url
    # The certificates of the first charge of the day are there.
    page.get_by_role("link", name=re.compile("^Record the charge")).last.click()
    page.get_by_label("Charged, in Wh").fill("much")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Charged, in Wh")).to_have_attribute("aria-invalid", "true")
    visitor.examine()
    page.goto(storage)
    page.get_by_role("link", name=re.compile("^Record the charge")).first.click()
    page.get_by_role("link", name=re.compile("^Back it with these")).first.click()
    expect(page.get_by_label("Issuance of the certificates")).to_have_value(re.compile(r"^\d+-electricity-"))
    visitor.examine()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Record a charge of [\d,]+ Wh\?$"))
    visitor.examine()
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Charge record \d+$"))
    visitor.examine()
    page.goto(storage)
    page.get_by_role("link", name=re.compile("^Record the discharge")).first.click()
    visitor.examine()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="What it draws")).to_be_visible()
    visitor.examine()
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Discharge record \d+$"))
    page.get_by_role("button", name="Issue certificates…").click()
    expect(page.get_by_role("heading", name="What it issues")).to_be_visible()
    visitor.examine()
    page.get_by_role("button", name="Issue certificates").click()
    page.get_by_role("region", name="Certificates issued on it").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Back through storage")).to_be_visible()
    visitor.examine()
    # And from what was cancelled on again, to the same certificates.
    certified = page.url
    page.locator("ol.chain a[href^='/ui/certificate/']").click()
    expect(page.get_by_role("heading", name="On through storage")).to_be_visible()
    visitor.examine()
    page.locator(f"ol.chain a[href='{urlsplit(certified).path}']").click()
    expect(page).to_have_url(certified)
    page.goto(storage)
    expect(page.get_by_role("heading", name="Where every watt-hour is")).to_be_visible()
    visitor.examine()
    visitor.finish()


def test_main_job(browser):
    """From a file of readings to the receipt of a cancellation, each step by who does it."""
    # Before what the demonstration has filled, so that nothing of it is there yet.
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=45)
    readings = SCRATCH / "readings.csv"
    lines = ["device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator"]
    lines += [f"1,{day}T{hour:02}:00:00Z,{day}T{hour + 1:02}:00:00Z,1000000,NET" for hour in range(3)]
    readings.write_text("\n".join(lines), encoding="utf-8")

    issuer = Visitor(browser, "issuer")
    page = issuer.page
    page.get_by_role("link", name="Readings", exact=True).click()
    page.get_by_label("File of readings").set_input_files(readings)
    page.get_by_role("button", name="Send readings").click()
    expect(page.locator("main dl.figures div").first).to_have_text(re.compile(r"Accepted\s*3"))
    expect(page.get_by_role("row", name="1 3,000,000 Wh")).to_be_visible()
    issuer.examine()
    page.get_by_role("link", name="Issue", exact=True).click()
    for field in ("First day (UTC)", "Last day (UTC)"):
        page.get_by_label(field).fill(day.isoformat())
    page.get_by_label("1: Gannet Shoal").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="This would be issued")).to_be_visible()
    expect(page.locator("section dl.figures")).to_contain_text("3 MWh")
    issuer.examine()
    page.get_by_role("button", name="Issue", exact=True).click()
    expect(page).to_have_url(re.compile(r"/ui/job/\d+$"))
    # The page looks itself whether the job is done.
    expect(page.locator("#job dl.figures")).to_contain_text("3 MWh")
    expect(page.locator("#job table a[href^='/ui/certificate/']")).to_have_count(3)
    issuer.examine()
    issuer.finish()

    producer = Visitor(browser, "producer")
    page = producer.page
    page.get_by_role("link", name="Puddlewick Wind", exact=True).click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Certificates").click()
    choose_day(page, day)
    expect(page.locator("p.sum")).to_contain_text("3 bundles, 3 MWh (3,000,000 Wh)")
    page.get_by_role("checkbox", name=re.compile("^Select bundle")).first.check()
    expect(page.locator("[data-selected]")).to_have_text("1 bundle selected: 1 MWh (1,000,000 Wh)")
    page.get_by_role("button", name="Select all", exact=True).click()
    expect(page.locator("[data-selected]")).to_have_text("3 bundles selected: 3 MWh (3,000,000 Wh)")
    page.get_by_role("button", name="Transfer…").click()
    send_to(page, "Marrowfield Trading")
    page.get_by_label("Percent").fill("30")
    expect(page.get_by_role("radio", name="Another share of each bundle")).to_be_checked()
    page.get_by_role("radio", name="Half of each bundle").check()
    expect(page.get_by_label("Percent")).to_have_value("")
    producer.examine()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transfer 1.5 MWh?")
    producer.examine()
    page.go_back()
    expect(page.get_by_role("radio", name="Half of each bundle")).to_be_checked()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Transfer 1.5 MWh").click()
    expect(page).to_have_url(re.compile(r"/ui/action/\d+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Transferred 1.5 MWh")
    page.get_by_role("link", name="To the certificates").click()
    choose_day(page, day)
    expect(page.locator("[data-selected]")).to_have_text("Nothing selected")
    page.get_by_label("State").select_option("Active")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("p.sum")).to_contain_text("3 bundles, 1.5 MWh (1,500,000 Wh)")
    producer.finish()

    supplier = Visitor(browser, "supplier")
    page = supplier.page
    # Who received something is told at once, and led to what can be done with it.
    page.get_by_role("link", name="Marrowfield Trading", exact=True).click()
    page.get_by_role("link", name="What it is, and what can be done with it").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transferred 1.5 MWh")
    supplier.examine()
    page.get_by_role("button", name="Cancel for a beneficiary…").click()
    expect(page.locator("dl.figures")).to_contain_text("3 bundles")
    page.get_by_label("Name of the beneficiary").fill("Bakery <b>of the corner</b>")
    page.get_by_label("Purpose").fill("Disclosure")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    page.get_by_role("button", name="Cancel 1.5 MWh").click()
    expect(page).to_have_url(re.compile(r"/ui/action/\d+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled 1.5 MWh")
    expect(page.get_by_text("Bakery <b>of the corner</b>", exact=True)).to_be_visible()
    supplier.examine()
    page.get_by_role("searchbox", name="Search", exact=True).fill("bakery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled 1.5 MWh")
    # A receipt can be loaded again, and does nothing again.
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled 1.5 MWh")
    page.locator("main table a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Transfer…")).to_have_count(0)
    supplier.examine()
    supplier.finish()


def send_to(page, name):
    """Chooses the account of a name, which is told with whose it is."""
    field = page.get_by_label("To which account")
    option = field.locator("option", has_text=re.compile(rf"^{name} \("))
    field.select_option(option.get_attribute("value"))


def choose_day(page, day):
    page.get_by_label("From (UTC)").fill(day.isoformat())
    page.get_by_label("To, included").fill(day.isoformat())
    page.get_by_role("button", name="Show", exact=True).click()


def run(browser, test):
    """Runs a test; whether it passed."""
    name = test.__name__.removeprefix("test_")
    began = time.monotonic()
    print(f"-- {name.replace('_', ' ')}: {test.__doc__}", flush=True)
    try:
        test(browser)
    except (AssertionError, Error) as failure:
        # Without the page as a text, which may be long: a picture of it is kept.
        print(f"   FAILED: {str(failure).partition('Aria snapshot')[0]}")
        for number, page in enumerate(page for context in browser.contexts for page in context.pages):
            KEPT.mkdir(parents=True, exist_ok=True)
            kept = KEPT / f"{name}-{number}.png"
            page.screenshot(path=kept, full_page=True)
            print(f"   {page.url} looked like {kept}")
        return False
    finally:
        for context in browser.contexts:
            context.close()
    print(f"   passed in {time.monotonic() - began:.1f} s")
    return True


def chromium():
    """The browser: what CHROMIUM names, or the system's."""
    named = os.environ.get("CHROMIUM")
    found = [path for name in ((named,) if named else ("chromium", "chromium-browser", "google-chrome")) if (path := shutil.which(name))]
    if not found:
        raise SystemExit(f"browser: there is no {named or 'chromium'} here")
    return found[0]


def main():
    tests = {name.removeprefix("test_"): test for name, test in globals().items() if name.startswith("test_")}
    chosen = [tests[name] for name in sys.argv[1:]] or list(tests.values())
    shutil.rmtree(KEPT, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        passed = [run(browser, test) for test in chosen]
        browser.close()
    print(f"browser: {sum(passed)} tests passed, {len(passed) - sum(passed)} failed")
    if not all(passed):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
