"""The pages as callers of the API: the payer's side has the id, the server's side the key.

They go through the same door as everybody's calls, so that they are recorded, struck by faults and
answered from the same state.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from payme.errors.catalogue import Language, lookup
from payme.sandbox.cash_box import CashBox
from payme.sandbox.engine import Answer
from payme.sandbox.engine.testcards import CODE
from payme.sandbox.web.backend import Backend

_CALL_ID: Final = 1


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a call.

    Attributes:
        method: Name of the method.
        result: `result` of the answer; None when it is an error or was lost.
        error: `error` of the answer; None when it is a result or was lost.
        lost: Whether no usable answer came: the call may have been served all the same.
    """

    method: str
    result: Any = None
    error: dict[str, Any] | None = None
    lost: bool = False

    @property
    def ok(self) -> bool:
        """Whether the answer is a result."""
        return self.error is None and not self.lost

    @property
    def code(self) -> int | None:
        """`error.code`; None when there is no error."""
        return self.error["code"] if self.error else None

    @property
    def unknown(self) -> bool:
        """Whether the call may have been served although the answer does not say so."""
        return self.lost or self.code == -32400

    @property
    def pays(self) -> bool:
        """Whether the call is one of those that lead to a payment."""
        return self.method == "receipts.pay" or self.method.startswith("cards.")

    def text(self, language: Language) -> str:
        """Say in the payer's words why the call was refused; empty when it was not."""
        if self.error is None:
            return ""
        message = self.error.get("message")
        entry = lookup(self.error["code"], self.method, message if isinstance(message, str) else "")
        said = getattr(entry.text, language) if entry else str(message or self.error["code"])
        from_merchant = merchants_words(self.error.get("data"), language)
        return f"{said} {from_merchant}".strip()

    def remedy(self, language: Language) -> str:
        """Say what the developer should do about a refusal; empty when nothing is known."""
        if self.error is None:
            return ""
        message = self.error.get("message")
        entry = lookup(self.error["code"], self.method, message if isinstance(message, str) else "")
        return getattr(entry.remedy, language).replace("`", "") if entry else ""


class Calls:
    """Calls the API of the sandbox.

    Args:
        backend: The sandbox.
        box: The cash-box that is called; by default the first one.
    """

    def __init__(self, backend: Backend, box: CashBox | None = None) -> None:
        self._backend = backend
        self._box = box or backend.sandbox.first

    async def at(self, receipt_id: str) -> "Calls":
        """Return what calls the cash-box that has a receipt."""
        return Calls(self._backend, await self._backend.box(receipt_id))

    async def front(self, method: str, **params: Any) -> Reply:
        """Call as the payer's browser does, with the id of the cash-box alone."""
        return await self._call(method, params, self._box.merchant_id)

    async def back(self, method: str, **params: Any) -> Reply:
        """Call as the merchant's server does, with the key."""
        x_auth = f"{self._box.merchant_id}:{self._box.key}"
        return await self._call(method, params, x_auth)

    async def bind(self, number: str, expire: str) -> Reply:
        """Create a card and ask for its code.

        Returns:
            The reply of `cards.create`, or of `cards.get_verify_code` when that was refused; the
            result has the token, and `phone` of the code.
        """
        created = await self.front("cards.create", card={"number": number, "expire": expire})
        if not created.ok:
            return created
        token = created.result["card"]["token"]
        sent = await self.front("cards.get_verify_code", token=token)
        if not sent.ok:
            return sent
        return Reply(method=sent.method, result={"token": token, "phone": sent.result["phone"]})

    async def pay_at_once(self, receipt_id: str, number: str, expire: str, *, hold: bool) -> Reply:
        """Pay a receipt with a test card, whose code is known."""
        bound = await self.bind(number, expire)
        if not bound.ok:
            return bound
        token = bound.result["token"]
        verified = await self.front("cards.verify", token=token, code=CODE)
        return await self.pay(receipt_id, token, hold=hold) if verified.ok else verified

    async def pay(self, receipt_id: str, token: str, *, hold: bool) -> Reply:
        """Pay a receipt with a verified card."""
        flags = {"hold": True} if hold else {}
        return await self.back("receipts.pay", id=receipt_id, token=token, **flags)

    async def _call(self, method: str, params: dict[str, Any], x_auth: str) -> Reply:
        body = msgspec.json.encode({"id": _CALL_ID, "method": method, "params": params})
        answer = await self._backend.service.acall(body, x_auth)
        await asyncio.sleep((answer.delay_ms + answer.pause_ms) / 1000)
        return _reply(method, answer)


def _reply(method: str, answer: Answer) -> Reply:
    lost = Reply(method=method, lost=True)
    if answer.arrives != "whole" or answer.status != 200:
        return lost
    try:
        document: Any = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, ValueError):
        return lost
    if not isinstance(document, dict):
        return lost
    members = cast("dict[str, Any]", document)
    if members.get("id") != _CALL_ID:
        return lost
    return Reply(method=method, result=members.get("result"), error=members.get("error"))


def merchants_words(data: Any, language: Language) -> str:
    """Find what the merchant's own error says to the payer, in the payer's language."""
    error = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    texts = error.get("message")
    found = cast("dict[str, Any]", texts).get(language) if isinstance(texts, dict) else None
    return found if isinstance(found, str) else ""
