"""A year in a minute: a club whose members pay every month, on the sandbox's clock.

`plan` says by chance what happens to whom and when; `shop` does what a shop's web server would,
`hosts` are two processes that tick and drive, and are killed; `world` lets the days pass;
`books` reads all that was written, and `proof` says what is wrong with it.
"""
