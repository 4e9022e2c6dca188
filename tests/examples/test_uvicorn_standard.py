"""A FastAPI shop on what `uvicorn[standard]` runs: uvloop and httptools."""

import json
import os
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from payme.sandbox import Sandbox
from support.ports import free_port

APP = """
import asyncio, os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from payme import AsyncPayme

@asynccontextmanager
async def lifespan(app):
    async with AsyncPayme(base_url=os.environ["SANDBOX"]) as app.state.payme:
        yield

app = FastAPI(lifespan=lifespan)

@app.post("/pay/{receipt}")
async def pay(receipt: str, token: str):
    paid = await app.state.payme.receipts.pay(receipt, token)
    return {"paid": paid.is_paid, "loop": type(asyncio.get_running_loop()).__module__}
"""


def post(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            with urlopen(Request(url, method="POST"), timeout=10) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError(error.read()) from error
        except OSError:
            assert time.monotonic() < deadline, "the shop did not start"
            time.sleep(0.1)


def test_async_client_pays_under_uvicorn_standard(tmp_path):
    pytest.importorskip("uvloop", reason="needs uvloop: pip install uvloop")
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    port = free_port()
    with Sandbox() as sandbox:
        environment = {
            **os.environ,
            "SANDBOX": sandbox.url,
            "PAYME_MERCHANT_ID": sandbox.merchant_id,
            "PAYME_KEY": sandbox.key,
        }
        command = ["uvicorn", "shop:app", "--loop", "uvloop", "--http", "httptools"]
        shop = subprocess.Popen(
            [sys.executable, "-m", *command, "--port", str(port), "--log-level", "warning"],
            cwd=tmp_path,
            env=environment,
        )
        try:
            for _ in range(3):
                receipt, token = sandbox.add_receipt(), sandbox.add_card()
                answer = post(f"http://127.0.0.1:{port}/pay/{receipt}?token={token}")
                assert answer == {"paid": True, "loop": "uvloop"}
                assert sandbox.debits(receipt) == 1
        finally:
            shop.terminate()
            assert shop.wait(10) in (0, -15)
