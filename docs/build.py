"""Builds the documentation: a site per language, a page that leads to them, texts for models.

    python docs/build.py docs/_build

`PAYME_DOCS_URL` is the address where all of it is published, such as `https://docs.shop.uz/`; with
it the links in `llms.txt` are whole addresses.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))
import plain  # noqa: E402
from languages import SITES  # noqa: E402

from payme.errors.catalogue import Language  # noqa: E402


def build(out: Path) -> None:
    """Build all of it, the languages side by side.

    Args:
        out: Folder to write to.

    Raises:
        SystemExit: A page has an error, or a warning; Sphinx has said which.
    """
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=len(SITES)) as pool:
        failed = [code for code in pool.map(lambda one: _site(one, out), SITES) if code]
    if failed:
        raise SystemExit(failed[0])
    address = os.environ.get("PAYME_DOCS_URL", "")
    plain.write(out, address.rstrip("/") + "/" if address else "")
    links = "\n".join(
        f'<a href="{code}/index.html" hreflang="{code}" lang="{code}">'
        f"<b>{escape(site.name)}</b>{escape(site.summary)}</a>"
        for code, site in SITES.items()
    )
    root = (DOCS / "_root" / "index.html").read_text(encoding="utf-8")
    (out / "index.html").write_text(root.replace("@LANGUAGES@", links), encoding="utf-8")


def _site(language: Language, out: Path) -> int:
    command = [
        sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-a", "-b", "html",
        "-c", str(DOCS), "-d", str(out / ".doctrees" / language),
        "-D", f"language={language}", "-D", f"html_title={SITES[language].title}",
        str(DOCS / language), str(out / language),
    ]  # fmt: skip
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own words


def main() -> None:
    """Build into the folder that the command names."""
    parser = argparse.ArgumentParser(description="Build the documentation in three languages.")
    parser.add_argument("out", type=Path, nargs="?", default=DOCS / "_build")
    build(parser.parse_args().out)


if __name__ == "__main__":
    main()
