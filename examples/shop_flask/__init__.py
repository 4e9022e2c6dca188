"""A shop in Flask, with a blocking database driver."""
