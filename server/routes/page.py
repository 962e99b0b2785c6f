"""``/``: a live page to chat with the model and watch the server, from ``server/page``.

The page needs no API key, because it contains no secrets: it reads ``/v1`` and ``/metrics`` with
the key that the visitor enters.
"""

import re
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from sterna.server.http.target import PREFIX_HEADER

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parents[1] / "page"
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {
    path.relative_to(FOLDER).as_posix(): path
    for path in FOLDER.rglob("*")
    if path.suffix in MEDIA_TYPES
}
PATHS = frozenset({"/", *(f"/page/{name}" for name in FILES)})  # which need no key
HEADERS = {
    # Nothing from elsewhere, nothing inline, and not inside another site's frame.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; "
    # Text becomes HTML only through the library that cleans it.
    "require-trusted-types-for 'script'; trusted-types dompurify",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # ask each time whether the copy is still good
}
INDEX = (FOLDER / "index.html").read_text()
LINK = re.compile(r'((?:src|href)=")/')


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """Return the page, with a proxy's prefix in its links."""
    prefix = request.scope.get("root_path", "")
    headers = HEADERS | {"vary": PREFIX_HEADER}
    return HTMLResponse(LINK.sub(rf"\1{prefix}/", INDEX), headers=headers)


@router.get("/page/{name:path}")
async def page_file(name: str) -> FileResponse:
    """Return a stylesheet, script or picture of the page, or 404."""
    if name not in FILES:
        raise HTTPException(404)
    path = FILES[name]
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=HEADERS)
