"""Every model lives in the database that the test chose."""

import os

chosen = os.environ.get("SHOPFRONT_DATABASE", "sqlite")


class Chosen:
    def db_for_read(self, model, **hints):
        return chosen

    def db_for_write(self, model, **hints):
        return chosen

    def allow_migrate(self, db, app_label, **hints):
        return True

    def allow_relation(self, first, second, **hints):
        return True
