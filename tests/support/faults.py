"""The faults, by what a caller can know after them.

A fault named `..._before` keeps the request from the sandbox; one named `..._after` acts when the
sandbox has executed it. Servers that answer with an error show all secrets in it, as careless ones
do.
"""

import html
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from support.faulty import Act, Exchange
from support.listener import reset


class Fault(NamedTuple):
    """What happens to a request.

    Attributes:
        name: For the test's id.
        executed: The sandbox executed the request.
        act: Does it.
    """

    name: str
    executed: bool
    act: Act

    def __str__(self) -> str:
        return self.name


def before(act: Act) -> Fault:
    return Fault(f"{act.__name__}_before", False, act)


def after(act: Act) -> Fault:
    def execute_and_act(exchange: Exchange) -> None:
        exchange.execute()
        act(exchange)

    return Fault(f"{act.__name__}_after", True, execute_and_act)


def changed(name: str, change: Callable[[dict[str, Any]], Any]) -> Fault:
    """A fault that changes the sandbox's answer on its way back."""

    def act(exchange: Exchange) -> None:
        exchange.answer(json.dumps(change(json.loads(exchange.execute()))).encode())

    return Fault(name, True, act)


# No answer: the connection ends, or nothing comes.


def reset_line(exchange: Exchange) -> None:
    reset(exchange.sock)
    exchange.close()


def closed(exchange: Exchange) -> None:
    exchange.close()


def cut_head(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.close()


def cut_body(exchange: Exchange) -> None:
    exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"jsonrpc": "2.0", "re')
    exchange.close()


def cut_chunks(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{")
    exchange.close()


def not_http(exchange: Exchange) -> None:
    exchange.send(exchange.secrets.encode() + b"\r\n\r\n")
    exchange.close()


def silent(exchange: Exchange) -> None:
    exchange.hang()


LOST = [
    *(before(act) for act in (reset_line, closed, not_http)),
    *(after(act) for act in (reset_line, closed, cut_head, cut_body, cut_chunks, not_http)),
]
LOST_BEFORE, LOST_AFTER = before(closed), after(closed)
SILENT_BEFORE, SILENT_AFTER = SILENT = [before(silent), after(silent)]


# An answer that is no answer.


def _page(status: str) -> Act:
    def page(exchange: Exchange) -> None:
        shown = html.escape(exchange.secrets)
        exchange.answer(
            f"<html><h1>{status}</h1>{exchange.secrets}<pre>{shown}</pre>".encode(),
            status,
            "Content-Type: text/html",
        )

    page.__name__ = f"http_{status.split()[0]}"
    return page


def _redirect(status: str) -> Act:
    def redirect(exchange: Exchange) -> None:
        exchange.answer(b"", status, "Location: /api/elsewhere")

    redirect.__name__ = f"http_{status.split()[0]}"
    return redirect


def not_json(exchange: Exchange) -> None:
    exchange.answer(exchange.secrets.encode())


def empty(exchange: Exchange) -> None:
    exchange.answer(b"")


def other_call(exchange: Exchange) -> None:
    """The answer to another request, such as one that a proxy mixed up."""
    other = {"jsonrpc": "2.0", "id": exchange.json["id"] + 1, "result": {"success": True}}
    exchange.answer(json.dumps(other).encode())


def refusal_of_other_call(exchange: Exchange) -> None:
    answer_error(exchange, -31602, exchange.json["id"] + 1)


def good_answer_with_500(exchange: Exchange) -> None:
    exchange.answer(exchange.execute(), "500 Internal Server Error")


UNREADABLE = [
    before(_page("500 Internal Server Error")),
    after(_page("500 Internal Server Error")),
    before(_page("502 Bad Gateway")),
    after(_page("502 Bad Gateway")),
    after(_page("504 Gateway Timeout")),
    before(_page("503 Service Unavailable")),
    before(_page("404 Not Found")),
    before(_redirect("302 Found")),
    before(_redirect("307 Temporary Redirect")),
    after(_redirect("308 Permanent Redirect")),
    before(other_call),
    after(other_call),
    after(refusal_of_other_call),
    before(not_json),
    after(not_json),
    after(empty),
    Fault("good_answer_with_500", True, good_answer_with_500),
    changed("wrong_shape", lambda answer: {**answer, "result": "ok"}),
    changed("result_null", lambda answer: {**answer, "result": None}),
    changed("no_result", lambda answer: {"id": answer.get("id")}),
    changed("batch", lambda answer: [answer]),
    changed("id_of_another_type", lambda answer: {**answer, "id": str(answer["id"])}),
    changed("result_and_error", lambda answer: {**answer, "error": {"code": 1, "message": ""}}),
]

WITHOUT_ID = [
    changed("id_missing", lambda answer: {"result": answer["result"]}),
    changed("id_null", lambda answer: {**answer, "id": None}),
]


# Payme answers no.


def answer_error(exchange: Exchange, code: int, request_id: int | None) -> None:
    error = {
        "code": code,
        "message": f"no: {exchange.secrets}",
        "data": {"seen": exchange.secrets, "params": exchange.json["params"]},
    }
    answer = {"jsonrpc": "2.0", "id": request_id, "error": error}
    exchange.answer(json.dumps(answer).encode())


def _error(code: int) -> Act:
    def error(exchange: Exchange) -> None:
        answer_error(exchange, code, exchange.json["id"])

    error.__name__ = f"error_{code}"
    return error


FINAL = [before(_error(-32504))]
DOUBTFUL = [before(_error(-32400)), after(_error(-32400)), before(_error(-39999))]
