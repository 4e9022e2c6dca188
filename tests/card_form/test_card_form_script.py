"""The script that is served: what it is made of, what it weighs, and how it is answered."""

import base64
import hashlib
import re
import subprocess
import sys
from string import Formatter

import pytest

from payme import card_form
from payme.card_form import module, packing
from payme.errors.card_form import ERRORS, LABELS, NOSCRIPT, RULES, said
from payme.errors.catalogue import ENTRIES, lookup

SCRIPT = module.script().decode()

# The table of the specification: what each key stands for.
SPECIFIED = {
    "card_unknown": {-31300, -32602},
    "card_expired": {-31301},
    "card_blocked": {-31301},
    "sms_off": {-31301, -31304},
    "card_unsupported": {-31900, -31901, -31101, -31102, -31300},
    "card_bound": {-31151},
    "sms_failed": {-31110},
    "code_wrong": {-31103, -31200, -32602},
    "code_old": {-31101, -31201},
    "code_attempts": {-31102},
    "token_gone": {-31400, -32500},
    "payme_busy": {-31001, -31002, -31100, -32400},
    "shop_setup": {-32504},
}


def test_the_file_is_what_source_and_catalogue_give() -> None:
    pytest.importorskip("rjsmin", reason="needs rjsmin: pip install rjsmin")
    assert packing.packaged() == SCRIPT, "run: python -m payme.card_form"


def test_the_file_is_small() -> None:
    assert len(module.script()) <= 20 * 1024
    brotli = pytest.importorskip("brotli", reason="needs brotli: pip install brotli")
    assert len(brotli.compress(module.script(), quality=11)) <= 7.1 * 1024


def test_the_script_needs_nothing_and_builds_no_markup_from_text() -> None:
    for word in ("import ", "require(", "innerHTML", "eval(", "document.write", "localStorage"):
        assert word not in SCRIPT
    assert set(re.findall(r"https?://[\w./]+", SCRIPT)) == {
        *module.ENDPOINTS.values(),
        module.LOGO,
        module.OFFER,
    }


def test_every_key_has_the_codes_of_the_specification() -> None:
    found: dict[str, set[int]] = {}
    for rule in RULES:
        found.setdefault(rule.key, set()).add(rule.code)
    assert found == SPECIFIED
    assert set(ERRORS) == {
        *SPECIFIED,
        *("number_incomplete", "number_suspect"),
        *("expiry_incomplete", "expiry_month", "expiry_past", "code_incomplete"),
        *("offline", "unreachable", "timeout", "bad_answer", "unknown"),
        *("not_verified", "not_saved"),
    }
    assert not set(ERRORS) & set(LABELS)


def test_a_sentence_of_the_catalogue_is_taken_from_there() -> None:
    for key, (code, method, message) in {
        "card_unknown": (-31300, "", ""),
        "card_blocked": (-31301, "", "Карта заблокирована"),
        "sms_off": (-31301, "", ""),
        "code_attempts": (-31102, "cards.verify", ""),
        "token_gone": (-32500, "", ""),
    }.items():
        entry = lookup(code, method, message)
        assert entry is not None
        assert ERRORS[key].text is entry.text


def test_the_rules_are_the_catalogue_s() -> None:
    known = {entry.code for entry in ENTRIES}
    assert {rule.code for rule in RULES} <= known
    patterns = {entry.message.removeprefix("(?i)") for entry in ENTRIES}
    assert {rule.message for rule in RULES} <= patterns
    # A row of the script is divided at these.
    assert not any(set(rule.message) & set(" \n`") for rule in RULES)


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_every_text_is_there_and_whole(language: str) -> None:
    for key in ERRORS:
        text = said(key, language)  # type: ignore[arg-type]
        assert text.replace("{length}", "6").strip() == text.replace("{length}", "6")
        assert {name for _, name, _, _ in Formatter().parse(text)} <= {None, "length"}
    for text in (*LABELS.values(), *(error.text for error in ERRORS.values()), NOSCRIPT):
        written = getattr(text, language)
        assert written
        assert not set(written) & set("|`\n\\"), written
        # Uzbek letters are the right ones.
        assert language == "en" or not re.findall(r"\w['’‘`´]\w", written)


def test_the_hash_and_the_version_are_those_of_the_file() -> None:
    digest = hashlib.sha384(card_form.FILE.read_bytes()).digest()
    assert card_form.integrity() == f"sha384-{base64.b64encode(digest).decode()}"
    assert digest.hex().startswith(card_form.version())


def test_what_is_asked_for_by_its_version_is_kept_for_ever() -> None:
    served = module.serve(card_form.version())
    assert (served.status, served.body) == (200, module.script())
    assert "immutable" in served.headers["Cache-Control"]
    assert served.headers["Content-Type"] == "text/javascript; charset=utf-8"
    for other in (None, "", "0" * 12):
        assert module.serve(other).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("known", "status"),
    [('"{}"', 304), ('W/"{}"', 304), ('"x", W/"{}"', 304), ('"x"', 200), ("*x", 200), ("", 200)],
)
def test_what_is_known_is_not_sent_again(known: str, status: int) -> None:
    served = module.serve(None, known.format(card_form.version()))
    assert served.status == status
    assert bool(served.body) is (status == 200)
    assert card_form.version() in served.headers["ETag"]


def test_importing_it_loads_no_framework() -> None:
    code = (
        "import sys, payme.card_form, payme.card_form.asgi;"
        "print(sorted({'django', 'flask', 'fastapi', 'starlette', 'rjsmin', 'jinja2'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
