"""What a package index shows: no dead link, and whole addresses once the repository is known."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def hook():
    pytest.importorskip("hatchling", reason="needs hatchling: pip install hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_repository_no_link_leads_into_it(hook):
    shown = hook.as_shown(README, "")
    assert [link for link in LINK.findall(shown) if not link.startswith("http")] == []
    assert "![" not in shown
    assert "Documentation" in shown
    assert hook.urls("", "") == {}


def test_with_one_every_link_and_picture_is_whole(hook):
    shown = hook.as_shown(README, "https://example.org/shop/payme/")
    links = LINK.findall(shown)
    assert len(links) == len(LINK.findall(README))
    assert all(link.startswith("https://") for link in links)
    inside = [link for link in links if link.startswith("https://example.org/")]
    assert len(inside) > 10
    for link in inside:
        kind, branch, path = link.removeprefix("https://example.org/shop/payme/").split("/", 2)
        assert (ROOT / path).exists(), link
        assert (kind == "raw") == path.endswith(".png")
        assert branch == "main"
    listed = hook.urls("https://example.org/shop/payme/", "https://docs.example.org/")
    assert listed["Source"] == "https://example.org/shop/payme"
    assert set(listed) == {"Documentation", "Source", "Changelog"}


def test_text_and_code_stay_as_they_are(hook):
    assert hook.as_shown("`a[b](c)` and [x](https://y.z)", "") == "`a[b](c)` and [x](https://y.z)"


def test_the_project_names_the_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["readme", "urls"]
    assert set(project["tool"]["hatch"]["metadata"]["hooks"]["custom"]) == {
        "repository",
        "documentation",
    }
