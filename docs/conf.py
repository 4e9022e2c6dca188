"""Settings of the documentation: three sites, one per language. `docs/build.py` builds them all."""

import sys
from pathlib import Path

import payme

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "payme-uz"
author = "payme-uz"
release = payme.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "tables",
    "sites",
]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Docstrings write code in single backquotes.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# As fields, attributes would be described twice: there, and where autodoc finds them.
napoleon_use_ivar = True

# What a reader copies is what is typed: no prompt, and not the output below it.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

html_theme = "furo"
html_static_path = [str(HERE / "_static")]
html_css_files = ["payme.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
# The search knows every entry; a page of them in alphabetical order is read by nobody.
html_use_index = False
templates_path = [str(HERE / "_templates")]
locale_dirs = [str(HERE / "_locale")]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
