"""Templates see what transformers would show them, and can do no harm."""

import json
from pathlib import Path

import pytest

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.chat_template import ChatTemplate
from sterna.server.text.checkpoint_text import FolderText
from sterna.server.tools.use import Tool

USER = [{"role": "user", "content": "Hi"}]


def load(folder: Path, template: object, **config: object) -> ChatTemplate | None:
    stated = json.dumps({"chat_template": template} | config)
    (folder / "tokenizer_config.json").write_text(stated)
    return ChatTemplate.load(FolderText(folder))


def render(template: object, folder: Path, **config: object) -> str:
    loaded = load(folder, template, **config)
    assert loaded is not None
    return loaded.render(USER)


def test_special_tokens_are_texts(tmp_path: Path) -> None:
    template = "{{ bos_token }}{{ eos_token }}{{ pad_token }}|{{ messages[0].content }}"
    added = {"content": "</s>", "lstrip": False}
    assert render(template, tmp_path, bos_token="<s>", eos_token=added) == "<s></s>|Hi"


def test_the_generation_prompt_is_asked_for(tmp_path: Path) -> None:
    assert render("{% if add_generation_prompt %}go{% endif %}", tmp_path) == "go"


def test_lines_of_tags_leave_no_trace(tmp_path: Path) -> None:
    template = "{% for m in messages %}\n  {% if m %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}"
    assert render(template, tmp_path) == "Hi\n"


def test_loops_may_break_and_json_is_plain(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ {'é<': m.role} | tojson }}{% break %}{% endfor %}"
    assert render(template, tmp_path) == '{"é<": "user"}'


def test_a_file_wins_over_the_config(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("file")
    assert render("config", tmp_path) == "file"


def test_of_several_templates_the_default_is_used(tmp_path: Path) -> None:
    templates = [{"name": n, "template": n.upper()} for n in ("tool_use", "default")]
    assert render(templates, tmp_path) == "DEFAULT"


def with_tools(template: object, folder: Path) -> str:
    loaded = load(folder, template)
    assert loaded is not None
    return loaded.render(USER, [Tool("f", None, {"type": "object"}, "tools[0]")])


@pytest.mark.parametrize(
    "template",
    [
        "{{ tools | tojson }}",
        "{% if tools is defined and tools %}{{ tools | tojson }}{% endif %}",
        "{% if not tools is defined %}{% set tools = none %}{% endif %}{{ tools | tojson }}",
        "{% macro m() %}{{ tools | tojson }}{% endmacro %}{{ m() }}",
        "{% for tool in tools %}{{ [tool] | tojson }}{% endfor %}",
    ],
)
def test_a_template_that_takes_tools_gets_them(template: str, tmp_path: Path) -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    rendered = with_tools(template, tmp_path)
    assert json.loads(rendered) == [{"type": "function", "function": function}]


def test_without_tools_there_are_none(tmp_path: Path) -> None:
    assert render("{{ tools is none }}", tmp_path) == "True"


def test_a_template_that_does_not_take_tools_gets_them_as_text(tmp_path: Path) -> None:
    rendered = with_tools(
        "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}", tmp_path
    )
    assert rendered.startswith("system:You can call these tools:\n")
    assert rendered.endswith(";user:Hi;")


def test_a_template_for_tools_is_used_for_them(tmp_path: Path) -> None:
    named = [
        {"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "{{ tools[0].type }}"},
    ]
    assert with_tools(named, tmp_path) == "function"
    assert render(named, tmp_path) == "plain"
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates/tool_use.jinja").write_text("file {{ tools | length }}")
    assert with_tools("plain", tmp_path) == "file 1"


def test_a_refusal_of_the_template_reaches_the_client(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="roles must alternate") as caught:
        render("{{ raise_exception('roles must alternate') }}", tmp_path)
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ messages[0].content + 1 }}",
        "{{ nothing.at.all }}",
        "{% include 'other' %}",
    ],
)
def test_what_a_template_must_not_do_is_an_error(template: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError):
        render(template, tmp_path)


@pytest.mark.parametrize("template", ["{% if %}", 5, {"a": 1}, [{"name": "x"}], [3]])
def test_what_is_no_template_is_one_line(tmp_path: Path, template: object) -> None:
    with pytest.raises(CheckpointError, match="chat template does not compile") as caught:
        load(tmp_path, template)
    assert "\n" not in str(caught.value)
