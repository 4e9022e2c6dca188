"""How Payme's requests to a merchant look on the wire, as far as it was seen.

The page of the request's format prints `text/json`. Headers captured twice, independently, from
Payme's test stand (test.paycom.uz) have what stands here, and body parsers that know
`application/json` alone work in the field (OBSERVED).

Source: https://developer.help.paycom.uz/protokol-merchant-api/format-zaprosa
"""

from typing import Final

CONTENT_TYPE: Final = "application/json; charset=UTF-8"
"""What was seen."""

PRINTED_CONTENT_TYPE: Final = "text/json; charset=UTF-8"
"""What the page prints."""

TEST_OPERATION: Final = "Test-Operation"
"""A header of the test stand. It proves nothing: anybody can send it."""

HEADERS: Final = {
    "Content-Type": CONTENT_TYPE,
    TEST_OPERATION: "Paycom",
    "Referer": "http://test.paycom.uz",
    # A Firefox was seen; which version it named was not kept.
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
}
"""Headers beside `Authorization`."""
