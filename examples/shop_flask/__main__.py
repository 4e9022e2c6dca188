"""Start the shop: `PAYME_KEY=… python -m examples.shop_flask --port 8000`."""

import signal
from typing import NoReturn

from examples.options import read_options
from examples.saved_cards import SavedCards
from examples.shop_flask.app import create_app


def stop(*_: object) -> NoReturn:
    """End what is under way first, whoever ends this: Ctrl-C, `kill`, or one after the other."""
    # Not SIG_IGN: of a signal that has come by now, Python would complain that nobody handles it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    raise KeyboardInterrupt


if __name__ == "__main__":
    options = read_options("examples.shop_flask")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    cards = SavedCards.from_environment()
    app, running = create_app(
        options.database, options.key, options.merchant_id, options.checkout_url, cards
    )
    with running:
        app.run(host="127.0.0.1", port=options.port, threaded=True)
