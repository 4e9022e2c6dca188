"""The README as a package index shows it, and the project's addresses.

`[tool.hatch.metadata.hooks.custom]` of `pyproject.toml` sets both. An index shows the README away
from its files, so its links to them must be whole addresses. Until `repository` is set, such links
become plain text and pictures are left out: no link is better than a dead one.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Code is matched first, so that what looks like a link in it is left alone.
LINK = re.compile(r"`[^`\n]*`|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def as_shown(readme: str, repository: str) -> str:
    """Write the README for an index page.

    Args:
        readme: Its Markdown.
        repository: Address of the repository, or "".

    Returns:
        Markdown whose links are all whole.
    """
    root = repository.rstrip("/") + "/"

    def whole(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        if target is None or re.match(r"https?://|#|mailto:", target):
            return found[0]
        if not repository:
            return "" if picture else text
        kind = "raw" if picture else "blob"
        return f"{picture}[{text}]({urljoin(root, kind + '/main/' + target)})"

    return re.sub(r"\n{3,}", "\n\n", LINK.sub(whole, readme))


def urls(repository: str, documentation: str) -> dict[str, str]:
    """List the project's addresses.

    Args:
        repository: Address of the repository, or "".
        documentation: Address of the documentation, or "".

    Returns:
        What an index shows beside the README; nothing that leads nowhere.
    """
    root = repository.rstrip("/")
    inside = {"Source": root, "Changelog": f"{root}/blob/main/CHANGELOG.md"} if repository else {}
    return {**({"Documentation": documentation} if documentation else {}), **inside}


class CustomMetadataHook(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill them in.

        Args:
            metadata: The `[project]` table, to be changed.
        """
        root = Path(self.root)
        text = (root / "README.md").read_text(encoding="utf-8")
        repository = self.config.get("repository", "")
        readme = as_shown(text, repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
        metadata["urls"] = urls(repository, self.config.get("documentation", ""))
