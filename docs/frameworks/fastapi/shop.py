from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request

from truemed_async import AsyncTruemed
from truemed_async.errors import InvalidArgumentError, NotFoundError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncTruemed]]:
    async with AsyncTruemed(timeout=20) as truemed:  # reads TRUEMED_API_KEY
        yield {"truemed": truemed}


def of_the_application(request: Request) -> AsyncTruemed:
    return request.state.truemed


app = FastAPI(lifespan=lifespan)


@app.get("/status/{session_id}")
async def status(session_id: str, truemed: Annotated[AsyncTruemed, Depends(of_the_application)]) -> dict[str, str]:
    try:
        session = await truemed.qualification_sessions.get(session_id)
    except (InvalidArgumentError, NotFoundError):
        raise HTTPException(404) from None
    return {"status": session.status}
