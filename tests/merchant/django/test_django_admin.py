"""People look at transactions in the admin, and change nothing."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings

from payme.merchant.django.models import OrderLock, Transaction

LIST = "/admin/payme/transaction/"
ID = f"{1:024x}"


@pytest.fixture
def admin(shop):
    User.objects.all().delete()
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    shop.create(1)
    shop.perform(1)
    return client


@pytest.mark.slow
def test_list_shows_what_was_paid_as_people_write_it(admin):
    response = admin.get(LIST)
    assert response.status_code == 200
    page = response.content.decode()
    assert ID in page
    assert ">500<" in page
    assert "paid" in page


@pytest.mark.parametrize(
    ("query", "hits"),
    [(f"q={ID}", 1), ("q=a", 1), ("q=b", 0), ("state__exact=2", 1), ("state__exact=-1", 0)],
)
def test_list_is_searched_and_filtered(admin, query, hits):
    response = admin.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == hits


def page_of_it():
    """The page of the one transaction."""
    return f"{LIST}{Transaction.objects.get().pk}/change/"


def test_page_shows_everything_and_offers_no_field(admin):
    response = admin.get(page_of_it())
    assert response.status_code == 200
    page = response.content.decode()
    assert "order_id" in page
    assert 'name="_save"' not in page
    assert not response.context["adminform"].form.fields


@pytest.mark.parametrize("what", ["add", "delete"])
def test_nothing_is_added_or_deleted(admin, what):
    path = f"{LIST}add/" if what == "add" else page_of_it().replace("change", "delete")
    assert admin.get(path).status_code == 403
    assert admin.post(path, {"post": "yes"}).status_code == 403
    assert Transaction.objects.count() == 1


def test_nothing_is_changed(admin):
    assert admin.post(page_of_it(), {"state": "-2", "amount": "1"}).status_code == 403
    delete = {
        "action": "delete_selected",
        "_selected_action": Transaction.objects.get().pk,
        "post": "yes",
    }
    admin.post(LIST, delete)
    assert Transaction.objects.get().state == 2


def test_rows_are_named_by_what_they_are(alias):
    assert str(Transaction(payme_id=ID)) == ID
    assert str(OrderLock("7")) == "7"


@pytest.mark.parametrize("zone", ["Asia/Tashkent", "UTC"])
def test_times_are_those_of_the_site_in_a_list_and_on_a_page(admin, zone):
    """On a page Django writes a moment in UTC with microseconds, and `None` for none."""
    one = Transaction.objects.get()
    Transaction.objects.update(time=1_772_700_000_123, perform_time=0, account={"a": "<b>" * 90})
    shown = {"Asia/Tashkent": "2026-03-05 13:40:00", "UTC": "2026-03-05 08:40:00"}[zone]
    with override_settings(TIME_ZONE=zone):
        for address in (LIST, f"{LIST}{one.pk}/change/"):
            page = admin.get(address).content.decode()
            assert shown in page
            assert "None" not in page
            assert "+00:00" not in page
    assert '<span style="overflow-wrap: anywhere">{&quot;a&quot;: &quot;&lt;b&gt;' in page
