"""Which models there are."""

import openai
import pytest


def test_models_are_listed_and_found_by_name(client: openai.OpenAI, model: str) -> None:
    assert model in [found.id for found in client.models.list()]


def test_a_name_with_its_facts(client: openai.OpenAI, model: str) -> None:
    try:
        found = client.models.retrieve(model)
    except openai.NotFoundError as error:  # llama-server has the list only
        if error.body is None:
            raise
        pytest.skip(f"models are not found one by one: {error.body}")
    assert (found.id, found.object) == (model, "model")
