"""What the shop does when a charge is proven."""

from shopfront.models import Event, Order

CLOSING = {"paid": "paid", "refunded": "closed"}


class Changed:
    """Keeps a diary; does `then` after writing it."""

    then = None

    def __call__(self, charge):
        Event.objects.create(event=charge.state, name=charge.id)
        if charge.state in CLOSING:
            Order.objects.filter(pk=charge.id).update(state=CLOSING[charge.state])
        if self.then is not None:
            self.then(charge)


changed = Changed()


async def awaited(charge):
    pass


def without_arguments():
    pass
