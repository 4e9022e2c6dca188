"""Small shops that take money with Payme; each starts with `python -m examples.NAME`."""
