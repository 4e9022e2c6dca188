"""Subscriptions: how fast and in how much memory due periods are opened."""
