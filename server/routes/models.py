"""``/v1/models``: which model this server serves, under which names."""

from fastapi import APIRouter

from sterna.server.errors import ModelNotFoundError
from sterna.server.http.dependencies import Services, ServicesDep
from sterna.server.schemas.models import Model, ModelList

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(services: ServicesDep) -> ModelList:
    """All names, the model's first name first."""
    return ModelList(data=[_model(services, name) for name in services.settings.served_model_name])


@router.get("/{model_id:path}")
async def get_model(model_id: str, services: ServicesDep) -> Model:
    """One name; 404 if it is none of ours. A name may contain slashes."""
    if model_id not in services.settings.served_model_name:
        raise ModelNotFoundError(model_id)
    return _model(services, model_id)


def _model(services: Services, name: str) -> Model:
    max_model_len = services.engine.model.max_context_tokens
    return Model(id=name, created=services.started_at, max_model_len=max_model_len)
