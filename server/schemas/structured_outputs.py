"""Wire types of what holds an answer to a form: OpenAI's ``response_format``, vLLM's own field."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from sterna.server.constraints.grammars import ConstraintSpec, Grammar, JsonSchema, OneOf, Regex
from sterna.server.schemas.body import Body, Items, Neutral, Text
from sterna.server.schemas.common import SamplingFields


def _as_schema(value: object) -> object:
    """A schema may come as its JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON schema: {error}") from None


class JsonSchemaFormat(Body):
    """A schema, and what clients call it; it is kept to whether ``strict`` or not."""

    inert: ClassVar[frozenset[str]] = frozenset({"name", "description", "strict"})

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """Free text, any JSON object, or JSON of a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = Field(None, validate_default=True)

    @field_validator("json_schema")
    @classmethod
    def _belongs_to_its_type(
        cls, value: JsonSchemaFormat | None, info: ValidationInfo
    ) -> JsonSchemaFormat | None:
        if (value is not None) != (info.data.get("type") == "json_schema"):
            raise ValueError("must be there if type is json_schema, and only then")
        return value

    def constraint(self) -> tuple[ConstraintSpec, str] | None:
        """Meaning and path of what was asked for. None: nothing."""
        if self.json_schema is not None:
            return JsonSchema(self.json_schema.schema_), "json_schema.schema"
        return (JsonSchema(), "type") if self.type == "json_object" else None


class StructuredOutputs(Body):
    """One of four forms."""

    neutral: ClassVar[Neutral] = {
        "disable_additional_properties": (False,),
        "disable_any_whitespace": (False,),
        "disable_fallback": (False,),
        "json_object": (False,),
        "structural_tag": (),
        "whitespace_pattern": (),
    }

    json_: Annotated[dict[str, Any], BeforeValidator(_as_schema)] | None = Field(None, alias="json")
    regex: Text | None = None
    choice: Items[Annotated[Text, Field(min_length=1)]] | None = Field(None, min_length=1)
    grammar: Text | None = None

    def constraint(self) -> tuple[ConstraintSpec, str]:
        """Meaning and path of what was asked for."""
        return self._forms()[0]

    def check(self) -> Self:
        """Raise ValueError unless there is one form."""
        if len(self._forms()) != 1:
            raise ValueError("exactly one of json, regex, choice and grammar is needed")
        return self

    def _forms(self) -> list[tuple[ConstraintSpec, str]]:
        forms: list[tuple[ConstraintSpec, str]] = []
        if self.json_ is not None:
            forms.append((JsonSchema(self.json_), "json"))
        if self.regex is not None:
            forms.append((Regex(self.regex), "regex"))
        if self.choice is not None:
            forms.append((OneOf(self.choice), "choice"))
        if self.grammar is not None:
            forms.append((Grammar(self.grammar), "grammar"))
        return forms


class ConstrainedFields(SamplingFields):
    """How to generate, and what form the answer must have."""

    response_format: ResponseFormat | None = None
    structured_outputs: (
        Annotated[StructuredOutputs, AfterValidator(StructuredOutputs.check)] | None
    ) = None

    @field_validator("response_format", "structured_outputs")
    @classmethod
    def _can_end(
        cls, value: ResponseFormat | StructuredOutputs | None, info: ValidationInfo
    ) -> ResponseFormat | StructuredOutputs | None:
        if value and value.constraint() and info.data.get("ignore_eos"):
            raise ValueError("not together with ignore_eos: such an answer ends where it is whole")
        return value

    @field_validator("structured_outputs")
    @classmethod
    def _only_one_form(
        cls, value: StructuredOutputs | None, info: ValidationInfo
    ) -> StructuredOutputs | None:
        form = info.data.get("response_format")
        if value and form and form.constraint():
            raise ValueError("not together with a response_format")
        return value

    def constraint(self) -> tuple[ConstraintSpec, str] | None:
        """The form that the answer must have, and the field that says so. None: free text."""
        for name in ("response_format", "structured_outputs"):
            field: ResponseFormat | StructuredOutputs | None = getattr(self, name)
            if field is not None and (found := field.constraint()):
                return found[0], f"{name}.{found[1]}"
        return None
