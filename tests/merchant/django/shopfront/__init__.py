"""A Django project with a shop, for the tests of the app."""
