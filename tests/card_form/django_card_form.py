"""Run by a test in a process of its own: settings of Django are for a whole process."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings

ID = "587f72c72cac0d162c722ae2"
PAGE = Path(__file__).parents[2] / "docs" / "en" / "cards.md"

# What the page tells to write into the settings.
told: dict[str, Any] = {"INSTALLED_APPS": ["django.contrib.staticfiles"]}
(block,) = re.findall(r"^```python file\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
exec(block, told)

settings.configure(
    INSTALLED_APPS=told["INSTALLED_APPS"],
    STATIC_URL="/static/",
    PAYME_CARD_FORM=told["PAYME_CARD_FORM"],
    LANGUAGE_CODE="ru-ru",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()

from django.contrib.staticfiles import finders  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.utils.translation import override  # noqa: E402

from payme import card_form  # noqa: E402

call_command("check", "--fail-level", "WARNING")
assert finders.find("payme/card-form.js") == str(card_form.FILE)

tag = "{% load payme_card_form %}{% payme_card_form save='always' %}"
src = "/static/payme/card-form.js"


def written(**context: object) -> str:
    return Template(tag).render(Context(context))


expected = {"endpoint": "test", "save": "always", "src": src}
assert written() == card_form.html(ID, lang="ru", **expected)
with override("uz"):
    assert written() == card_form.html(ID, lang="uz", **expected)
with override("de"):
    assert written() == card_form.html(ID, **expected)
nonce = SimpleNamespace(csp_nonce="n1")
assert 'nonce="n1"' in written(request=nonce)
given = Template("{% load payme_card_form %}{% payme_card_form cashbox=mine lang='en' %}")
assert 'cashbox="aaaa"' in given.render(Context({"mine": "aaaa"}))
print("passed")
