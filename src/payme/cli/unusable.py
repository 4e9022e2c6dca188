"""Credentials that can't be used: why, and what to do, each on its own for `payme doctor`."""

from typing import Final

from payme.errors import ConfigurationError


class Unusable(ConfigurationError):
    """There are no credentials, or none that may be used.

    Args:
        seen: What is wrong.
        remedy: What to do.
    """

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(f"{seen}: {remedy}")
        self.seen: Final = seen
        self.remedy: Final = remedy
