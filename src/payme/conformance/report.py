"""What was found about an endpoint, for people, for programs and for CI."""

from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from payme.conformance.checks import Verdict
from payme.conformance.rules import RULES, Rule
from payme.errors.catalogue import Language

_HEAD: Final = {
    "uz": "{kept} qoida bajarildi, {broken} qoida buzildi",
    "ru": "правил соблюдено: {kept}, нарушено: {broken}",
    "en": "{kept} rules kept, {broken} broken",
}
_SAID: Final = {
    "uz": ("yuborildi", "keldi"),
    "ru": ("отправлено", "пришло"),
    "en": ("sent", "came"),
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
        """Every rule was kept."""
        return not self.broken

    @property
    def broken(self) -> dict[str, list[Verdict]]:
        """What broke each rule, by the rule's id."""
        found: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts:
            if not verdict.kept:
                found.setdefault(verdict.rule, []).append(verdict)
        return found

    @property
    def rules(self) -> list[Rule]:
        """The rules that were looked at."""
        seen = {verdict.rule for verdict in self.verdicts}
        return [rule for rule in RULES if rule.id in seen]

    def text(self, language: Language = "en", *, kept: bool = True) -> str:
        """Write the grades for a person.

        Args:
            language: `uz`, `ru` or `en`.
            kept: List the rules that were kept, too.

        Returns:
            A line for each rule; under a broken one the exchange that broke it.
        """
        lines = [self.url]
        for rule in self.rules:
            broken = self.broken.get(rule.id, [])
            if not (broken or kept):
                continue
            lines.append(f"{'✗' if broken else '✓'} {rule.id}: {_sentence(rule, language)}")
            if broken:
                lines += _evidence(rule, broken[0], language)
        head = _HEAD[language].format(
            kept=len(self.rules) - len(self.broken), broken=len(self.broken)
        )
        return "\n".join([*lines, head])

    def json(self) -> dict[str, Any]:
        """Write the grades for a program.

        Returns:
            A JSON object: `url`, `passed`, and `rules`, each with its `id`, whether it was `kept`,
            its `text` in three languages, `standing`, `source`, and the exchanges that `broken` it.
        """
        return {
            "url": self.url,
            "passed": self.passed,
            "rules": [
                {
                    "id": rule.id,
                    "kept": rule.id not in self.broken,
                    "text": rule.text._asdict(),
                    "standing": rule.standing,
                    "source": rule.source,
                    "broken": [
                        [exchange.shown() for exchange in verdict.exchanges]
                        for verdict in self.broken.get(rule.id, [])
                    ],
                }
                for rule in self.rules
            ],
        }

    def junit(self, language: Language = "en") -> str:
        """Write the grades as JUnit's XML, a test case for each rule.

        Args:
            language: `uz`, `ru` or `en`.

        Returns:
            An XML document.
        """
        count, broken = str(len(self.rules)), str(len(self.broken))
        suite = ET.Element("testsuite", name="payme", tests=count, failures=broken)
        for rule in self.rules:
            case = ET.SubElement(suite, "testcase", classname="payme", name=rule.id)
            for verdict in self.broken.get(rule.id, [])[:1]:
                failure = ET.SubElement(case, "failure", message=_sentence(rule, language))
                failure.text = _printable("\n".join(_evidence(rule, verdict, language)))
        return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _sentence(rule: Rule, language: Language) -> str:
    return str(rule.text._asdict()[language])


def _evidence(rule: Rule, verdict: Verdict, language: Language) -> list[str]:
    sent, came = _SAID[language]
    lines: list[str] = []
    for exchange in verdict.exchanges:
        shown = exchange.shown()
        lines.append(f"    {sent}: {shown['request'] or '-'}")
        lines.append(f"    {came}: HTTP {shown['status']} {shown['response'] or '-'}")
    return [*lines, f"    {rule.standing}: {rule.source}"]


def _printable(text: str) -> str:
    """Take out what XML can't hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
