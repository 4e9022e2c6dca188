"""Tools for the tests of a program that takes money with Payme.

`plugin` holds the pytest fixtures, which pytest finds by itself; `strategies` holds the Hypothesis
strategies, and `merchant` the grader of the Merchant API. Importing this package loads none.
"""
