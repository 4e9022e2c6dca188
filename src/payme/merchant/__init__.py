"""The Merchant API: Payme calls the merchant, and goods are never released wrongly.

`core` decides, `wire` reads and writes JSON-RPC, `auth` lets Payme in, `flows` says in which order
a store is asked.

Source: https://developer.help.paycom.uz/protokol-merchant-api/
"""
