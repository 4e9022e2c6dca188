"""The sandbox: calls per second, cost at a million receipts, and the time it takes to start."""
