"""How Sphinx builds the site. It needs no network, and neither do the pages that it makes."""

from importlib.metadata import version as version_of
from importlib.util import find_spec
from typing import Any

project = "diffbio"
author = copyright = "the diffbio developers"
release = version = version_of("diffbio")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
]
nitpicky = True
# Types of other packages, whose documentation is elsewhere.
nitpick_ignore_regex = [
    ("py:class", r"(collections|flax|jax|jaxlib|jaxtyping|numpy|pandas|torch)\..*|ndarray|'.*'")
]
exclude_patterns = ["_build"]

# Tutorials keep their outputs; `make tutorials` executes them again.
nb_execution_mode = "off"
myst_enable_extensions = ["amsmath", "attrs_block", "dollarmath"]
myst_heading_anchors = 3

# The reference of diffbio.torch is made without PyTorch, too.
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]
# Docstrings name shapes and units; annotations would repeat them.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_custom_sections = [("Gradient", "notes_style")]
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "sphinx_book_theme"
html_title = "diffbio"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    # The sidebar has the search.
    "navbar_persistent": [],
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
# Reports are whole pages of their own, which stand beside the site's.
html_extra_path = ["_build/beside"]


def without_fields(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples, of which Python has nothing to say but their number."""
    return True if type(member).__name__ == "_tuplegetter" else None


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", without_fields)
