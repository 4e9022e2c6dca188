"""What type checkers say of a forgotten `await` where money is at stake."""

from mypy import api

SNIPPET = """
from payme import AsyncPayme, OutcomeUnknown, Payme, Receipt

def blocking(payme: Payme, lost: OutcomeUnknown) -> bool:
    found = payme.receipts.resolve(lost) or lost.resolve() or lost.resolve(payme)
    reveal_type(found)
    return found is not None and found.is_paid

async def asynchronous(payme: AsyncPayme, lost: OutcomeUnknown, receipt: Receipt) -> bool:
    found = await payme.receipts.resolve(lost)
    reveal_type(await payme.receipts.wait(receipt))
    return found is not None and found.is_paid

async def forgotten(payme: AsyncPayme, lost: OutcomeUnknown, receipt: Receipt) -> bool:
    payme.receipts.wait(receipt).is_paid
    found = payme.receipts.resolve(lost)
    return found is not None and found.is_paid

async def of_the_wrong_kind(payme: AsyncPayme, lost: OutcomeUnknown) -> None:
    lost.resolve(payme)
"""


def test_a_forgotten_await_is_an_error(tmp_path):
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET, encoding="utf-8")
    said, _, _ = api.run(["--strict", "--no-incremental", "--no-error-summary", str(file)])
    told: dict[int, str] = {}
    for line in said.splitlines():
        _, number, text = line.split(":", 2)
        told[int(number)] = told.get(int(number), "") + text
    assert 'Revealed type is "payme.protocol.models.Receipt | None"' in told.pop(6)
    assert 'Revealed type is "payme.protocol.models.Receipt"' in told.pop(11)
    assert 'has no attribute "is_paid"' in told.pop(15)
    assert 'has no attribute "is_paid"' in told.pop(17)
    assert "incompatible type" in told.pop(20)
    assert not told
