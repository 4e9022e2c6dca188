"""A shop in FastAPI, on asyncio all the way down to the database."""
