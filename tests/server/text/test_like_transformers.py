"""A template renders as it does in transformers, of which the environment is."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

from sterna.server.text.chat_template import Source
from sterna.server.text.template_sandbox import TemplateSandbox, render
from sterna.server.tools.use import Tool

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Bé <kind> & 'plain'."},
    {"role": "user", "content": "  Hi\nthere  "},
    {"role": "assistant", "content": "A", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"z": 1, "a": "é"}}}
    ]},
    {"role": "tool", "name": "f", "tool_call_id": "1", "content": "{}"},
    {"role": "user", "content": "So?"},
]  # fmt: skip
EACH = "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endfor %}"
BLOCKS = (
    "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ messages[0].content }}{% endgeneration %}"
)
TEMPLATES = [
    EACH,
    "{{ messages | tojson }}",
    "{{ messages | tojson(indent=2) }}",
    "{{ messages | tojson(ensure_ascii=True) }}",
    "{{ messages | tojson(True, None, (',', ':'), True) }}",
    "{{ messages | tojson(separators=(',', ': '), sort_keys=True) }}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %};{% endfor %}",
    BLOCKS + "{{ x }}",
    "{%- generation -%}  x  {%- endgeneration %}",
    "{% set ns = namespace(n=0, self=3) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
    "{% endfor %}{{ ns.n }}{{ ns.self }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}",
    "{{ namespace(_x=1) }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{{ dict(a=1) }}{{ dict.fromkeys(['x']) }}{{ dict.__class__ }}",
    "{{ strftime_now('%Y-%m-%d|%Z') }}",
    "{{ documents is defined }}{{ documents is none }}{{ tools is none }}{{ nothing is defined }}",
    "{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}",
    "{{ nothing }}{{ messages[9].content }}",
    "{{ messages[0]['content'] ~ 7 ~ none ~ nothing ~ [1, 'a'] }}",
    "{{ messages[0].content + '\\n' + messages[1].content }}{{ [1] + [2] }}{{ 1 + 2 }}",
    "{{ '%s has %05d' % (messages[0].role, 7) }}{{ '{:>9}|{a}'.format('x', a=2) }}",
    "{{ 'x' | center(9) }}{{ 'a\nb' | indent(2, true) }}",
    "{{ messages | map(attribute='role') | join('/') }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
    "{% macro twice(x) %}{{ x }}{{ caller() }}{{ x }}{% endmacro %}"
    "{% call twice('a') %}b{% endcall %}",
    "{% block turn %}{{ messages[1].content }}{% endblock %}{{ self.turn() }}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}{% else %}none{% endfor %}",
    "{% for m in messages recursive %}{{ loop.depth }}"
    "{% if loop.depth < 2 %}{{ loop([m]) }}{% endif %}{% endfor %}",
    "{% filter upper %}{{ messages[0].content }}{% endfilter %}",
    "{% set t %}{{ 1 }}b{% endset %}{{ t | length }}",
    "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}"
    "{{ m.content }}{% break %}{% endfor %}",
    "{{ messages[0].content.split(' ')[1].replace('<', '[').center(9) }}",
    "{{ 'a,b'.split(',') | last }}",
    "{{ messages[0].content | escape }}{{ messages[0] }}{{ true }}{{ 1.5 }}{{ none }}",
    "{{ messages.append(1) }}",
    "{{ ''.__class__ }}|{{ messages.__init__ }}",
    "{{ 2 ** 10 }}{{ 7 % 4 }}{{ '=' * 3 }}{{ 3 * [1] }}{{ 6 * 7 }}",
    "   {% if true %}\n  x\n  {% endif %}\n\n",
]  # fmt: skip


def outcome(call: Any) -> str:
    """The text, or the kind of what was raised."""
    try:
        return str(call())
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_environment_is_that_of_transformers(template: str) -> None:
    variables = {"messages": MESSAGES, "tools": None, "documents": None, "bos_token": "<s>"}
    sandbox = TemplateSandbox()

    def ours() -> str:
        return render(sandbox.compile_bounded(sandbox.parse(template)), **variables)

    def theirs() -> str:
        return str(_compile_jinja_template(template).render(**variables))

    assert outcome(ours) == outcome(theirs)


FUNCTION = {"name": "f", "description": "Does é.", "parameters": {"type": "object"}}
TOOL = Tool("f", "Does é.", {"type": "object"}, "tools[0]")
TOOL_TEMPLATE = (
    "{% if tools %}{{ tools | tojson(indent=4) }}{% endif %}{% for m in messages %}"
    "<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def as_transformers(
    messages: list[Any], template: str, *, go_on: bool = True, **variables: Any
) -> str:
    render: Any = render_jinja_template
    (text,), _ = render(
        [messages], chat_template=template, add_generation_prompt=go_on, **variables
    )
    return str(text)


@pytest.mark.parametrize("add_generation_prompt", [True, False])
def test_a_conversation_with_tools_reads_as_in_transformers(add_generation_prompt: bool) -> None:
    tools = [{"type": "function", "function": FUNCTION}]
    theirs = as_transformers(MESSAGES, TOOL_TEMPLATE, tools=tools, go_on=add_generation_prompt)
    source = Source(TOOL_TEMPLATE, {})
    assert source.render(MESSAGES, [TOOL], add_generation_prompt=add_generation_prompt) == theirs


def test_the_template_of_the_builtin_model() -> None:
    config = Path(__file__).parents[3] / "server/builtin_model/tokenizer_config.json"
    stated = json.loads(config.read_text(encoding="utf-8"))
    tokens = {name: stated[name] for name in ("bos_token", "eos_token")}
    turns = [m for m in MESSAGES if m["role"] in ("system", "user")]
    source = Source(stated["chat_template"], tokens)
    theirs = as_transformers(turns, stated["chat_template"], **tokens)
    assert source.render(turns, (), add_generation_prompt=True) == theirs
