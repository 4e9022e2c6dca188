"""A club in FastAPI: members, charges, cards and subscriptions in one database."""
