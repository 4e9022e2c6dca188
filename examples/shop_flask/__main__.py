"""Start the shop: `PAYME_KEY=… python -m examples.shop_flask --port 8000`."""

from examples.options import read_options
from examples.shop_flask.app import create_app

if __name__ == "__main__":
    options = read_options("examples.shop_flask")
    app = create_app(options.database, options.key, options.merchant_id, options.checkout_url)
    app.run(host="127.0.0.1", port=options.port, threaded=True)
