"""What the sandbox raises in the program that runs it."""

from collections.abc import Iterable
from typing import Any, Final, Literal

from payme import redact

_MAX_SHOWN: Final = 60

# By what name `redact` knows an argument: a fault's `code` is an error's and no SMS code.
_SHOWN_AS: Final = {"card": "number", "code": ""}


class SandboxError(RuntimeError):
    """The sandbox can't be started as asked; the text says what to change."""


class StorageError(SandboxError):
    """The sandbox's database failed: it is locked, full, damaged or gone. Nothing was written."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"the sandbox's database failed: {reason}")


Silence = Literal["unreachable", "timeout", "lost"]
"""Why a merchant did not answer: no connection, none in time, or the connection broke before."""


class Unanswered(Exception):
    """The merchant did not answer a request.

    Attributes:
        outcome: Why.
    """

    def __init__(self, outcome: Silence) -> None:
        super().__init__(outcome)
        self.outcome: Silence = outcome


class SandboxFault(Exception):
    """A fault that was asked for: `Sandbox.handle` has no whole answer to return.

    Attributes:
        reason: What happened, in words.
        sent: Always true. As on a real wire, who lost the answer can't tell whether the request
            arrived, not even when the fault struck before the effect.
        status: HTTP status that was answered in place of 200; None when no answer came at all.
        body: Body that came with `status`.
    """

    def __init__(self, reason: str, *, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = True
        self.status = status
        self.body = body


class InvalidSetting(ValueError):
    """A fault, a time or an option that the sandbox does not understand.

    Attributes:
        argument: Name of the argument.
        given: What was given, shortened and without secrets.
        expected: What would have been right.
    """

    def __init__(self, argument: str, given: Any, expected: str) -> None:
        self.argument = _cut(redact.scrub(argument))
        self.given = _shown(argument, given)
        self.expected = expected
        super().__init__(f"{self.argument} is {self.given}: expected {expected}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.__dict__, self.args)


class UnknownArgument(InvalidSetting):
    """An argument that there is not.

    Attributes:
        argument: Its name.
        given: What was given for it, shortened and without secrets.
        expected: The names that there are.
    """

    def __init__(self, argument: str, given: Any, known: Iterable[str]) -> None:
        super().__init__(argument, given, f"one of {', '.join(known)}")
        self.args = (f"unknown argument {self.argument!r}; expected {self.expected}",)


def _rebuilt(
    kind: type[InvalidSetting], members: dict[str, Any], args: tuple[Any, ...]
) -> InvalidSetting:
    # Not by the constructor: it would shorten and quote once more what was shown already.
    error = kind.__new__(kind)
    error.__dict__ |= members
    error.args = args
    return error


def _shown(argument: str, given: Any) -> str:
    field = _SHOWN_AS.get(argument, argument)
    try:
        return _cut(redact.scrub(repr(redact.tree(given, field))))
    except RecursionError:
        return "a value nested too deeply to show"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
