"""What handlers ask for, as annotated aliases of the app's long-lived parts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sterna.engine import AsyncEngine
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.constraints.compiler import ConstraintCompiler
from sterna.server.errors import ModelNotFoundError
from sterna.server.generation.generator import TextGenerator
from sterna.server.generation.prompts import PromptEncoder
from sterna.server.generation.request_record import current_record
from sterna.server.health import Health
from sterna.server.http.admission import Admission, Reservation
from sterna.server.metrics import Metrics
from sterna.server.settings import Settings
from sterna.server.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one app, which ``create_app`` puts together."""

    settings: Settings
    engine: AsyncEngine
    health: Health
    admission: Admission
    metrics: Metrics
    encoder: PromptEncoder
    constraints: ConstraintCompiler
    generator: TextGenerator
    tokenizer: Tokenizer
    logprobs: LogprobWriter
    started_at: int  # Unix time, seconds

    def check_model(self, name: str) -> None:
        """Raise ModelNotFoundError unless the name is one of ours."""
        if name not in self.settings.served_model_name:
            raise ModelNotFoundError(name)
        if record := current_record.get():
            record.model = name


async def _services(request: Request) -> Services:  # async: else FastAPI asks a thread for it
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _reserve(request: Request, services: ServicesDep) -> AsyncIterator[Reservation]:
    """Give back the places of a request once its response has ended, however it ended."""
    services.health.check_ready()
    with services.admission.open(len(await request.body())) as reservation:
        yield reservation


ReservationDep = Annotated[Reservation, Depends(_reserve)]
