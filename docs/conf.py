"""Settings of the documentation: `make docs`."""

import sys
from pathlib import Path

import payme

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "payme-uz"
author = "payme-uz"
release = payme.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "tables"]
exclude_patterns = ["_build", "_ext"]

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# Docstrings write code in single backquotes.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# As fields, attributes would be described twice: there, and where autodoc finds them.
napoleon_use_ivar = True

html_theme = "furo"
html_title = "payme"
html_static_path = ["_static"]
html_css_files = ["payme.css"]
html_show_sphinx = False
html_copy_source = False
