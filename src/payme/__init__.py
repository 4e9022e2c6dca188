"""Take money with Payme."""
