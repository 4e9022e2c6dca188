"""Remarks on calls in the language of a page; the engine writes them in English, as its log does.

Who reads a page is not known when a remark is written: it is kept once, and said in the language of
each visitor. What is not in the table, such as the text of a database, stays as it is.
"""

import re
from collections.abc import Callable
from typing import Final

_PASSED: Final = "let pass, as Payme does; a strict sandbox refuses it"

REMARKS: Final = (
    f"unknown param {{name}}: {_PASSED}",
    f"null param {{name}}: {_PASSED}",
    f"missing param {{name}}: {_PASSED}",
    "the call has no access header: Payme reads X-Auth",
    "the header holds id:key in plain text, without a word before it and without Base64",
    "the id in the header is right, the key after the colon is not",
    "the header holds the id alone, and this method needs id:key",
    "the header has spaces or quotation marks around the id",
    "the header is Base64: Payme takes id:key in plain text",
    "the id in the header is of no cash-box here: this sandbox has {name}",
    "the sandbox's database failed: {name}",
    "{name} in the sandbox: please report it",
)
"""What the engine writes; `{name}` is filled in."""


def _pattern(remark: str) -> re.Pattern[str]:
    return re.compile(re.escape(remark).replace(re.escape("{name}"), "(?P<name>.+)"), re.DOTALL)


_PATTERNS: Final = [(remark, _pattern(remark)) for remark in REMARKS]


def in_words(remark: str, say: Callable[[str], str]) -> str:
    """Say a remark in the language of a page.

    Args:
        remark: As the engine wrote it, with secrets masked.
        say: Says an English text in that language.
    """
    for known, pattern in _PATTERNS:
        if found := pattern.fullmatch(remark):
            return say(known).format(**found.groupdict())
    return remark
