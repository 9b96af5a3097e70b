"""The ceiling: FastAPI as it is meant to be used, answering at once. `uvicorn tests.bench.echo:app`"""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Asked(BaseModel):
    gfp: str
    order: int
    task: str = "init"


class Answered(BaseModel):
    ret: str
    order: int
    gfp: str
    task: str
    zone: str
    pfn: int
    verdict: str
    log: list[str]


@app.post("/echo")
async def echo(asked: Asked) -> Answered:
    return Answered(
        ret="0xffffea0000128000", zone="DMA32", pfn=18944, verdict="ok", log=[], **asked.model_dump()
    )
