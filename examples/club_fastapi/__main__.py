"""Start the club: `python -m examples.club_fastapi --port 8000`.

Its settings are read from the environment, see `examples.club.settings`.
"""

import argparse

import uvicorn

from examples.club.settings import Settings
from examples.club_fastapi.app import create_app

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.club_fastapi")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    app = create_app(Settings.from_environment())
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")
