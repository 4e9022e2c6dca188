"""The documentation: the same in each language, complete where it is generated, no dead link."""

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from payme.charges.core import COMMANDS, NEXT, RESTS, ChargeState
from payme.conformance.report import severity
from payme.conformance.rules import RULES
from payme.errors import REJECTIONS
from payme.errors.catalogue import ENTRIES, RECEIPT_CANCELLED, RECEIPT_NOT_FOUND
from payme.merchant.core import TransactionState
from payme.protocol.calls import METHODS, Effect
from payme.protocol.states import TRANSITIONS, ReceiptState
from payme.recurring import Notice, SubscriptionState
from payme.sandbox.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

sys.path.insert(0, str(DOCS / "_ext"))
import render as RENDER  # noqa: E402, N812
import render_card_form as CARD_FORM  # noqa: E402, N812
import render_charges as CHARGES  # noqa: E402, N812
import render_merchant as MERCHANT  # noqa: E402, N812
import render_sandbox as SANDBOX  # noqa: E402, N812
from render_causes import CAUSES  # noqa: E402

sys.path.remove(str(DOCS / "_ext"))

LANGUAGES = ("en", "uz", "ru")
MOVES_MONEY, CREATES = Effect.MOVES_MONEY, Effect.CREATES


def pages_of(language: str) -> list[str]:
    folder = DOCS / language
    return sorted(page.relative_to(folder).as_posix() for page in folder.rglob("*.md"))


PAGES = pages_of("en")
EVERY = [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
READMES = [ROOT / "README.md", ROOT / "README.uz.md", ROOT / "README.ru.md"]

FENCE = re.compile(r"^(`{3,})(.*?)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# What a reader may copy. Diagrams and trees hold words, which are translated.
COPIED = ("python", "python file", "console", "sh", "js", "json", "toml")


def read(*parts: str) -> str:
    return DOCS.joinpath(*parts).read_text(encoding="utf-8")


def code(text: str) -> list[tuple[str, str]]:
    return [
        (kind, re.sub(r"\s*#.*", "", block))
        for _, kind, block in FENCE.findall(text)
        if kind in COPIED
    ]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_language_has_the_same_pages():
    assert len(PAGES) >= 30
    for language in LANGUAGES:
        assert pages_of(language) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_the_same_code_in_every_language(name):
    english = code(read("en", name))
    assert code(read("uz", name)) == english
    assert code(read("ru", name)) == english


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_the_same_outline_in_every_language(name):
    def outline(language):
        text = FENCE.sub("", read(language, name))
        return [line.partition(" ")[0] for line in text.splitlines() if line.startswith("#")]

    assert outline("uz") == outline("ru") == outline("en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_to_the_other_languages(language, name):
    others = [other for other in LANGUAGES if other != language]
    up = "../" * (name.count("/") + 1)
    assert all(f"]({up}{other}/{name})" in read(language, name) for other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_generated_parts_are_in_the_language_of_their_page(language):
    asked = [
        (page.name, kind.split())
        for page in (DOCS / language).rglob("*.md")
        for _, kind, _ in FENCE.findall(page.read_text(encoding="utf-8"))
        if kind.startswith("{payme-")
    ]
    assert {kind[0] for _, kind in asked} == {
        "{payme-errors}",
        "{payme-states}",
        "{payme-diagram}",
        "{payme-methods}",
        "{payme-proofs}",
        "{payme-scenarios}",
        "{payme-transactions}",
        "{payme-lifecycle}",
        "{payme-refusals}",
        "{payme-rules}",
        "{payme-charges}",
        "{payme-charge-states}",
        "{payme-card-form}",
        "{payme-payments}",
    }
    assert all(kind[1:] == [language] for _, kind in asked)


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_readmes_lead_to_the_documentation(readme):
    links = LINK.findall(readme.read_text(encoding="utf-8"))
    inside = [link for link in links if link.startswith(("docs/", "README"))]
    assert len(inside) >= 3
    assert all((ROOT / link).exists() for link in inside)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_errors_has_every_code_class_and_text(language):
    rows = RENDER.errors(language).splitlines()[2:]
    read_first = (RECEIPT_CANCELLED, RECEIPT_NOT_FOUND)
    assert len(rows) == len(ENTRIES) + len(read_first) + 1  # the range of the merchant's own codes
    table = "\n".join(rows)
    for entry in (*ENTRIES, *read_first):
        assert f"| `{entry.code}`" in table
        assert f"`~payme.errors.{entry.kind}`" in table
        assert entry.kind in REJECTIONS
        assert all(text in table for text in entry.text)
        assert getattr(entry.remedy, language) in table
    assert "`-31050` … `-31099`" in table


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_errors_gives_every_code_a_cause(language):
    """No two codes of the protocol share one, as they share a sentence for the payer."""
    rows = [row.strip("| ").split(" | ") for row in RENDER.errors(language).splitlines()[2:]]
    assert all(len(row) == 5 and row[1] for row in rows)
    protocol = [row[1] for row in rows if re.match(r"`-32\d+`", row[0])]
    assert len({*protocol}) == len(protocol) == 8
    assert {entry.code for entry in ENTRIES} >= {*CAUSES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_of_one_code_say_when_each_applies(language):
    first_cells = [row.split(" | ")[0] for row in RENDER.errors(language).splitlines()[2:]]
    conditions = [cell.partition("<br>{py:exc}")[0] for cell in first_cells]
    assert len(set(conditions)) == len(conditions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_errors_says_which_codes_prove_nothing(language):
    rows = [row.strip("| ").split(" | ")[0] for row in RENDER.errors(language).splitlines()[2:]]
    told = {}
    for row in rows:
        if "OutcomeUnknown" in row:
            code, _, where = row.split("<br>")
            told[int(code.strip("`"))] = where.partition("{py:exc}")[0]
    money, changes = (RENDER._UNKNOWN[language][effect] for effect in (MOVES_MONEY, CREATES))
    assert told == {
        **dict.fromkeys((-31001, -31002, -31100, -31620, -31624), money.format("")),
        -32400: changes.format(""),
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_already_paid_is_told_as_what_only_call_raises(language):
    rows = [row for row in RENDER.errors(language).splitlines() if "AlreadyPaid" in row]
    assert len(rows) == 2
    assert all("`Payme.call`" in row for row in rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_proofs_ends_with_giving_up(language):
    rows = [row.strip("| ").split(" | ") for row in RENDER.proofs(language).splitlines()[2:]]
    assert [re.findall(r"\d+", states) for _, states in rows] == [
        ["4", "5", "50"],
        ["4", "50"],
        ["50"],
        ["50"],
    ]


TABLES = [
    RENDER.errors,
    RENDER.states,
    RENDER.methods,
    RENDER.proofs,
    RENDER.scenarios,
    MERCHANT.transactions,
    MERCHANT.refusals,
    MERCHANT.rules,
    CHARGES.charges,
    SANDBOX.payments,
    CARD_FORM.card_errors,
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_generated_tables_are_whole(part, language):
    rows = part(language).splitlines()
    assert all(row.count(" | ") == after.count(" | ") for row, after in pairwise(rows))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_states_says_what_may_follow(language):
    rows = [row.strip("| ").split(" | ") for row in RENDER.states(language).splitlines()[2:]]
    told = {int(number): (name, follow) for number, name, _, follow in rows}
    assert set(told) == set(TRANSITIONS) == set(ReceiptState)
    for state, after in TRANSITIONS.items():
        name, follow = told[state]
        assert name == f"`{state.name}`"
        assert {int(number) for number in re.findall(r"\d+", follow)} == after


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drawing_has_every_state_and_arrow(language):
    svg = RENDER.diagram(language)
    drawn = re.findall(r'data-from="(\d+)" data-to="(\d+)"', svg)
    assert sorted((int(before), int(after)) for before, after in drawn) == sorted(
        (int(before), int(after)) for before, follow in TRANSITIONS.items() for after in follow
    )
    assert all(f">{state.name}</text>" in svg for state in TRANSITIONS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_methods_has_every_method(language):
    table = RENDER.methods(language)
    for name, method in METHODS.items():
        assert f"| `{name}` | `{method.credential.value}` |" in table


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_charges_has_every_state_and_what_follows(language):
    rows = [row.strip("| ").split(" | ") for row in CHARGES.charges(language).splitlines()[2:]]
    told = {row[0].strip("`"): row for row in rows}
    assert set(told) == set(ChargeState)
    assert len({row[1] for row in rows}) == len(rows)
    for (before, _), after in NEXT.items():
        assert f"`{after}`" in told[before][2] or after is before
    for word, state in COMMANDS:
        assert f"`{word}`" in told[state][3]
    under_way = {row[4] for state, row in told.items() if state not in RESTS}
    assert len(under_way) == 1
    assert not under_way & {row[4] for state, row in told.items() if state in RESTS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drawing_of_charges_has_every_state_and_step(language):
    svg = CHARGES.drawing(language)
    drawn = re.findall(r'data-from="(\w+)" data-to="(\w+)" data-look="(\w+)"', svg)
    facts = {(before, after) for before, after, look in drawn if look == "way"}
    asked = {(before, after) for before, after, look in drawn if look == "stop"}
    by_facts = {(before, after) for (before, _), after in NEXT.items() if before != after}
    assert facts == by_facts | {("open", "paying")}
    assert asked == {(one, after) for (_, one), after in COMMANDS.items() if one != after} - facts
    assert all(f">{state}</text>" in svg for state in ChargeState)


SAME, REPORT, LATE = "the same answer", "state and times", "`-31008`, → `-1` `released`"
KEPT = "→ `-2` `cancelled`; `-31007` unless `refundable`"


def test_the_table_of_transactions_says_what_the_code_does():
    """The rows are Payme's own condition matrix."""
    _, _, *rows = MERCHANT.transactions("en").splitlines()
    assert [row.strip("| ").split(" | ") for row in rows] == [
        ["none", "→ `1` `created`", "`-31003`", "`-31003`", "`-31003`"],
        ["`1` waits", SAME, "→ `2` `paid`", "→ `-1` `released`", REPORT],
        ["`1` waits for more than 12 hours", LATE, LATE, "→ `-1` `released`", REPORT],
        ["`2` paid", "`-31008`", SAME, KEPT, REPORT],
        ["`-1` cancelled", "`-31008`", "`-31008`", SAME, REPORT],
        ["`-2` refunded", "`-31008`", "`-31008`", SAME, REPORT],
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drawing_of_a_transaction_has_every_state_and_change(language):
    svg = MERCHANT.lifecycle(language)
    drawn = re.findall(r'data-from="(-?\d)" data-to="(-?\d)"', svg)
    assert set(drawn) == {("0", "1"), ("1", "2"), ("1", "-1"), ("2", "-2")}
    assert len(drawn) == 4
    assert all(f">{state.name}</text>" in svg for state in TransactionState)
    told = re.findall(r'fill="currentColor">([^<]+)</text>', svg)
    methods = ["CancelTransaction", "CancelTransaction", "CreateTransaction", "PerformTransaction"]
    assert sorted(told) == sorted([*methods, MERCHANT._TIMEOUT[language]])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_second_transaction_is_refused_as_payme_demands(language):
    codes = re.findall(r"`(-\d+)` \| `(-\d+)`", MERCHANT.refusals(language))
    assert codes == [
        ("-31050", "-31050"),
        ("-31053", "-31053"),
        ("-31001", "-31001"),
        ("-31051", "-31008"),
        ("-31052", "-31008"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_and_scenarios_are_told_in_the_language_of_the_page(language):
    rules, scenarios = MERCHANT.rules(language), RENDER.scenarios(language)
    for rule in RULES:
        standing = RENDER.STANDINGS[language][rule.standing]
        text = getattr(rule.text, language)
        word = severity(rule, language)
        assert f"| `{rule.id}` | {text} | {standing} | {word} |" in rules
    assert all(
        f"| `{name}` | {getattr(scenario, language)} |" in scenarios
        for name, scenario in SCENARIOS.items()
    )


UZBEK = [ROOT / "README.uz.md", *sorted((DOCS / "uz").rglob("*.md"))]


@pytest.mark.parametrize("page", UZBEK, ids=lambda page: str(page.relative_to(ROOT)))
def test_uzbek_letters_are_the_right_ones(page):
    """Oʻ and gʻ have U+02BB, the tutuq belgisi is U+02BC; a keyboard gives an apostrophe."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    assert re.findall(r"\w*\w['’‘`´]\w+", prose) == []
    assert re.findall(r"\w*[oOgG]ʼ\w*", prose) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_and_notice_of_a_subscription_is_told(language):
    page = read(language, "recurring.md")
    assert [state for state in SubscriptionState if f"\n| `{state}` |" not in page] == []
    assert [kind for kind in Notice if f"`{kind}`" not in page] == []
