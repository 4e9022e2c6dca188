"""A shop with a Merchant API of its own, and a switch for each way to break a rule.

It shares no code with the package: a mistake that both had would not be seen.
"""

import base64
import json
import threading
import time
from contextlib import contextmanager

from payme.conformance import grade_endpoint
from payme.conformance.endpoint import Endpoint, Orders
from payme.conformance.exchange import Caller, HttpAnswer, NoAnswer

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
TEST_STAND = "Uzcard:someRandomString1545343543545"
AMOUNT = 50_000
EXPIRY = 43_200_000
HOUR = 3_600_000

MUTANTS = {
    "http-200": ["refuses_with_400", "answers_500_to_statements", "drops_cancel"],
    "json-rpc": ["result_and_error", "neither_result_nor_error", "code_as_text", "bare_answer"],
    "id-echo": ["no_id", "id_as_text", "other_id"],
    "error-message": ["plain_message", "two_languages"],
    "content-type": ["html_type", "no_type"],
    "auth-wrong": [
        "no_auth",
        "no_auth_check_perform",
        "no_auth_create",
        "no_auth_perform",
        "no_auth_cancel",
        "no_auth_check",
        "no_auth_statement",
        "auth_wrong_code",
        "auth_refused_with_401",
    ],
    "auth-blank": ["header_optional", "blank_password", "bearer", "raw_key", "no_password"],
    "auth-part": [
        "key_within",
        "key_starts",
        "key_ends",
        "starts_with_key",
        "ends_with_key",
        "last_part",
        "any_case",
        "second_part",
    ],
    "auth-login": ["any_login", "no_login_needed", "login_ends"],
    "auth-test-stand": ["test_stand_password", "test_stand_with_operation"],
    "auth-test-operation": [
        "test_operation",
        "test_operation_without_header",
        "test_operation_password",
    ],
    "auth-effect": ["creates_before_auth", "performs_before_auth", "cancels_before_auth"],
    "wrong-amount": [
        "any_amount",
        "smaller_amount",
        "larger_amount",
        "amount_in_create_only",
        "amount_in_check_only",
        "amount_in_som",
        "amount_rounded",
        "amount_wrong_code",
        "amount_of_one",
    ],
    "unknown-account": [
        "any_account",
        "unknown_wrong_code",
        "unknown_allowed_when_asked",
        "any_account_in_create",
    ],
    "account-message": [
        "account_plain_message",
        "account_two_languages",
        "account_no_message",
        "account_plain_message_in_check_perform",
        "account_plain_message_in_create",
    ],
    "account-field": [
        "account_no_data",
        "account_data_is_value",
        "account_data_is_account",
        "account_no_data_in_check_perform",
        "account_no_data_in_create",
    ],
    "refused-perform": ["stores_refused", "stores_wrong_amount"],
    "check-perform": ["allow_one", "allow_text", "allow_missing", "allow_false"],
    "create": ["create_state_text", "create_state_zero", "create_refuses"],
    "create-time": [
        "create_time_seconds",
        "create_time_null",
        "create_time_text",
        "create_time_zero",
        "create_time_foreign",
        "create_time_hours_off",
        "create_time_float",
        "create_time_microseconds",
    ],
    "repeat-create": ["repeat_create_restamps", "repeat_create_refused", "repeat_create_renames"],
    "busy-order": ["busy_ignored", "busy_replaced"],
    "busy-code": ["busy_account_code", "busy_system_error"],
    "busy-check": ["busy_allowed"],
    "cumulative": ["cumulative_busy", "cumulative_paid_once"],
    "check-transaction": [
        "check_state_text",
        "check_no_cancel_time",
        "check_always_one",
        "check_no_create_time",
        "check_no_perform_time",
    ],
    "unset-times": ["unset_null", "unset_now", "perform_time_when_cancelled"],
    "reason": ["reason_lost", "reason_zero", "reason_text", "refund_reason_lost", "reason_fixed"],
    "transaction-text": [
        "create_int_transaction",
        "perform_int_transaction",
        "cancel_int_transaction",
        "check_int_transaction",
        "transaction_empty",
    ],
    "transaction-same": [
        "check_other_transaction",
        "check_create_time_is_time",
        "check_perform_time_moves",
        "check_cancel_time_null",
    ],
    "cancel": ["cancel_state_minus_three", "cancel_refused", "cancel_refund_state"],
    "cancel-time": [
        "cancel_time_zero",
        "cancel_time_seconds",
        "cancel_time_hours_off",
        "cancel_time_is_create_time",
        "refund_time_is_perform_time",
        "cancel_time_null",
    ],
    "repeat-cancel": ["repeat_cancel_restamps", "repeat_cancel_refused", "repeat_refund_restamps"],
    "perform-cancelled": [
        "performs_cancelled",
        "perform_cancelled_code",
        "performs_cancelled_silently",
    ],
    "create-finished": [
        "create_revives_cancelled",
        "create_repeats_cancelled",
        "create_repeats_performed",
        "create_revives_refunded",
    ],
    "cancelled-frees": ["cancelled_blocks", "cancelled_blocks_create", "cancelled_blocks_check"],
    "race-create": ["race_create"],
    "race-repeat": ["race_repeat"],
    "race-perform": ["race_perform"],
    "race-cancel": ["race_cancel", "race_cancel_forgets"],
    "expiry": ["never_expires", "expires_by_create_time", "expires_after_a_day", "expired_code"],
    "expiry-state": ["expired_stays", "expired_reason_lost"],
    "expiry-frees": ["expired_blocks", "expired_blocks_check", "expired_blocks_create"],
    "expiry-early": ["expires_after_an_hour", "expires_after_twelve_minutes"],
    "perform": ["perform_state_one", "perform_state_text", "perform_refuses"],
    "perform-time": [
        "perform_time_zero",
        "perform_time_seconds",
        "perform_time_hours_off",
        "perform_time_null",
        "perform_time_is_create_time",
    ],
    "repeat-perform": ["repeat_perform_restamps", "repeat_perform_refused"],
    "paid-check": ["paid_allowed"],
    "paid-order": ["paid_again"],
    "refund": ["refund_state_minus_one", "refund_refused_but_done", "refund_wrong_code"],
    "perform-refunded": ["performs_refunded", "repeats_performed_refunded"],
    "unknown-transaction": [
        "unknown_perform_code",
        "unknown_cancel_code",
        "unknown_check_code",
        "unknown_check_result",
    ],
    "statement": [
        "statement_empty_list",
        "statement_performed_only",
        "statement_by_create_time",
        "statement_bounds_in_seconds",
        "statement_bare",
        "statement_singular",
        "statement_lists_refused",
        "statement_one_row",
        "statement_bare_ids",
    ],
    "statement-bounds": [
        "statement_excludes_from",
        "statement_excludes_to",
        "statement_everything",
        "statement_ignores_from",
        "statement_ignores_to",
    ],
    "statement-empty": ["statement_empty_is_error", "statement_empty_is_null"],
    "statement-order": ["statement_newest_first", "statement_last_created_first"],
    "statement-row": [
        "row_amount_in_som",
        "row_time_seconds",
        "row_time_is_create_time",
        "row_no_account",
        "row_int_transaction",
        "row_no_reason",
        "row_state_text",
        "row_account_text",
        "row_perform_time_null",
        "row_other_account",
        "row_amount_text",
        "row_create_time_hours_off",
        "row_other_transaction",
    ],
    "bad-json": ["bad_json_500", "bad_json_accepted", "bad_json_system_error"],
    "bad-request": [
        "bad_request_500",
        "bad_request_hangs",
        "bad_request_denied",
        "amount_truncated",
        "amount_absolute",
        "amount_none_is_any",
        "account_empty_is_any",
        "account_missing_is_any",
    ],
    "unknown-method": ["unknown_method_code", "unknown_method_hangs", "unknown_method_result"],
    "not-post": ["get_405", "get_served"],
    "text-json": ["application_json_only", "text_json_refused"],
    "no-jsonrpc": ["jsonrpc_demanded"],
}
FLAWS = {flaw for flaws in MUTANTS.values() for flaw in flaws}

BY_METHOD = {
    "CheckPerformTransaction": "check_perform",
    "CreateTransaction": "create",
    "PerformTransaction": "perform",
    "CancelTransaction": "cancel",
    "CheckTransaction": "check",
    "GetStatement": "statement",
}
TEXT = {"uz": "Xato", "ru": "Ошибка", "en": "Error"}


class Refused(Exception):
    def __init__(self, code, data=None):
        super().__init__(code)
        self.code = code
        self.where = ""
        self.data = data


class Shop:
    """Orders 1 to n, or accounts that take money any number of times."""

    def __init__(self, *flaws, orders=2, cumulative=False, **traits):
        assert set(flaws) <= FLAWS, flaws
        self.flaws = set(flaws)
        self.traits = traits
        self.cumulative = cumulative
        self.orders = dict.fromkeys(range(1, orders + 1), "waiting")
        self.transactions = {}
        self.refused = {}
        self.lock = threading.RLock()
        self.meeting = threading.Barrier(2, timeout=3)
        self.owner = threading.current_thread()
        self.alone = False
        self.seen = []
        self.skew = traits.get("skew", 0)

    def has(self, flaw):
        assert flaw in FLAWS, flaw
        return flaw in self.flaws

    def any(self, *flaws):
        return any(self.has(flaw) for flaw in flaws)

    def meet(self):
        """Let two simultaneous requests both come this far before either goes on.

        The grader sends those from threads of their own; what comes from its own thread is alone.
        """
        if threading.current_thread() is self.owner or self.alone:
            return False
        try:
            self.meeting.wait()
        except threading.BrokenBarrierError:
            self.alone = True
            return False
        return True

    def now(self):
        resolution = self.traits.get("resolution", 1)
        return (time.time_ns() // 1_000_000 + self.skew) // resolution * resolution

    # HTTP and JSON-RPC

    def send(self, verb, headers, body):
        self.seen.append((verb, dict(headers), body))
        time.sleep(self.traits.get("latency", 0))
        if verb != "POST":
            return self.not_post()
        kind = headers["Content-Type"]
        strict = self.has("application_json_only") or self.traits.get("strict_type")
        if strict and not kind.startswith("application/json"):
            return HttpAnswer(415, "application/json", b'{"detail":"Unsupported media type"}')
        if self.has("text_json_refused") and kind.startswith("text/json"):
            return self.rpc(None, Refused(-32600))
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            return self.bad_json()
        if not self.is_request(request):
            return self.bad_request(request)
        return self.served(request, headers)

    def close(self):
        pass

    def not_post(self):
        if self.has("get_405"):
            return HttpAnswer(405, "text/html", b"<h1>Method not allowed</h1>")
        if self.has("get_served"):
            return self.rpc(None, result={})
        return self.rpc(None, Refused(-32300))

    def bad_json(self):
        if self.has("bad_json_500"):
            return HttpAnswer(500, "text/html", b"<h1>Error</h1>")
        if self.has("bad_json_accepted"):
            return self.rpc(None, result={"ok": True})
        return self.rpc(None, Refused(-32400 if self.has("bad_json_system_error") else -32700))

    def bad_request(self, request):
        if self.has("bad_request_500"):
            return HttpAnswer(500, "text/html", b"<h1>Error</h1>")
        if self.has("bad_request_hangs"):
            raise NoAnswer("no answer within 10 s")
        call_id = request.get("id") if isinstance(request, dict) else None
        return self.rpc(call_id, Refused(-32504 if self.has("bad_request_denied") else -32600))

    def is_request(self, request):
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return False
        if self.has("jsonrpc_demanded") and request.get("jsonrpc") != "2.0":
            return False
        params = request.get("params")
        if not isinstance(params, dict):
            return False
        if request["method"] == "CheckPerformTransaction":
            self.forgive(params)
        kinds = {
            "id": str,
            "amount": int,
            "account": dict,
            "time": int,
            "from": int,
            "to": int,
            "reason": int,
        }
        wanted = {
            "CheckPerformTransaction": ("amount", "account"),
            "CreateTransaction": ("id", "time", "amount", "account"),
            "PerformTransaction": ("id",),
            "CancelTransaction": ("id", "reason"),
            "CheckTransaction": ("id",),
            "GetStatement": ("from", "to"),
        }.get(request["method"], ())
        return all(isinstance(params.get(name), kinds[name]) for name in wanted)

    def forgive(self, params):
        amount = params.get("amount", 0)
        if self.has("amount_truncated") and isinstance(amount, float):
            params["amount"] = int(amount)
        if self.has("amount_absolute") and isinstance(amount, int) and amount:
            params["amount"] = abs(amount)
        if self.has("amount_none_is_any") and amount is None:
            params["amount"] = AMOUNT
        if self.has("account_empty_is_any") and params.get("account") == {}:
            params["account"] = {"order_id": 1}
        if self.has("account_missing_is_any"):
            params.setdefault("account", {"order_id": 1})

    def served(self, request, headers):
        method, params = request["method"], request["params"]
        name = BY_METHOD.get(method)
        admitted = self.admits(headers, name)
        if admitted or (name and self.has_effect_before_auth(name)):
            answer = self.answered(name, params, request)
        if not admitted:
            if self.has("auth_refused_with_401"):
                return HttpAnswer(401, "text/html", b"Unauthorized")
            code = -32400 if self.has("auth_wrong_code") else -32504
            return self.rpc(request.get("id"), Refused(code))
        return answer

    def has_effect_before_auth(self, name):
        return f"{name}s_before_auth" in self.flaws

    def answered(self, name, params, request):
        if name is None:
            if self.has("unknown_method_hangs"):
                raise NoAnswer("no answer within 10 s")
            if self.has("unknown_method_result"):
                return self.rpc(request.get("id"), result={})
            code = -32600 if self.has("unknown_method_code") else -32601
            return self.rpc(request.get("id"), Refused(code, request["method"]))
        if name == "statement" and self.has("answers_500_to_statements"):
            return HttpAnswer(500, "text/html", b"<h1>Error</h1>")
        if name == "cancel" and self.has("drops_cancel"):
            raise NoAnswer("no answer within 10 s")
        try:
            result = getattr(self, name)(
                **{"from_" if k == "from" else k: v for k, v in params.items()}
            )
        except Refused as refused:
            refused.where = name
            return self.rpc(request.get("id"), refused)
        return self.rpc(request.get("id"), result=result)

    def rpc(self, call_id, refused=None, result=None):
        answer = {"jsonrpc": "2.0", "id": call_id}
        if self.has("no_id"):
            del answer["id"]
        if self.has("id_as_text"):
            answer["id"] = str(call_id)
        if self.has("other_id"):
            answer["id"] = 0
        if refused is None:
            answer["result"] = result
            if self.has("result_and_error"):
                answer["error"] = {"code": 0, "message": "ok"}
            if self.has("neither_result_nor_error") and result and "allow" not in result:
                answer = {"id": call_id}
            if self.has("bare_answer"):
                answer = result
            if isinstance(answer, dict) and self.traits.get("extra_members"):
                answer["error"] = None
                answer["server"] = "shop"
        else:
            answer["error"] = self.error(refused)
            if self.traits.get("extra_members"):
                answer["result"] = None
                answer["error"]["origin"] = "shop"
        status = 400 if refused is not None and self.has("refuses_with_400") else 200
        kind = {"html_type": "text/html", "no_type": ""}
        (kind,) = [kind[flaw] for flaw in kind if self.has(flaw)] or ["application/json"]
        ascii_ = bool(self.traits.get("escaped"))
        return HttpAnswer(status, kind, json.dumps(answer, ensure_ascii=ascii_).encode())

    def error(self, refused):
        is_account = refused.code in range(-31099, -31049)
        error = {"code": refused.code, "message": dict(TEXT), "data": refused.data}
        if self.traits.get("other_texts"):
            error["message"] = {"ru": "Нет", "uz": "Yoʻq", "en": "No", "kz": "Жоқ"}
        if self.has("code_as_text"):
            error["code"] = str(refused.code)
        prefix = "account_" if is_account else ""
        if f"{prefix}plain_message" in self.flaws:
            error["message"] = "Error"
        if f"{prefix}plain_message_in_{refused.where}" in self.flaws:
            error["message"] = "Error"
        if f"{prefix}two_languages" in self.flaws:
            del error["message"]["uz"]
        if is_account and f"account_no_data_in_{refused.where}" in self.flaws:
            error["data"] = None
        if is_account and self.has("account_no_message"):
            del error["message"]
        if is_account and self.has("account_no_data"):
            error["data"] = None
        if is_account and self.has("account_data_is_value"):
            error["data"] = "7"
        if is_account and self.has("account_data_is_account"):
            error["data"] = {"order_id": 7}
        return error

    # Who calls

    def admits(self, headers, name):
        flawed = f"no_auth_{name}"
        if self.has("no_auth") or flawed in self.flaws:
            return True
        given = headers.get("Authorization")
        if self.has("test_operation") and "Test-Operation" in headers:
            return True
        if given is None:
            without = self.has("test_operation_without_header") and "Test-Operation" in headers
            return self.has("header_optional") or without
        scheme, _, encoded = given.partition(" ")
        if self.has("raw_key") and encoded == KEY:
            return True
        if scheme != "Basic" and not self.has("bearer"):
            return False
        try:
            told = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            return False
        login, colon, password = told.partition(":")
        if self.has("no_password") and not colon:
            return True
        stand = told == f"Paycom:{TEST_STAND}"
        loose = [
            self.has("blank_password") and not password,
            self.has("key_within") and KEY in password,
            self.has("key_starts") and password != "" and KEY.startswith(password),
            self.has("key_ends") and password != "" and KEY.endswith(password),
            self.has("starts_with_key") and password.startswith(KEY),
            self.has("ends_with_key") and password.endswith(KEY),
            self.has("last_part") and told.split(":")[-1] == KEY,
            self.has("second_part") and told.split(":")[1:2] == [KEY],
            self.has("any_case") and password.lower() == KEY.lower(),
            self.has("any_login") and password == KEY and login != "",
            self.has("no_login_needed") and password == KEY and login == "",
            self.has("login_ends") and password == KEY and login.endswith("Paycom"),
            self.has("test_stand_password") and stand,
            self.has("test_stand_with_operation") and stand and "Test-Operation" in headers,
            self.has("test_operation_password") and password == "Test-Operation",
            told == f"Paycom:{KEY}",
        ]
        return any(loose)

    # Orders

    def order(self, account, *, creates=False):
        value = str(account.get("order_id"))
        number = int(value) if value.isascii() and value.isdigit() else None
        if number in self.orders:
            return number
        if self.has("any_account") or (creates and self.has("any_account_in_create")):
            return 1
        code = self.traits.get("account_code", -31050)
        raise Refused(-31003 if self.has("unknown_wrong_code") else code, "order_id")

    def check_amount(self, amount, where):
        loose = [
            self.has("any_amount"),
            self.has("smaller_amount") and amount < AMOUNT,
            self.has("larger_amount") and amount > AMOUNT,
            self.has("amount_in_create_only") and where == "check_perform",
            self.has("amount_in_check_only") and where == "create",
            self.has("amount_in_som") and amount in (AMOUNT, AMOUNT // 100),
            self.has("amount_rounded") and amount // 100 == AMOUNT // 100,
            self.has("amount_of_one") and amount == 1,
            amount == AMOUNT,
            self.cumulative and amount > 0,
        ]
        if not any(loose):
            raise Refused(-31008 if self.has("amount_wrong_code") else -31001)

    def holder(self, number):
        for one in self.transactions.values():
            if one["order"] == number and one["state"] == 1 and not self.expired(one):
                return one
        return None

    def expired(self, one):
        age = self.now() - one["time"]
        if self.has("never_expires"):
            return False
        if self.has("expires_by_create_time"):
            age = self.now() - one["create_time"]
        limit = EXPIRY
        if self.has("expires_after_a_day"):
            limit = 2 * EXPIRY
        if self.has("expires_after_an_hour"):
            limit = HOUR
        if self.has("expires_after_twelve_minutes"):
            limit = HOUR // 5
        return age > limit

    def is_blocked(self, number, where):
        """Left so by an attempt that is over."""
        for one in self.transactions.values():
            ended = "expired" if one["reason"] == 4 else "cancelled"
            names = {f"{ended}_blocks", f"{ended}_blocks_{where}"}
            if one["order"] == number and one["state"] == -1 and names & self.flaws:
                return True
        return False

    # Methods

    def check_perform(self, amount, account):
        with self.lock:
            if self.has("unknown_allowed_when_asked") and "no-such" in str(account):
                return {"allow": True}
            number = self.order(account)
            self.check_amount(amount, "check_perform")
            state = self.orders[number]
            if not self.cumulative:
                code = self.traits.get("busy_check_code", -31008)
                if state == "paid" and not self.has("paid_allowed"):
                    raise Refused(code, "order_id")
                if state == "closed":
                    raise Refused(-31053, "order_id")
                if self.holder(number) and not self.has("busy_allowed"):
                    raise Refused(code, "order_id")
            if self.is_blocked(number, "check"):
                raise Refused(-31008)
            answer = {"allow": True}
            if self.has("allow_one"):
                answer = {"allow": 1}
            if self.has("allow_text"):
                answer = {"allow": "true"}
            if self.has("allow_missing"):
                answer = {"ok": True}
            if self.has("allow_false"):
                answer = {"allow": False}
            if self.traits.get("extra_members"):
                answer["additional"] = {"Filial": "Chilonzor"}
            return answer

    def create(self, id, time, amount, account):
        if self.has("race_create"):
            number = self.order(account)
            free = self.orders[number] == "waiting" and not self.holder(number)
            if free and id not in self.transactions:
                self.meet()
                self.check_amount(amount, "create")
                return self.store(id, time, amount, account, number)
        if self.has("race_repeat") and id not in self.transactions:
            self.meet()
            if id in self.transactions:
                raise Refused(-32400)
        with self.lock:
            known = self.transactions.get(id)
            if known:
                return self.repeat_create(known)
            if self.has("create_refuses"):
                raise Refused(-31008)
            try:
                number = self.payable(amount, account)
            except Refused as refused:
                self.refused[id] = {"id": id, "time": time, "amount": amount, "account": account}
                stored = self.has("stores_refused") and refused.code == -31008
                if stored or (self.has("stores_wrong_amount") and refused.code == -31001):
                    self.store(id, time, amount, account, self.order(account))
                    self.transactions[id]["hidden"] = True
                raise
            return self.store(id, time, amount, account, number)

    def payable(self, amount, account):
        number = self.order(account, creates=True)
        self.check_amount(amount, "create")
        if self.cumulative:
            busy = self.holder(number) and self.has("cumulative_busy")
            paid = self.orders[number] == "paid" and self.has("cumulative_paid_once")
            if busy or paid:
                raise Refused(-31008)
            return number
        state = self.orders[number]
        if state == "closed" or (state == "paid" and not self.has("paid_again")):
            raise Refused(self.traits.get("paid_code", -31008), "order_id")
        holder = self.holder(number)
        if holder and self.has("busy_replaced"):
            holder["state"] = -1
        elif holder and not self.has("busy_ignored"):
            if self.has("busy_account_code"):
                raise Refused(-31050, "order_id")
            raise Refused(-32400 if self.has("busy_system_error") else -31008)
        if self.is_blocked(number, "create"):
            raise Refused(-31008)
        return number

    def store(self, id, time, amount, account, number):
        one = {
            "id": id,
            "time": time,
            "amount": amount,
            "account": account,
            "order": number,
            "create_time": self.now(),
            "perform_time": 0,
            "cancel_time": 0,
            "state": 1,
            "reason": None,
            "number": len(self.transactions) + 1,
            "hidden": False,
        }
        if self.expired(one) and self.traits.get("refuses_expired_at_once"):
            raise Refused(-31008)
        self.transactions[id] = one
        return self.created(one)

    def created(self, one):
        answer = {
            "create_time": one["create_time"],
            "transaction": self.name(one, "create"),
            "state": 1,
        }
        if self.has("create_state_text"):
            answer["state"] = "1"
        if self.has("create_state_zero"):
            answer["state"] = 0
        if self.has("create_time_foreign"):
            answer["create_time"] = one["time"]
        self.spoil_time(answer, "create_time")
        if self.traits.get("extra_members"):
            answer["receivers"] = None
        return answer

    def spoil_time(self, answer, name):
        value = answer[name]
        spoiled = {
            f"{name}_seconds": value // 1000,
            f"{name}_null": None,
            f"{name}_text": str(value),
            f"{name}_zero": 0,
            f"{name}_hours_off": value + 5 * HOUR,
            f"{name}_float": value + 0.5,
            f"{name}_microseconds": value * 1000,
        }
        for flaw, other in spoiled.items():
            if flaw in self.flaws:
                answer[name] = other

    def name(self, one, where):
        if f"{where}_int_transaction" in self.flaws:
            return one["number"]
        return "" if self.has("transaction_empty") else str(one["number"])

    def repeat_create(self, known):
        state = known["state"]
        if state == 1 and not self.expired(known):
            if self.has("repeat_create_refused"):
                raise Refused(-31008)
            if self.has("repeat_create_restamps"):
                known["create_time"] = self.now()
            if self.has("repeat_create_renames"):
                known["number"] += 1000
            return self.created(known)
        if state == 1:
            self.end(known, -1, 4)
        if state == -1 and self.has("create_revives_cancelled"):
            known["state"] = 1
        if state == -2 and self.has("create_revives_refunded"):
            known["state"] = 1
        repeats = [
            state == -1 and self.has("create_repeats_cancelled"),
            state == 2 and self.has("create_repeats_performed"),
        ]
        if any(repeats):
            return self.created(known)
        raise Refused(-31008)

    def known(self, id, where):
        one = self.transactions.get(id)
        if one is None:
            if where == "check" and self.has("unknown_check_result"):
                return None
            raise Refused(-32400 if f"unknown_{where}_code" in self.flaws else -31003)
        return one

    def end(self, one, state, reason):
        one.update(state=state, reason=reason, cancel_time=self.now())
        if state == -2:
            self.orders[one["order"]] = "closed"

    def perform(self, id):
        if self.has("race_perform"):
            one = self.known(id, "perform")
            if one["state"] == 1:
                self.meet()
                if one["state"] == 2:
                    raise Refused(-31008)
        if self.meets_cancel(id, "perform"):
            one = self.transactions[id]
            one.update(state=2, perform_time=self.now())
            self.orders[one["order"]] = "paid"
            return self.performed(one)
        with self.lock:
            one = self.known(id, "perform")
            if one["state"] == 1 and self.expired(one):
                if self.has("expired_code"):
                    raise Refused(-31001)
                if not self.has("expired_stays"):
                    self.end(one, -1, None if self.has("expired_reason_lost") else 4)
                raise Refused(-31008)
            if one["state"] == 1:
                if self.has("perform_refuses"):
                    raise Refused(-31008)
                one.update(state=2, perform_time=self.now())
                self.orders[one["order"]] = "paid"
                return self.performed(one)
            if one["state"] == 2:
                if self.has("repeat_perform_refused"):
                    raise Refused(-31008)
                if self.has("repeat_perform_restamps"):
                    one["perform_time"] = self.now()
                return self.performed(one)
            return self.perform_gone(one)

    def meets_cancel(self, id, where):
        """Both saw a transaction that waits, and neither waits for the other."""
        return self.has("race_cancel") and self.known(id, where)["state"] == 1 and self.meet()

    def perform_gone(self, one):
        if one["state"] == -1 and self.has("performs_cancelled"):
            one.update(state=2, perform_time=self.now())
            return self.performed(one)
        if one["state"] == -1 and self.has("performs_cancelled_silently"):
            one.update(state=2, perform_time=self.now())
        if one["state"] == -2 and self.has("performs_refunded"):
            one.update(state=2, perform_time=self.now())
            return self.performed(one)
        if one["state"] == -2 and self.has("repeats_performed_refunded"):
            return self.performed(one)
        raise Refused(-31003 if self.has("perform_cancelled_code") else -31008)

    def performed(self, one):
        answer = {
            "transaction": self.name(one, "perform"),
            "perform_time": one["perform_time"],
            "state": 2,
        }
        if self.has("perform_state_one"):
            answer["state"] = 1
        if self.has("perform_state_text"):
            answer["state"] = "2"
        if self.has("perform_time_is_create_time"):
            answer["perform_time"] = one["create_time"]
        self.spoil_time(answer, "perform_time")
        return answer

    def cancel(self, id, reason):
        if self.meets_cancel(id, "cancel"):
            one = self.transactions[id]
            self.end(one, -1, reason)
            return self.cancelled(one)
        with self.lock:
            one = self.known(id, "cancel")
            if one["state"] == 1:
                if self.has("cancel_refused"):
                    raise Refused(-31007)
                if self.has("reason_fixed"):
                    reason = 10
                self.end(one, -2 if self.has("cancel_refund_state") else -1, reason)
                if self.has("perform_time_when_cancelled"):
                    one["perform_time"] = self.now()
            elif one["state"] == 2:
                self.refund(one, reason)
            else:
                if self.has("repeat_cancel_refused"):
                    raise Refused(-31007)
                refunded = one["state"] == -2 and self.has("repeat_refund_restamps")
                if refunded or (one["state"] == -1 and self.has("repeat_cancel_restamps")):
                    one["cancel_time"] = self.now()
            return self.cancelled(one)

    def refund(self, one, reason):
        if self.traits.get("no_refunds"):
            raise Refused(-31007)
        if self.has("refund_wrong_code"):
            raise Refused(-31008)
        self.end(one, -2, reason)
        if self.has("race_cancel_forgets") and reason != 5:
            one["state"] = 2
        if self.has("refund_refused_but_done"):
            raise Refused(-31007)

    def cancelled(self, one):
        state = one["state"]
        if self.has("race_cancel_forgets") and state == 2:
            state = -2
        if state == -1 and self.has("cancel_state_minus_three"):
            state = -3
        if state == -2 and self.has("refund_state_minus_one"):
            state = -1
        answer = {
            "transaction": self.name(one, "cancel"),
            "cancel_time": one["cancel_time"],
            "state": state,
        }
        if one["state"] == -1 and self.has("cancel_time_is_create_time"):
            answer["cancel_time"] = one["create_time"]
        if one["state"] == -2 and self.has("refund_time_is_perform_time"):
            answer["cancel_time"] = one["perform_time"]
        self.spoil_time(answer, "cancel_time")
        return answer

    def check(self, id):
        with self.lock:
            one = self.known(id, "check")
            if one is None:
                return {"state": 0}
            if one["hidden"]:
                raise Refused(-31003)
            return self.reported(one)

    def reported(self, one):
        answer = {name: one[name] for name in ("create_time", "perform_time", "cancel_time")}
        answer |= {"state": one["state"], "reason": one["reason"]}
        answer["transaction"] = self.name(one, "check")
        if self.has("unset_null"):
            answer |= {name: answer[name] or None for name in ("perform_time", "cancel_time")}
        if self.has("unset_now") and not answer["cancel_time"]:
            answer["cancel_time"] = self.now()
        if self.has("check_cancel_time_null"):
            answer["cancel_time"] = answer["cancel_time"] and None
        if self.has("check_create_time_is_time"):
            answer["create_time"] = one["time"]
        if self.has("check_perform_time_moves") and answer["perform_time"]:
            answer["perform_time"] += 1
        if self.has("check_other_transaction"):
            answer["transaction"] = "0" + answer["transaction"]
        if self.has("check_state_text"):
            answer["state"] = str(answer["state"])
        if self.has("check_always_one"):
            answer["state"] = 1
        for member in ("create_time", "perform_time", "cancel_time"):
            if f"check_no_{member}" in self.flaws:
                del answer[member]
        if self.has("reason_lost") or (one["state"] == -2 and self.has("refund_reason_lost")):
            answer["reason"] = None
        if self.has("reason_zero") and answer["reason"] is None:
            answer["reason"] = 0
        if self.has("reason_text") and answer["reason"] is not None:
            answer["reason"] = str(answer["reason"])
        if self.traits.get("extra_members"):
            answer["receivers"] = None
        return answer

    def statement(self, from_, to):
        with self.lock:
            rows = [self.row(one) for one in self.listed(from_, to)]
        if not rows and self.has("statement_empty_is_error"):
            raise Refused(-31003)
        if self.has("statement_bare"):
            return rows
        if self.has("statement_bare_ids"):
            rows = [row["id"] for row in rows]
        if self.has("statement_singular"):
            return {"transaction": rows}
        if not rows and self.has("statement_empty_is_null"):
            return {"transactions": None}
        return {"transactions": rows}

    def listed(self, from_, to):
        if self.has("statement_bounds_in_seconds"):
            from_, to = from_ // 1000, to // 1000
        by = "create_time" if self.has("statement_by_create_time") else "time"
        found = []
        everything = list(self.transactions.values())
        if self.has("statement_lists_refused"):
            blank = {"order": 1, "create_time": 0, "perform_time": 0, "cancel_time": 0}
            blank |= {"state": 1, "reason": None, "number": 0, "hidden": False}
            everything += [{**blank, **one} for one in self.refused.values()]
        for one in everything:
            at = one[by]
            early = at < from_ or (at == from_ and self.has("statement_excludes_from"))
            late = at > to or (at == to and self.has("statement_excludes_to"))
            if early and not self.any("statement_everything", "statement_ignores_from"):
                continue
            if late and not self.any("statement_everything", "statement_ignores_to"):
                continue
            if self.has("statement_performed_only") and one["state"] not in (2, -2):
                continue
            found.append(one)
        if to < HOUR and self.any("statement_everything", "statement_ignores_to"):
            found = []
        if self.has("statement_empty_list"):
            found = []
        by = "create_time" if self.traits.get("sorted_by_create_time") else "time"
        found.sort(key=lambda one: one[by], reverse=self.has("statement_newest_first"))
        if self.has("statement_last_created_first"):
            found.sort(key=lambda one: one["number"], reverse=True)
        return found[:1] if self.has("statement_one_row") else found

    def row(self, one):
        row = self.reported(one)
        row |= {name: one[name] for name in ("id", "time", "amount", "account")}
        if self.has("row_amount_in_som"):
            row["amount"] //= 100
        if self.has("row_amount_text"):
            row["amount"] = str(row["amount"])
        if self.has("row_create_time_hours_off"):
            row["create_time"] += 5 * HOUR
        if self.has("row_other_transaction"):
            row["transaction"] += "x"
        if self.has("row_time_seconds"):
            row["time"] //= 1000
        if self.has("row_time_is_create_time"):
            row["time"] = one["create_time"]
        if self.has("row_no_account"):
            del row["account"]
        if self.has("row_account_text"):
            row["account"] = json.dumps(one["account"])
        if self.has("row_other_account"):
            row["account"] = {"order_id": "0"}
        if self.has("row_int_transaction"):
            row["transaction"] = one["number"]
        if self.has("row_no_reason"):
            del row["reason"]
        if self.has("row_state_text"):
            row["state"] = str(row["state"])
        if self.has("row_perform_time_null"):
            row["perform_time"] = None
        if self.traits.get("account_as_text"):
            row["account"] = {name: str(value) for name, value in one["account"].items()}
        return row


class InProcess:
    """Reaches a shop without a socket, as `HttpTransport` does with one."""

    def __init__(self, shop):
        self.shop = shop

    def send(self, verb, headers, body):
        return self.shop.send(verb, headers, body)

    def close(self):
        pass


def pause():
    """Long enough for a clock that counts milliseconds."""
    time.sleep(0.002)


def graded(shop, *, key=KEY, orders=None, pause=pause):
    """Grade a shop without a socket."""
    given = [{"order_id": number} for number in orders or shop.orders]
    pool = Orders(given, None, cumulative=shop.cumulative)
    caller = Caller(InProcess(shop), key)
    endpoint = Endpoint(caller, pool, AMOUNT, shop.cumulative, pause)
    return grade_endpoint(endpoint, "http://shop.test/payme")


@contextmanager
def serving_shop(shop):
    """Serve a shop over HTTP; gives its address."""
    from support.servers import serving_wsgi

    def app(environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {"Content-Type": environ.get("CONTENT_TYPE", "")}
        for name, title in (
            ("HTTP_AUTHORIZATION", "Authorization"),
            ("HTTP_TEST_OPERATION", "Test-Operation"),
        ):
            if name in environ:
                headers[title] = environ[name]
        body = environ["wsgi.input"].read(length)
        answer = shop.send(environ["REQUEST_METHOD"], headers, body)
        sent = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} X", sent)
        return [answer.body]

    with serving_wsgi(app) as port:
        yield f"http://127.0.0.1:{port}/payme"
