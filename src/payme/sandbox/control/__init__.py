"""The control API: what a test or a script may see and change in a running sandbox, as JSON.

It lives under `/_sandbox/`, answers this computer alone or whoever has the password, and wants
every POST to be JSON, which no form on a foreign page can send. Nothing that it says holds a
secret.
"""

from payme.sandbox.control.handlers import PREFIX, routes, set_clock

__all__ = ["PREFIX", "routes", "set_clock"]
