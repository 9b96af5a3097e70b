"""The texts of scripts in languages other than English: one file a language."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.sessions import NotFound
from app.web.assets import FOR_GOOD
from app.web.language import Language
from app.web.languages import Languages

router = APIRouter(include_in_schema=False)

PREFIX: Final = "/texts/"


def texts_address(language: Language) -> str | None:
    """The address where a browser finds the texts of scripts; None for English."""
    return None if language.scripts is None else PREFIX + language.scripts.name


@router.get(PREFIX + "{name}")
async def texts(request: Request, name: str) -> Response:
    """Send a language's file. Another hash in the name is another file, and so a 404."""
    languages: Languages = request.app.state.languages
    if name not in languages.scripts:
        raise NotFound("text", name)
    headers = {"Cache-Control": FOR_GOOD}
    return Response(languages.scripts[name], headers=headers, media_type="application/json")
