"""Tools for the tests of a program that takes money with Payme.

`plugin` holds the pytest fixtures, which pytest finds by itself; `strategies` holds the Hypothesis
strategies. Importing this package loads neither.
"""
