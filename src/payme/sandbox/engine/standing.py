"""Where each behaviour of the sandbox comes from, as a table.

Payme documents little of what its test host does, and a merchant must know which answers are
promised and which are guesses. `docs/standing.md` shows this table; a test keeps the two equal.
"""

from typing import Final, NamedTuple

from payme.errors.catalogue import Standing


class Behaviour(NamedTuple):
    """One behaviour."""

    what: str
    standing: Standing
    note: str
    """Where it was seen, or why it was chosen."""


_B = Behaviour

STANDINGS: Final[tuple[Behaviour, ...]] = (
    # Protocol
    _B("One URL `/api` for every method; `/api/` is served too", "confirmed", "slash: observed"),
    _B("`X-Auth: id` or `X-Auth: id:key`", "confirmed", "protocol page"),
    _B("Only the first colon of `X-Auth` divides", "our choice", "a key may contain a colon"),
    _B("Unknown id: -32504 with data `invalid_id`", "observed", "answers of the test host"),
    _B("Wrong key: -32504 with data null", "our choice", "the data was never recorded"),
    _B("All five `cards.*` take the id alone", "observed", "check, remove: sources disagree"),
    _B(
        "A token or a receipt of another cash-box is unknown",
        "inferred",
        "a card is bound to a service",
    ),
    _B("`receipts.*` without the key: -32504", "observed", "clients' notes"),
    _B("A wrong key is refused by `cards.*` too", "our choice", "finds a mixed-up key early"),
    _B("Credentials are looked at before the method's name", "our choice", "order never recorded"),
    _B("Errors come over HTTP 200", "inferred", "clients read them so"),
    _B("`message` of an error is a string", "observed", "answers of the test host"),
    _B("`data` is always there, null if there is nothing to say", "our choice", "unknown"),
    _B("`id` is echoed, and left out when the call had none", "observed", "recorded answers"),
    _B("`id` is null when it could not be read", "our choice", "as JSON-RPC 2.0 has it"),
    _B('`jsonrpc` may be left out; other than "2.0": -32600', "our choice", "absence: confirmed"),
    _B("Not POST: -32300", "observed", "confirmed for the Merchant API"),
    _B("Not JSON: -32700", "observed", "confirmed for the Merchant API"),
    _B("Batches: -32600", "our choice", "unknown"),
    _B("Body over 1 MiB: -32600, and the connection is closed", "our choice", "unknown"),
    _B("Body that does not arrive within 30 seconds: -32600", "our choice", "unknown"),
    _B("Web pages of any origin are answered (CORS)", "observed", "public front ends; one against"),
    _B(
        "The preflight is answered 204, for X-Auth and Content-Type", "our choice", "never recorded"
    ),
    _B("Every answer to a page allows any origin", "our choice", "the headers were never recorded"),
    _B("A page may call create, get_verify_code and verify", "our choice", "the payer's methods"),
    _B("A page that sends the key: -32504, data `key_in_page`", "our choice", "it is public then"),
    _B("Other methods from a page: -32504, data `not_for_pages`", "our choice", "server's methods"),
    _B("`--no-cors`: an OPTIONS request gets -32300 like any other verb", "our choice", "unknown"),
    _B(
        "Unknown method: -32601 with its name in data", "observed", "confirmed for the Merchant API"
    ),
    _B("Missing or mistyped params: -32602, data names the param", "observed", "data: our choice"),
    _B("Unknown params are let pass, with a remark", "observed", "clients; `strict`: -32602"),
    _B("A `detail` with members missing is let pass, too", "observed", "clients; `strict`: -32602"),
    _B("null in place of a param that may be left out: let pass", "our choice", "unknown"),
    _B("`10000.0` counts as an integer", "our choice", "Payme's Android SDK sends doubles"),
    # Cards
    _B("`expire`: MMYY in, MM/YY out, YYMM in receipts", "observed", "recorded answers"),
    _B("Number masked as 6 digits, 6 stars, 4 digits", "confirmed", "cards.create page"),
    _B("Token of 24 hex digits, `_`, 390 letters and digits", "observed", "recorded answers"),
    _B("`save` is false when left out", "our choice", "clients disagree"),
    _B("Number or expiry in a wrong form: -32602", "observed", "error tables of clients"),
    _B("Number of 13 to 18 digits", "our choice", "18: documentation of a client"),
    _B("Wrong check digit, unknown card, wrong expiry: -31300", "observed", "partner's error list"),
    _B("Numbers, expiry and meaning of the seven test cards", "confirmed", "test cards page"),
    _B("Expired and blocked card: -31301 at cards.create", "inferred", "code observed, step not"),
    _B("Card that expires once it is bound: -31301 at receipts.pay", "inferred", "code observed"),
    _B("SMS not connected: -31301 at get_verify_code", "inferred", "code observed, step not"),
    _B("System error card: -32400 at receipts.pay, no debit", "inferred", "step unknown"),
    _B(
        "Slow card: 10 seconds, then -31630 at receipts.pay, no debit",
        "inferred",
        "10 s: confirmed",
    ),
    _B("Card 8600318600000007 has no money: -31630", "our choice", "Payme publishes no such card"),
    _B("Card 9860030100000006 is a Humo card that pays", "our choice", "Payme publishes none"),
    _B("What a card of one's own does, or another test card", "our choice", "`cards=`, ours"),
    _B("SMS code 666666", "confirmed", "test cards page"),
    _B("A code is good for `wait`, 60000 ms; then -31101", "confirmed", "code -31101: observed"),
    _B("Wrong code: -31103", "observed", "error tables of clients"),
    _B("After 3 wrong codes -31102, until a new one is asked for", "our choice", "code: observed"),
    _B("Code that was not asked for: -31101", "our choice", "the remedy is the same"),
    _B("A new code may be asked for at any time", "our choice", "`wait` was a pause in old pages"),
    _B("One-time token is deleted after it paid or held", "confirmed", "hold: our choice"),
    _B("Removed token: -31400 with data `deleted`", "observed", "a client's tests"),
    _B("Unknown token: -31400 with data null", "our choice", "code: observed"),
    _B("Malformed token: -32500", "observed", "error tables of clients"),
    # Receipts
    _B("Shape of a receipt", "observed", "recorded answers of the test host"),
    _B("Without account fields a receipt shows `transaction`", "observed", "recorded answers"),
    _B("Missing account field: -31610, data names it", "observed", "answers of the test host"),
    _B("Fields beyond the configured ones pass", "our choice", "live receipts show such"),
    _B("Amount out of the limits: -31611, -31612", "confirmed", "checkout errors page"),
    _B("Amount that is no positive integer: -32602", "our choice", "unknown"),
    _B("Items of `detail` need not add up to `amount`", "our choice", "the rule is inferred only"),
    _B("receipts.pay answers 4 at once", "observed", "recorded answers"),
    _B("`processing_id`: null, 0 once paid or held, null when cancelled", "observed", "recorded"),
    _B("`payer` of receipts.pay comes back in the receipt", "inferred", "types of a client"),
    _B("Paid or cancelled receipt can't be paid: -31602", "observed", "partner's error list"),
    _B("The receipt is looked at before the card", "our choice", "order never recorded"),
    _B(
        "Unverified card: -31400 with data `not_verified`", "our choice", "the remedy is to bind it"
    ),
    _B("An unpaid receipt lives for ever, unless `receipt_ttl_ms` is set", "our choice", "unknown"),
    _B("Expired receipt: -31403 at receipts.pay", "observed", "error table of one client"),
    _B("Expired receipt: state 50, `source_cancel` is `expired`", "our choice", "unknown"),
    _B("Payment that Payme cancels: `source_cancel` is `payme`", "our choice", "unknown"),
    _B("Unknown receipt: -31602 in every method", "observed", "-31008 was seen too"),
    _B("`hold` on create and on pay", "confirmed", "hold page"),
    _B("`hold` on one of them only: -32602", "our choice", "unknown"),
    _B("Held receipt: state 5, `pay_time` 0 until confirmed", "inferred", "hold page"),
    _B("confirm_hold of what is not held: -31602", "our choice", "unknown"),
    _B("`amount` of confirm_hold: -32602", "our choice", "one client sends it, no page has it"),
    _B("Hold on an Uzcard is released after 30 days", "confirmed", "hold page; state 50: inferred"),
    _B("Hold on a Humo card: after 30 days it can only be confirmed", "confirmed", "hold page"),
    _B("Its cancellation after that: -31800", "our choice", "the code is unknown"),
    _B("Unpaid receipt: cancelled at once, state 50", "observed", "recorded answers"),
    _B("Paid or held receipt: 21, `cancel_time` 0, later 50", "observed", "recorded answers"),
    _B("From 21 to 50 takes 1 second", "our choice", "`cancel_after_ms`"),
    _B("Cancelling again answers the receipt as it is", "our choice", "unknown"),
    _B("`partially` of receipts.cancel is refused: -32602", "our choice", "old pages only"),
    _B("receipts.send works in every state", "our choice", "unknown"),
    _B("Phone of receipts.send: 998 and 9 digits, else -32602", "our choice", "form: confirmed"),
    _B("get_all: bare array, titles in two languages, numbers", "confirmed", "get_all page"),
    _B("get_all: the newest first", "observed", "recorded answers"),
    _B("get_all: `from` = `to` means no period", "observed", "recorded answers"),
    _B("get_all: both ends belong to the period", "inferred", "as in GetStatement"),
    _B("get_all: `from` after `to`: -32602", "our choice", "unknown"),
    _B("get_all: `count` over 50: -32602", "our choice", "maximum: confirmed"),
    _B("set_fiscal_data works in every state", "our choice", "unknown"),
    _B('set_fiscal_data answers `{"success": true}`', "observed", "types of two clients"),
    _B("`receipts.cancel` of a receipt in 1, 2, 3 or 6: -31800", "our choice", "code: observed"),
    _B("`error` of a receipt whose payment failed is filled", "observed", "a client's tests"),
    _B("A payment walks 0-1-2-3-4, a hold 0-1-6-5", "inferred", "states page"),
    _B("With `progression`, receipts.pay answers state 1", "our choice", "states: confirmed"),
    _B("`after_checks:N`: the N-th check or get finds it paid", "our choice", "ours"),
    _B(
        "With `progression`, a failed debit leads to state 50",
        "our choice",
        "a client's tests have 50",
    ),
    # The merchant's billing
    _B(
        "Requests: `method`, `params`, integer `id`, no `jsonrpc`",
        "confirmed",
        "format of requests page",
    ),
    _B(
        "`Content-Type: application/json`, `Test-Operation: Paycom`, `Referer`, a Firefox",
        "observed",
        "two shops; the page prints `text/json`",
    ),
    _B(
        "Basic authorization `Paycom:key`",
        "confirmed",
        "templates; the page says to ask for the login",
    ),
    _B("A status other than 200 counts as -32400", "confirmed", "protocol page"),
    _B("What is no answer of JSON-RPC counts as -32400 too", "observed", "clients' notes"),
    _B("Redirects are not followed", "our choice", "only 200 counts"),
    _B("Answer without `id` passes, for another id counts as -32400", "our choice", "unknown"),
    _B("Answer over 1 MiB counts as -32400", "our choice", "unknown"),
    _B(
        "A merchant has 10 seconds to answer",
        "our choice",
        "`merchant_timeout`; Payme's is unknown",
    ),
    _B("receipts.create asks CheckPerformTransaction, once", "observed", "once: our choice"),
    _B("The merchant refuses: -31623 with its whole error in data", "observed", "clients' notes"),
    _B("System error of the merchant: -31623, data with -32400", "observed", "data: our choice"),
    _B("The merchant is not there or does not answer: -31622", "confirmed", "time: our choice"),
    _B(
        "Id of the transaction is the receipt's id",
        "inferred",
        "SetFiscalData carries the receipt's",
    ),
    _B("CreateTransaction, debit, PerformTransaction: states 1, 2, 3", "confirmed", "states page"),
    _B(
        "Lost answers are asked for again with the same params",
        "confirmed",
        "scheme of interaction",
    ),
    _B("Twice, after 0.5 and 2 seconds", "our choice", "`merchant_pauses`; Payme's are unknown"),
    _B("Then by the clock: after 1 minute, 2, 4 … up to an hour", "our choice", "unknown"),
    _B("CreateTransaction refused: receipts.pay -31623, state 50", "our choice", "state: unknown"),
    _B(
        "CreateTransaction never answered: cancelled, reason 3, state 50",
        "inferred",
        "reason 3: meaning",
    ),
    _B("It certainly never arrived: no CancelTransaction", "our choice", "unknown"),
    _B("Debit failed: CancelTransaction, reason 2", "confirmed", "reason: inferred"),
    _B("After it the receipt is in state 50 and can't be paid again", "our choice", "unknown"),
    _B("PerformTransaction refused: cancelled, reason 3, refund, -31623", "inferred", "unknown"),
    _B("PerformTransaction not answered: receipts.pay answers state 30", "inferred", "states page"),
    _B(
        "12 hours after `time`: CancelTransaction, reason 4, refund",
        "confirmed",
        "refund: inferred",
    ),
    _B("It answers -31007 to that: the receipt is paid", "our choice", "it has performed"),
    _B(
        "Another 12 hours of silence: state 20",
        "inferred",
        "suspension: confirmed, time: our choice",
    ),
    _B("PerformTransaction refused, then -31007: state 20", "our choice", "takes a person"),
    _B("receipts.cancel asks CancelTransaction, reason 5", "inferred", "that it asks: confirmed"),
    _B("It asks before the receipt goes to 21", "our choice", "so that a refusal can be told"),
    _B(
        "-31007 to it: receipts.cancel -31800, the receipt stays paid",
        "our choice",
        "code: observed",
    ),
    _B("It is not answered: 21, and asked again until it is", "our choice", "unknown"),
    _B("Refused when the receipt is in 21 already: it stays there", "our choice", "unknown"),
    _B(
        "-31003 to CancelTransaction counts as cancelled",
        "our choice",
        "there is nothing to cancel",
    ),
    _B("Hold: CreateTransaction at receipts.pay", "inferred", "states page"),
    _B("Hold: PerformTransaction at confirm_hold, then the capture", "inferred", "unknown"),
    _B("A hold that ends by itself: CancelTransaction, reason 4", "our choice", "unknown"),
    _B("confirm_hold not answered: state 5, asked again for 12 hours", "our choice", "unknown"),
    _B("SetFiscalData: PERFORM after success, CANCEL after a refund", "confirmed", "method's page"),
    _B("SetFiscalData is sent once, its answer changes nothing", "our choice", "unknown"),
    _B("ChangePassword", "observed", "in Payme's templates, no longer on its pages"),
    # Checkout page
    _B("GET link: Base64 of `key=value` joined by `;`, seven keys", "confirmed", "GET page"),
    _B("Link in the URL alphabet or without padding is read", "our choice", "unknown"),
    _B("Values of a link are UTF-8", "our choice", "unknown"),
    _B("An empty `c` of a link: no return address", "inferred", "two clients send it by default"),
    _B("Unknown or repeated key of a link: no receipt", "our choice", "finds a misspelt one"),
    _B("POST form: inputs, defaults and `account[field]`", "confirmed", "POST page"),
    _B("Form without `callback`: the payer returns to the Referer", "confirmed", "POST page"),
    _B("`:transaction` and `:account.field` are filled in", "confirmed", "`null` too"),
    _B("They are filled in for a GET link too", "our choice", "documented for the form"),
    _B("`:transaction` is the receipt's id", "inferred", "transaction id of the Merchant API"),
    _B("Values are percent-encoded in the return address", "our choice", "unknown"),
    _B("The payer returns 15000 ms after success", "observed", "`callback_timeout` changes it"),
    _B("After a failure the payer returns by a link only", "our choice", "unknown"),
    _B("Only http(s) addresses are returned to", "our choice", "unknown"),
    _B("`/<receipt id>` opens a receipt", "observed", "integrations"),
    _B("`/checkout/<id>?back=&timeout=&lang=` is the final address", "observed", "on payme.uz"),
    _B("Paid or unknown receipt: its page says so", "observed", "text of -31602"),
    _B("Errors of receipts.create are shown to the payer", "confirmed", "checkout errors page"),
    _B("Other cash-box in a link: text of -31601", "inferred", "checkout errors page"),
)


def table() -> str:
    """Write the table in Markdown."""
    rows = [f"| {row.what} | {row.standing} | {row.note} |" for row in STANDINGS]
    return "\n".join(["| behaviour | standing | note |", "|---|---|---|", *rows])
