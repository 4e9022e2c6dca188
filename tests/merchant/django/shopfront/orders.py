from scenarios import order_of

from payme.merchant import core
from shopfront.models import Event, Order

CLOSING = {"paid": "paid", "cancelled": "closed"}


class Orders:
    """Keeps a diary; does `then` after writing it, and raises what `fails`."""

    fails = None
    then = None

    def find(self, account):
        name = str(account.get("order_id"))
        return order_of(name, Order.objects.filter(pk=name).values_list("state", flat=True).first())

    def paid(self, transaction):
        self._note("paid", transaction)

    def cancelled(self, transaction):
        self._note("cancelled", transaction)

    def released(self, transaction):
        self._note("released", transaction)

    def _note(self, event, transaction):
        Event.objects.create(event=event, name=transaction.order_id)
        if event in CLOSING:
            Order.objects.filter(pk=transaction.order_id).update(state=CLOSING[event])
        if Orders.then is not None:
            Orders.then()
        if Orders.fails is not None:
            raise Orders.fails


class Silent:
    """A shop that need not know which orders are free again."""

    def find(self, account):
        return core.Order(id="7", amount=500)

    def paid(self, transaction):
        pass

    def cancelled(self, transaction):
        pass


class WithoutHooks:
    def find(self, account):
        return None


class Awaited(Silent):
    async def paid(self, transaction):
        pass
