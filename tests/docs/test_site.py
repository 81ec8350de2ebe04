"""The built site has every public name, its links lead somewhere, and it asks no other host."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import browser as browser
from tests.test_docstrings import FOLDERS, NAMES

pytest.importorskip("sphinx", reason="make docs installs it")
from sphinx.util.inventory import InventoryFile

SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"

pytestmark = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs builds it")

PAGES = sorted(page.relative_to(SITE) for page in SITE.rglob("*.html"))
OWN = [page for page in PAGES if page.parts[0] not in ("_static", "asv", "reports")]
LINK = re.compile(r'<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]+)"')


def test_every_public_name_has_a_place_in_the_reference():
    inventory = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    places = {name for kind in inventory.data.values() for name in kind}
    assert {f"diffbio.{folder}" for folder in FOLDERS} <= places
    assert not {f"diffbio.{folder}.{name}" for folder, name in NAMES} - places


def test_the_reference_of_pytorch_is_made_without_pytorch():
    lines = (
        "from sphinx.ext.autodoc.mock import mock",
        "with mock(['torch']):",
        "    import diffbio.torch",
        "assert diffbio.torch.combined_loss.__doc__",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=SITE.parents[2], check=True)


def anchors(page):
    return set(re.findall(r'\bid="([^"]+)"', page.read_text()))


@pytest.mark.parametrize("page", OWN, ids=str)
def test_every_link_within_the_site_leads_somewhere(page):
    here = SITE / page
    for link in LINK.findall(here.read_text()):
        parts = urlsplit(link.replace("&amp;", "&"))
        if parts.scheme or parts.netloc:
            continue
        target = here if not parts.path else (here.parent / unquote(parts.path)).resolve()
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), link
        if parts.fragment and target.suffix == ".html" and target.is_relative_to(SITE):
            assert unquote(parts.fragment) in anchors(target) | {""}, link


@pytest.mark.parametrize("width", [400, 1600])
def test_a_browser_asks_no_other_host_and_no_page_is_wider_than_the_window(browser, width):
    page = browser.new_page(viewport={"width": width, "height": 1000})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for own in OWN:
        page.goto((SITE / own).as_uri(), wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, own
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
