"""Dependencies of route handlers: annotated aliases of the app's long-lived parts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sterna.server.errors import ModelNotFoundError
from sterna.server.generation.generator import TextGenerator
from sterna.server.health import Health
from sterna.server.http.admission import Admission, Reservation
from sterna.server.metrics import Metrics
from sterna.server.served_model import ServedModel
from sterna.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one app, which ``create_app`` puts together."""

    settings: Settings
    model: ServedModel
    generator: TextGenerator
    health: Health
    admission: Admission
    metrics: Metrics

    def find_model(self, name: str) -> ServedModel:
        """Return the model of this name. Raises ModelNotFoundError."""
        if name not in self.model.names:
            raise ModelNotFoundError(name, self.model.names)
        return self.model


async def _services(request: Request) -> Services:  # async: else FastAPI asks a thread for it
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _reserve(request: Request, services: ServicesDep) -> AsyncIterator[Reservation]:
    """Release the places of a request once its response has ended, for whatever reason."""
    services.health.check_ready()
    with services.admission.open(len(await request.body())) as reservation:
        yield reservation


ReservationDep = Annotated[Reservation, Depends(_reserve)]
