"""A club in Django: members, charges, cards and subscriptions in one database."""
