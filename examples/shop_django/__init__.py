"""A shop in Django, on its ORM."""
