"""Templates see what transformers would show them, and can do no harm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.chat_template import ChatTemplate
from sterna.server.text.checkpoint_text import FolderText
from sterna.server.text.message_content import Message
from sterna.server.tools.use import Tool

USER: list[Message] = [{"role": "user", "content": "Hi"}]


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


STRICT = (  # as many are: no system, and turns that alternate
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.content }}]{% endfor %}"
)
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}
RESULT = {"role": "tool", "tool_call_id": "1", "name": "f", "content": "r"}


def test_our_text_of_tools_does_not_break_a_strict_template(tmp_path: Path) -> None:
    called: list[Message] = [
        *USER,
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        RESULT,
        RESULT,
    ]
    loaded = load(tmp_path, STRICT)
    assert loaded is not None
    ends: list[list[Message]] = [[], USER, [{"role": "assistant", "content": "A"}]]
    for turns in (USER, *([*called, *end] for end in ends)):
        rendered = loaded.render(turns, [Tool("f", None, {"type": "object"}, "tools[0]")])
        assert rendered.startswith("[You can call these tools:")
    with pytest.raises(InvalidRequestError, match="alternate"):  # what the client did stays so
        loaded.render([*USER, *USER], [Tool("f", None, {"type": "object"}, "tools[0]")])


PARTS = (
    "{% for m in messages %}{{ m.role }}:{% for p in m.content %}{{ p.text }}{% endfor %};"
    "{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        (PARTS, "system:S;user:Hithere;assistant:A;"),
        ("{% for m in messages %}{{ m.content[0]['text'] + '|' }}{% endfor %}", "S|Hi|A|"),
        ("{% for m in messages %}{{ m.content }}|{% endfor %}", "S|Hi\nthere|A|"),
        ("{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}?{% endif %}"
         "{% endfor %}", "SHi\nthereA"),
        ("{% for m in messages %}{% if m.role == 'user' %}{{ m.content[0].text }}{% else %}"
         "{{ m.content + '|' }}{% endif %}{% endfor %}", "S|HiA|"),
        ("{% if messages[0].role == 'system' %}{% set m = messages[1:] %}{% else %}"
         "{% set m = messages %}{% endif %}{% for x in m %}{{ x.content[0].text }}{% endfor %}",
         "HiA"),
        ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_content_comes_as_the_template_knows_it(template: str, shown: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, template)
    assert loaded is not None
    parts = [{"type": "text", "text": text} for text in ("Hi", "there")]
    turns: list[Message] = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "A"},
    ]
    assert loaded.render(turns) == shown


def test_a_template_without_system_may_know_only_parts(tmp_path: Path) -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    assert render(refuses + PARTS, tmp_path) == "user:Hi;"


def test_files_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    load(tmp_path, "é{{ bos_token }}", bos_token="ü")
    (tmp_path / "chat_template.jinja").write_text("日{{ bos_token }}", encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; "
        "from sterna.server.text.checkpoint_text import FolderText; "
        "from sterna.server.text.chat_template import ChatTemplate; "
        "t = ChatTemplate.load(FolderText(Path(sys.argv[1]))); "
        "print(ascii(t.render([{'role': 'user', 'content': 'Hi'}])))"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | locale, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.strip() == ascii("日ü")


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer_config.json"])
def test_a_file_that_is_not_utf_8_is_one_line(name: str, tmp_path: Path) -> None:
    load(tmp_path, "x")
    (tmp_path / name).write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=f"{name}: not "):
        ChatTemplate.load(FolderText(tmp_path))


@pytest.mark.parametrize("template", ["{{ '\\ud800' }}", "{{ messages[0].content }}\ud800"])
def test_half_a_character_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="lone surrogate"):
        render(template, tmp_path)


def test_what_a_template_raises_is_told_in_part(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        render("{{ raise_exception('x' * 1000000) }}", tmp_path)
    assert len(str(caught.value)) < 2000


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
