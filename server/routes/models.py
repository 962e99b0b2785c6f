"""``/v1/models``: the served model, under each of its names."""

from fastapi import APIRouter

from sterna.server.http.dependencies import ServicesDep
from sterna.server.schemas.models import Model, ModelList
from sterna.server.served_model import ServedModel

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(services: ServicesDep) -> ModelList:
    """List the names of the model, its main name first."""
    return ModelList(data=[_model(services.model, name) for name in services.model.names])


@router.get("/{model_id:path}")
async def get_model(model_id: str, services: ServicesDep) -> Model:
    """Return the model with this name, or 404. A name may contain slashes."""
    return _model(services.find_model(model_id), model_id)


def _model(model: ServedModel, name: str) -> Model:
    max_model_len = model.engine.model.max_context_tokens
    return Model(id=name, created=model.loaded_at, max_model_len=max_model_len)
