"""Demonstrations against the embedded sandbox: `python -m payme.demo`, `payme demo year`."""
