"""How the script that is served is made: `python -m payme.card_form`.

The source `card-form.js` is written by hand. Into it go the catalogue's texts and Payme's
addresses; comments and spaces are left out. The result is kept in the repository, and a test sees
that it is what source and catalogue give: whoever installs the package builds nothing.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from payme.card_form.module import ENDPOINTS, LOGO, NAME, OFFER
from payme.errors.card_form import ERRORS, LABELS, RULES, FormError

SOURCE: Final = Path(__file__).parent / NAME
"""The script as it is written by hand."""

_MARK: Final = re.compile(r"^// <generated>.*$", re.MULTILINE)


def packaged() -> str:
    """Make the script that is served from its source and the catalogue.

    Returns:
        The script.
    """
    # A tool of the repository; whoever installs the package has the file that it made.
    jsmin: Any = import_module("rjsmin").jsmin
    source = SOURCE.read_text(encoding="utf-8")
    return f"{jsmin(_MARK.sub(lambda _: _generated(), source))}\n"


def _generated() -> str:
    """Write what the catalogue says: a line of keys, and a line of texts for each language.

    Beside a key stand the field of an error, and the codes that always mean it.
    """
    conditional = [rule for rule in RULES if rule.method or rule.message]
    names = [_name(error) for error in ERRORS.values()]
    texts = [*(error.text for error in ERRORS.values()), *LABELS.values()]
    lines = [[*names, *LABELS], *zip(*texts, strict=True)]
    table = "\n".join("|".join(line) for line in lines)
    rules = "\n".join(
        f"{rule.key} {rule.code} {rule.method or rule.message}" for rule in conditional
    )
    return f"""const API = {{ live: "{ENDPOINTS["live"]}", test: "{ENDPOINTS["test"]}" }};
const LOGO = "{LOGO}";
const OFFER = "{OFFER}";
const LANGUAGES = ["uz", "ru", "en"];
const TABLE = `{table}`;
const RULES = `{rules}`;"""


def _name(error: FormError) -> str:
    codes = [
        str(rule.code)
        for rule in RULES
        if rule.key == error.key and not rule.method and not rule.message
    ]
    field = [error.field] if codes or error.field != "form" else []
    return " ".join([error.key, *field, *codes])
