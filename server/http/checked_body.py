"""Validation of JSON bodies, on a thread if they are large.

FastAPI would validate on the event loop, which takes 0.2 s for 4 MiB of many small parts. On a
thread, validation takes turns with the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError, WrapValidator

from sterna.server.http.dependencies import ReservationDep

LARGE_BYTES = 32 << 10  # a thousand messages: some milliseconds

P = ParamSpec("P")
T = TypeVar("T")
BodyT = TypeVar("BodyT", bound=BaseModel)


def checked(schema: type[BodyT]) -> Any:  # noqa: ANN401 (what FastAPI's Depends returns)
    """Return a dependency that validates the body with this schema once there is room for it."""

    async def check(
        body: Annotated[schema, WrapValidator(_unchecked)],  # type: ignore[valid-type]
        reservation: ReservationDep,
    ) -> BodyT:
        return await beside_others(reservation.num_bytes, _validate, schema, body)

    return Depends(check)


async def beside_others(
    num_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Do what takes time in proportion to a body of this size: at once, or else on a thread."""
    if num_bytes < LARGE_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _unchecked(body: object, _: object) -> object:
    """What the framework checks, when it knows nothing of threads."""
    return body


def _validate(schema: type[BodyT], body: object) -> BodyT:
    """Raises RequestValidationError, as the framework does."""
    try:
        return schema.model_validate(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        located = [{**detail, "loc": ("body", *detail["loc"])} for detail in details]
        raise RequestValidationError(located) from None
