"""The client beside its peers: cost of a call, of an import and of an installation."""
