"""What the hard tests share: servers that fail on purpose, and one way to call either client."""
