"""Start the shop: `PAYME_KEY=… python -m examples.shop_fastapi --port 8000`."""

import uvicorn

from examples.options import read_options
from examples.saved_cards import SavedCards
from examples.shop_fastapi.app import create_app

if __name__ == "__main__":
    options = read_options("examples.shop_fastapi")
    cards = SavedCards.from_environment()
    app = create_app(
        options.database, options.key, options.merchant_id, options.checkout_url, cards
    )
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")
