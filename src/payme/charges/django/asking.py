"""Pages of Django's admin that change nothing themselves, and ask for something after agreement.

What a person is asked to agree to is listed with the version that was shown: what has changed since
is left alone, and a page says "asked for", never what only Payme's answer proves.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from payme import django_words as words
from payme.django_display import Titled, capital, capital_later, say
from payme.errors.catalogue import Text

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

Rows = QuerySet[Any]

_CONFIRM = "admin/payme_charges/confirm_action.html"


class Asked(NamedTuple):
    """A row on the page that asks for agreement.

    Attributes:
        pk: Its key.
        version: What tells that it has changed since it was shown.
        text: What a person reads of it.
        refusal: Why it can't be asked for; None if it can.
    """

    pk: str
    version: str
    text: str
    refusal: str | None

    @property
    def seen(self) -> str:
        """What comes back with the agreement."""
        return f"{self.version} {self.pk}"

    @property
    def left_out(self) -> str:
        """Why it is left out, as a sentence of the page; nothing if it is not."""
        return "" if self.refusal is None else say(words.LEFT_OUT, why=self.refusal)


def actions(said: Mapping[str, Text]) -> tuple[Callable[..., Any], ...]:
    """Make an action of each word."""
    return tuple(_action(word, text) for word, text in said.items())


def _action(word: str, text: Text) -> Callable[..., HttpResponse | None]:
    @admin.action(permissions=["command"], description=capital_later(text))
    def act(own: "AskingAdmin", request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        return own.ask(request, queryset, word)

    act.__name__ = word
    return act


class AskingAdmin(Titled, Base):
    """Rows to look at, and actions that ask: for `said`, whose words `means` explains.

    Nothing is added, typed or deleted. Who has the permission to change may ask.
    """

    said: ClassVar[Mapping[str, Text]]
    """What each word that can be asked for is called."""
    means: ClassVar[Mapping[str, Text]]
    most: ClassVar[int] = 100
    """Rows that one action is asked for: as many as a person reads before agreeing."""

    # Counting a million rows for the corner of a page takes longer than the page.
    show_full_result_count = False
    change_form_template = "admin/payme_charges/asking_form.html"

    def asked(self, row: Any, word: str) -> Asked:
        """Return what is shown of a row that something is asked of."""
        raise NotImplementedError

    def summary(self, rows: list[Any]) -> str:
        """Write how much is asked for, such as `2 charges, 1 000 so'm in all`."""
        raise NotImplementedError

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Ask for something; return what to say of it, and how serious that is."""
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse: rows come from the shop."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: what is stored was proven."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: what is gone could be taken again."""
        return False

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Return whether somebody may ask for something: who has the permission to change."""
        user: Any = getattr(request, "user", None)
        needed = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return bool(user and user.has_perm(needed))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what may be asked."""
        row: Any = kwargs.get("obj")
        may = row is not None and self.has_command_permission(request)
        context["words"] = [
            (word, say(text))
            for word, text in self.said.items()
            if may and not self.asked(row, word).refusal
        ]
        context["action_checkbox_name"] = ACTION_CHECKBOX_NAME
        return super().render_change_form(request, context, *args, **kwargs)

    def ask(self, request: HttpRequest, queryset: Rows, word: str) -> HttpResponse | None:
        """Ask the person, then do it."""
        if request.POST.get("agreed"):
            self.carry_out(request, word)
            return None
        selected = list(queryset.order_by("pk")[: self.most + 1])
        if len(selected) > self.most:
            what = self.opts.verbose_name_plural
            text = say(words.TOO_MANY, most=self.most, what=what)
            self.message_user(request, text, messages.ERROR)
            return None
        asked = [self.asked(row, word) for row in selected]
        able = [one for one in asked if one.refusal is None]
        chosen = {one.pk for one in able}
        context = {
            **self.admin_site.each_context(request),
            "title": say(words.SURE, word=capital(self.said[word])),
            "opts": self.opts,
            "media": self.media,
            "word": word,
            "said": capital(self.said[word]),
            "do_it": say(words.DO_IT, word=say(self.said[word])),
            "go_back": say(words.GO_BACK),
            "nothing_able": say(words.NOTHING_ABLE),
            "means": say(self.means[word]),
            "asked": asked,
            "able": able,
            "summary": self.summary([row for row in selected if str(row.pk) in chosen]),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, _CONFIRM, context)

    def carry_out(self, request: HttpRequest, word: str) -> None:
        """Do it for each row that the person saw, in the version that was shown."""
        for seen in request.POST.getlist("seen")[: self.most]:
            version, _, pk = seen.partition(" ")
            row = self.model.rows.filter(pk=pk).first()
            level, text = self.told(pk, word, version)
            if level != messages.ERROR and row is not None:
                self.log_change(request, row, say(words.LOGGED, word=say(self.said[word])))
            self.message_user(request, f"{pk}: {text}", level)
