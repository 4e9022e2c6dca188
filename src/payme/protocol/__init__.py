"""The Subscribe API without a network: calls, flows, outcomes, models."""
