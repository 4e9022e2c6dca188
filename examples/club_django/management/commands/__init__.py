"""Commands of the club."""
