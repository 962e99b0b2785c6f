"""JSON types of structured output: OpenAI's ``response_format`` and vLLM's field."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from sterna.server.constraints.grammars import ConstraintSpec, Grammar, JsonSchema, OneOf, Regex
from sterna.server.schemas.body import Body, Items, Neutral, Text
from sterna.server.schemas.common import SamplingFields


def _as_schema(value: object) -> object:
    """Parse a schema that is sent as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"must be a JSON schema: {error}") from None


class JsonSchemaFormat(Body):
    """A named schema. It is enforced whether ``strict`` or not."""

    inert: ClassVar[frozenset[str]] = frozenset({"name", "description", "strict"})

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """Free text, any JSON object, or JSON that follows a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = Field(None, validate_default=True)

    @field_validator("json_schema")
    @classmethod
    def _belongs_to_its_type(
        cls, value: JsonSchemaFormat | None, info: ValidationInfo
    ) -> JsonSchemaFormat | None:
        if (value is not None) != (info.data.get("type") == "json_schema"):
            raise ValueError("required when type is json_schema, and not allowed otherwise")
        return value

    def constraint(self) -> tuple[ConstraintSpec, str] | None:
        """Return the requested constraint and the path of its field; None if there is none."""
        if self.json_schema is not None:
            return JsonSchema(self.json_schema.schema_), "json_schema.schema"
        return (JsonSchema(), "type") if self.type == "json_object" else None


class StructuredOutputs(Body):
    """One of four forms of an answer."""

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
        """Return the requested constraint and the path of its field."""
        return self._forms()[0]

    def check(self) -> Self:
        """Raise ValueError unless there is exactly one form."""
        if len(self._forms()) != 1:
            raise ValueError("exactly one of json, regex, choice or grammar is required")
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
    """How to generate, and the form of the answer."""

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
            raise ValueError(
                "not allowed when ignore_eos is true: a structured answer ends when it is complete"
            )
        return value

    @field_validator("structured_outputs")
    @classmethod
    def _only_one_form(
        cls, value: StructuredOutputs | None, info: ValidationInfo
    ) -> StructuredOutputs | None:
        form = info.data.get("response_format")
        if value and form and form.constraint():
            raise ValueError("not allowed together with response_format")
        return value

    def constraint(self) -> tuple[ConstraintSpec, str] | None:
        """Return the form of the answer and the path of its field; None for free text."""
        for name in ("response_format", "structured_outputs"):
            field: ResponseFormat | StructuredOutputs | None = getattr(self, name)
            if field is not None and (found := field.constraint()):
                return found[0], f"{name}.{found[1]}"
        return None
