"""The shops that are measured, each run by a server of its own under its own interpreter.

Every shop keeps its orders in a table `shop_order` of the same shape, and marks an order as paid in
the hook that its package offers. `/cpu` tells the CPU time of the process, so that nothing has to
be asked of the operating system.
"""
