"""The clubs' pages at the width of a phone and of a desk, with a name that has no end."""

from pathlib import Path
from typing import Any

import pytest
from examples.club import pages, web
from examples.club.club import Account, Books
from examples.club.pages import Reader
from examples.club.texts import LANGUAGES

from payme.recurring import Message, Notice
from payme.sandbox import Sandbox
from support.clubs import POOR, club_at

NAME = ("Abdurahmonxoʻja" * 14)[:200]
NOW = 1_772_700_000.0

# What sticks out of the page, or of the frame that it belongs to.
STICKS_OUT = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const frame = one.parentElement.closest(".card, .tile, aside");
  const style = frame && getComputedStyle(frame);
  const right = frame
    ? frame.getBoundingClientRect().right - parseFloat(style.paddingRight) : innerWidth;
  return one.checkVisibility() && !one.closest("thead, details:not([open]) > :not(summary)")
    && one.getBoundingClientRect().right > right + 1;
}).map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """Somebody who has paid a month, and whose card was refused for the next one."""
    folder: Path = tmp_path_factory.mktemp("club")
    with (
        Sandbox(account_fields={"member": "Member"}) as box,
        club_at(box, folder, NOW) as club,
    ):
        member = club.join("Aziza")
        club.bind(member, box.add_card())
        club.bind(member, box.add_card(number=POOR))
        club.move(31)
        account = club.account(member)
    late = Message(
        subscription="m", n=1, kind=Notice.PAID_AFTER_CANCEL, at=NOW, due=NOW, amount=5_000_000
    )
    return account._replace(
        member=account.member._replace(name=NAME), messages=[late, *account.messages]
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_sticks_out_of_a_page_or_of_a_frame_in_it(
    chromium: Any, account: Account, language: Any
) -> None:
    reader = Reader(language, "csrf", "/operator", NOW)
    books = Books(dict.fromkeys(pages.PeriodState, 4_500_000_00), [account])
    style = f"<style>{web.static('club.css')[0].decode()}</style>"
    link = '<link rel="stylesheet" href="/club.css">'
    page = chromium.new_page()
    for html in (pages.operator(reader, books), pages.account(reader, account)):
        assert link in html
        page.set_content(html.replace(link, style))
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
            assert page.evaluate(STICKS_OUT) == [], width
    page.close()


def test_a_name_turns_no_other_text_around(account: Account) -> None:
    name = "\u202eAziza"
    member = account.member._replace(name=name)
    reader = Reader("en", "csrf", "/operator", NOW)
    books = Books(dict.fromkeys(pages.PeriodState, 0), [account._replace(member=member)])
    assert pages.operator(reader, books).count(f">{name}</bdi>") == 2
