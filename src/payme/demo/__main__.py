"""The journeys of a payment: `python -m payme.demo`."""

from payme.demo.journeys import main

main()
