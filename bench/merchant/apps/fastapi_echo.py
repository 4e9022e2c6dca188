"""The floor of FastAPI: a route that sends the body back."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from bench.merchant.apps.shop import CPU_PATH, PATH, used

app = FastAPI()


@app.post(PATH)
async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


@app.get(CPU_PATH)
async def cpu() -> Response:
    return Response(used("fastapi", "uvicorn"))
