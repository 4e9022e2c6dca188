"""Runs `payme` as a user does: as a process, on a terminal of its own, or in this process."""

import json
import os
import pty
import select
import subprocess
import sys
import time

from click.testing import CliRunner

from payme.cli.commands import payme

CARD, EXPIRE, CODE = "8600069195406311", "0399", "666666"
PROGRAM = [sys.executable, "-m", "payme"]
# Makes the terminal the one that Ctrl-C comes from.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "payme", *sys.argv[1:]])
"""


def environment(box, **more):
    """Credentials of a sandbox, in English, and no profile of whoever runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PAYME_", "LC_", "LANG"))
    }
    return {
        **kept,
        "PAYME_MERCHANT_ID": box.merchant_id,
        "PAYME_KEY": box.key,
        "PAYME_BASE_URL": box.url,
        "PAYME_LANG": "en",
        **more,
    }


def run(*arguments, env=None, code=0, given=""):
    done = CliRunner().invoke(payme, [*arguments], input=given, env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def run_json(*arguments, **options):
    done = run(*arguments, "--json", **options)
    assert done.stdout.count("\n{") == 0
    return json.loads(done.stdout)


def process(*arguments, env, given=""):
    return subprocess.run(
        [*PROGRAM, *arguments], input=given, env=env, capture_output=True, text=True, timeout=60
    )


class Terminal:
    """`payme` on a terminal; stdout is a pipe if it is asked for."""

    def __init__(self, *arguments, env, piped=False):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, *arguments],
            stdin=slave,
            stdout=subprocess.PIPE if piped else slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def until(self, text):
        """Read until the program has written something."""
        end = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if not self._read():
                raise AssertionError(f"ended without {text!r}: {self.seen}")

    def _read(self):
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return self._process.poll() is None
        try:
            chunk = os.read(self._master, 65536)
        except OSError:
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)

    def type(self, line):
        os.write(self._master, f"{line}\n".encode())

    def interrupt(self):
        """Press Ctrl-C until it ends: what comes before Python reads the line is heard after it."""
        for _ in range(20):
            os.write(self._master, b"\x03")
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                if not self._read() or self._process.poll() is not None:
                    return

    def signal(self, number):
        self._process.send_signal(number)

    def end(self):
        """Wait for its end; return its exit code and what it wrote into the pipe."""
        out = self._process.stdout.read().decode() if self._process.stdout else ""
        last = time.monotonic() + 30
        while self._process.poll() is None:
            if time.monotonic() > last:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"does not end: {self.seen}")
            self._read()
        while self._read():
            pass
        if self._process.stdout:
            self._process.stdout.close()
        os.close(self._master)
        return self._process.returncode, out
