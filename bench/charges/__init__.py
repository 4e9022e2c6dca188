"""Charges: what one process does beside what Payme allows, what it costs, and how far it goes."""
