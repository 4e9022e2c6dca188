"""Start the shop: `PAYME_KEY=… python -m examples.shop_flask --port 8000`."""

import signal

from examples.options import read_options
from examples.saved_cards import SavedCards
from examples.shop_flask.app import create_app

if __name__ == "__main__":
    options = read_options("examples.shop_flask")
    # Who is told to end by `kill` ends what is under way first, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cards = SavedCards.from_environment()
    app, running = create_app(
        options.database, options.key, options.merchant_id, options.checkout_url, cards
    )
    with running:
        app.run(host="127.0.0.1", port=options.port, threaded=True)
