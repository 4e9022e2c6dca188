"""Throw-away environments under `bench/.peers`, one for each package that is compared."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client.contestants import ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / ".peers"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@dataclass(frozen=True)
class Environment:
    """An interpreter that has one package, what the package needs, and nothing else.

    Attributes:
        name: Name of its folder.
        requirements: What is installed, separated by spaces.
    """

    name: str
    requirements: str

    @property
    def home(self) -> Path:
        """Return the directory of the environment."""
        return PEERS / self.name

    @property
    def python(self) -> Path:
        """Return the interpreter."""
        folder, suffix = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
        return self.home / folder / f"python{suffix}"

    @property
    def site_packages(self) -> Path:
        """Return where the package is installed."""
        return next(path for path in self.home.rglob("site-packages") if path.is_dir())

    @property
    def size(self) -> int:
        """Return the bytes that the installation takes, byte-code included."""
        return sum(path.stat().st_size for path in self.site_packages.rglob("*") if path.is_file())

    def prepare(self) -> None:
        """Install the package unless this very version is installed already."""
        stamp = self.home / "installed"
        wanted = self._fingerprint()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        print(f"installing {self.requirements} into {self.home.relative_to(ROOT)}")
        shutil.rmtree(self.home, ignore_errors=True)
        venv.create(self.home, symlinks=sys.platform != "win32")
        install = (*PIP, "--python", str(self.python), "install", "-qq", "--compile")
        subprocess.run((*install, *self.requirements.split()), cwd=ROOT, check=True)
        stamp.write_text(wanted)

    def _fingerprint(self) -> str:
        """Return what the installation is made from: the requirements, and our sources."""
        digest = hashlib.sha256(f"{sys.version} {self.requirements}".encode())
        for path in our_sources() if self.requirements.startswith(".") else ():
            digest.update(f"{path}\0".encode() + path.read_bytes())
        return digest.hexdigest()


def our_sources() -> Iterator[Path]:
    """Yield the files that the wheel of this checkout is built from."""
    yield ROOT / "pyproject.toml"
    sources = (ROOT / "src").rglob("*")
    yield from sorted(path for path in sources if path.is_file() and path.suffix != ".pyc")


def prepared(requirements: Mapping[str, str] = ENVIRONMENTS) -> dict[str, Environment]:
    """Return environments, installed.

    Args:
        requirements: What is installed in each, by the name of the environment.
    """
    environments = {name: Environment(name, wanted) for name, wanted in requirements.items()}
    for environment in environments.values():
        environment.prepare()
    return environments
