"""`sandbox.faults`: the faults of a running sandbox, set from any thread."""

from collections.abc import Mapping
from random import Random
from threading import Lock
from typing import Any

from payme.sandbox.engine import fault_rules, faults
from payme.sandbox.engine.durations import Duration
from payme.sandbox.engine.faults import Action, Fault, FaultContext, When


class Faults:
    """Sets faults and takes them away.

    They live in memory: a sandbox that is started again has none, with a database or without.

    Args:
        seed: Makes the chance in rules with a probability the same in every run.

    Example:
        >>> sandbox.faults.add("receipts.pay", when="after", action="drop", times=1)
    """

    def __init__(self, seed: int | None = None) -> None:
        # A source of its own: a fault that is added must not change the tokens.
        self._seed = None if seed is None else f"faults of {seed}"
        self._rng = Random(self._seed)  # noqa: S311 - nothing here guards anything
        self._faults = faults.Faults(self._rng)
        self._lock = Lock()

    @property
    def active(self) -> bool:
        """Whether any fault may still strike."""
        return self._faults.active

    def add(
        self,
        method: str = "receipts.*",
        *,
        when: When = "before",
        action: Action,
        account: Mapping[str, str | float] | None = None,
        amount: int | tuple[int | None, int | None] | None = None,
        card: str | None = None,
        probability: float = 1.0,
        times: int | None = None,
        priority: int = 0,
        delay_ms: Duration | None = None,
        advance_ms: Duration | None = None,
        status: int = 503,
        code: int = -32400,
        message: str = "System error.",
        data: Any = None,
    ) -> Fault:
        """Set a fault.

        A call is struck by one fault at most: of those that match and fire, the one with the
        highest priority, and among equals the one that was set first.

        Args:
            method: Method, or glob of methods; a method of the Merchant API, such as
                `PerformTransaction`, strikes the sandbox's calls to the merchant.
            when: `before` the effect, `after` it, or `mid_body`: after it, half way through the
                answer.
            action: What happens.
            account: Fields that the account must have.
            amount: Amount that the receipt must have, or the smallest and the largest, in tiyin.
            card: Card that must be used, its number whole or masked.
            probability: How likely it fires at a call that matches, from 0 to 1.
            times: How often it fires before it is used up; by default without end.
            priority: The highest goes first.
            delay_ms: How long the answer waits, in ms of real time; a second for `delay`, else
                nothing. Texts such as "10s" do as well.
            advance_ms: How far the sandbox's clock moves when it fires, in ms or as text.
            status: HTTP status of `http_status`.
            code: Code of `rpc_error`.
            message: Text of `rpc_error`.
            data: `data` of `rpc_error`.

        Returns:
            The fault; its `left` counts down.

        Raises:
            InvalidSetting: If an argument is not as it must be.
        """
        return self.add_json(
            {
                "method": method,
                "when": when,
                "action": action,
                "account": account,
                "amount": amount,
                "card": card,
                "probability": probability,
                "times": times,
                "priority": priority,
                "delay_ms": delay_ms,
                "advance_ms": advance_ms,
                "status": status,
                "code": code,
                "message": message,
                "data": data,
            }
        )

    def add_json(self, given: Mapping[str, Any]) -> Fault:
        """Set a fault that is given as a JSON object; see `add`."""
        rule = fault_rules.rule({"method": "receipts.*", **given})
        with self._lock:
            return self._faults.add(rule)

    def add_text(self, line: str) -> Fault:
        """Set a fault that is given as a line, such as `receipts.pay after drop times=1`."""
        rule = fault_rules.from_text(line)
        with self._lock:
            return self._faults.add(rule)

    def list(self) -> "list[Fault]":
        """List the faults in the order in which they are tried, the used up ones included."""
        with self._lock:
            return self._faults.list()

    def remove(self, fault_id: int) -> bool:
        """Take a fault away. Returns whether there was one."""
        with self._lock:
            return self._faults.remove(fault_id)

    def clear(self) -> int:
        """Take all faults away. Returns how many there were."""
        with self._lock:
            return self._faults.clear()

    def reset(self) -> None:
        """Take all faults away, and let chance begin anew."""
        with self._lock:
            self._faults = faults.Faults(self._rng)
            self._rng.seed(self._seed)

    def choose(self, call: FaultContext) -> Fault | None:
        """Pick the fault that strikes a call, and count it down."""
        with self._lock:
            return self._faults.choose(call)
