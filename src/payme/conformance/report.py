"""What was found about an endpoint, for people, for programs and for CI."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from payme.conformance.findings import CUMULATIVE, EARLIER, ONE_TIME, Expectation, Result, Verdict
from payme.conformance.rules import BY_ID, RULES, Rule, Severity
from payme.errors.catalogue import Language, Text

_HEAD: Final = {
    "uz": "{kept} qoida bajarildi, {broken} qoida buzildi, {unseen} qoida tekshirilmadi",
    "ru": "правил соблюдено: {kept}, нарушено: {broken}, не проверено: {unseen}",
    "en": "{kept} rules kept, {broken} broken, {unseen} not seen",
}
_MARKS: Final[dict[Result, str]] = {"kept": "✓", "broken": "✗", "unseen": "?"}


class _Words(NamedTuple):
    """The words of a report."""

    sent: str
    came: str
    expected: str
    got: str
    unseen: str
    severities: dict[Severity, str]


_WORDS: Final[dict[str, _Words]] = {
    "uz": _Words(
        "yuborildi",
        "keldi",
        "kutilgan",
        "kelgan",
        "tekshirilmadi",
        {"money": "pul", "protocol": "protokol", "style": "uslub"},
    ),
    "ru": _Words(
        "отправлено",
        "пришло",
        "ожидалось",
        "получено",
        "не проверено",
        {"money": "деньги", "protocol": "протокол", "style": "стиль"},
    ),
    "en": _Words(
        "sent",
        "came",
        "expected",
        "got",
        "not seen",
        {"money": "money", "protocol": "protocol", "style": "style"},
    ),
}


class Report(NamedTuple):
    """The grades of an endpoint.

    Attributes:
        url: Address of the endpoint.
        verdicts: Everything that was looked at, in order.
    """

    url: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """No rule about money or the protocol is broken. One that was not seen is not broken."""
        return not any(BY_ID[rule].severity != "style" for rule in self.broken)

    @property
    def complete(self) -> bool:
        """Every rule was seen, but for those about the other kind of account."""
        return set(self.unseen.values()) <= {CUMULATIVE, ONE_TIME}

    @property
    def broken(self) -> dict[str, list[Verdict]]:
        """What broke each rule, by the rule's id."""
        found: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts:
            if verdict.result == "broken":
                found.setdefault(verdict.rule, []).append(verdict)
        return found

    @property
    def unseen(self) -> dict[str, Text]:
        """Why each rule that was not seen was not, by the rule's id."""
        return {rule.id: self._why(rule) for rule in RULES if self.result(rule) == "unseen"}

    def result(self, rule: Rule) -> Result:
        """Return what was found about a rule; one part that was not seen leaves it unseen."""
        results = {verdict.result for verdict in self.verdicts if verdict.rule == rule.id}
        if "broken" in results:
            return "broken"
        return "kept" if results == {"kept"} else "unseen"

    def _why(self, rule: Rule) -> Text:
        reasons = [one.why for one in self.verdicts if one.rule == rule.id and one.why]
        return reasons[0] if reasons else EARLIER

    def text(self, language: Language = "en", *, kept: bool = True) -> str:
        """Write the grades for a person.

        Args:
            language: `uz`, `ru` or `en`.
            kept: List the rules that were kept, too.

        Returns:
            A line for each rule: ✓ kept, ✗ broken, ? not seen. Under a broken one what was
            expected beside what came, the exchange, and the page; under one that was not seen, why.
        """
        lines = [self.url]
        for rule in RULES:
            result = self.result(rule)
            if result == "kept" and not kept:
                continue
            lines.append(f"{_MARKS[result]} {_named(rule, language)}")
            lines += self._details(rule, result, language)
        return "\n".join([*lines, self._head(language)])

    def _details(self, rule: Rule, result: Result, language: Language) -> list[str]:
        if result == "broken":
            return [f"    {line}" for line in _evidence(rule, self.broken[rule.id][0], language)]
        if result == "unseen":
            return [f"    {_WORDS[language].unseen}: {_in(self._why(rule), language)}"]
        return []

    def _head(self, language: Language) -> str:
        counted = dict.fromkeys(_MARKS, 0)
        for rule in RULES:
            counted[self.result(rule)] += 1
        return _HEAD[language].format(**counted)

    def json(self) -> dict[str, Any]:
        """Write the grades for a program.

        Returns:
            A JSON object: `url`, `passed`, and `rules`, each with its `id`, `result` (`kept`,
            `broken` or `unseen`), `severity`, `text` in three languages, `standing`, `source`,
            `why` it was not seen, and what `broken` it: `expected` beside `got`,
            and the `exchanges`.
        """
        return {
            "url": self.url,
            "passed": self.passed,
            "rules": [self._rule_json(rule) for rule in RULES],
        }

    def _rule_json(self, rule: Rule) -> dict[str, Any]:
        result = self.result(rule)
        return {
            "id": rule.id,
            "result": result,
            "severity": rule.severity,
            "text": rule.text._asdict(),
            "standing": rule.standing,
            "source": rule.url,
            "why": self._why(rule)._asdict() if result == "unseen" else None,
            "broken": [_verdict_json(verdict) for verdict in self.broken.get(rule.id, [])],
        }

    def junit(self, language: Language = "en") -> str:
        """Write the grades as JUnit's XML, a test case for each rule.

        A rule that was not seen is a skipped case. A broken rule of style is no failure: what broke
        it stands in `system-out`.

        Args:
            language: `uz`, `ru` or `en`.

        Returns:
            An XML document.
        """
        suite = ET.Element("testsuite", name="payme check-merchant", tests=str(len(RULES)))
        for rule in RULES:
            self._case(
                ET.SubElement(suite, "testcase", classname="payme", name=rule.id), rule, language
            )
        for count, tag in (("failures", "failure"), ("skipped", "skipped")):
            suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
        return ET.tostring(suite, encoding="unicode", xml_declaration=True)

    def _case(self, case: ET.Element, rule: Rule, language: Language) -> None:
        result = self.result(rule)
        if result == "unseen":
            ET.SubElement(case, "skipped", message=_in(self._why(rule), language))
        if result != "broken":
            return
        lines = "\n".join(_evidence(rule, self.broken[rule.id][0], language))
        if rule.severity == "style":
            ET.SubElement(case, "system-out").text = _printable(lines)
            return
        failure = ET.SubElement(
            case, "failure", message=_in(rule.text, language), type=rule.severity
        )
        failure.text = _printable(lines)


def remark(verdict: Verdict, language: Language) -> list[str]:
    """Return the lines about a broken rule, without what was said.

    Args:
        verdict: What was found.
        language: `uz`, `ru` or `en`.
    """
    rule = BY_ID[verdict.rule]
    lines = [*_compared(verdict, language), f"{rule.standing}: {rule.url}"]
    return [
        f"{_MARKS[verdict.result]} {_named(rule, language)}",
        *(f"    {line}" for line in lines),
    ]


def _named(rule: Rule, language: Language) -> str:
    return f"{rule.id}: {_in(rule.text, language)} ({severity(rule, language)})"


def severity(rule: Rule, language: Language) -> str:
    """Return the word for what it costs to break a rule.

    Args:
        rule: The rule.
        language: `uz`, `ru` or `en`.
    """
    return _WORDS[language].severities[rule.severity]


def _in(text: Text, language: Language) -> str:
    return str(text._asdict()[language])


def _unmet(verdict: Verdict) -> Iterable[Expectation]:
    return (one for one in verdict.expectations if not one.met)


def _compared(verdict: Verdict, language: Language) -> list[str]:
    words = _WORDS[language]
    lines: list[str] = []
    for one in _unmet(verdict):
        lines += [f"{words.expected}: {one.about} = {one.expected}", f"{words.got}: {one.got}"]
    return lines


def _evidence(rule: Rule, verdict: Verdict, language: Language) -> list[str]:
    words = _WORDS[language]
    lines = _compared(verdict, language)
    for exchange in verdict.exchanges:
        shown = exchange.shown()
        note = f"[{shown['note']}] " if shown["note"] else ""
        lines.append(f"{words.sent}: {note}{shown['request'] or '-'}")
        lines.append(f"{words.came}: HTTP {shown['status']} {shown['response'] or '-'}")
    return [*lines, f"{rule.standing}: {rule.url}"]


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "expected": [
            {"about": one.about, "expected": one.expected, "got": one.got}
            for one in _unmet(verdict)
        ],
        "exchanges": [exchange.shown() for exchange in verdict.exchanges],
    }


def _printable(text: str) -> str:
    """Take out what XML can't hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
