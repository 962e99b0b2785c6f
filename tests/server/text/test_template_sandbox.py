"""A template that never ends, or makes too much, is stopped; the server serves on."""

from pathlib import Path

import httpx
import pytest
from jinja2 import TemplateError

from sterna.server.settings import Settings
from sterna.server.text import template_sandbox
from sterna.server.text.template_sandbox import TemplateSandbox, render
from tests.server.scripted import make_folder, make_settings

NUMBERS = "{% set numbers = range(99999) %}"
FOREVER = NUMBERS + "{% for a in numbers %}{% for b in numbers %}{% endfor %}{% endfor %}"
BRANCHING = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
BLOCKS = (
    "{% set ns = namespace(n=0) %}{% block a %}{% set ns.n = ns.n + 1 %}{% if ns.n < 21 %}"
    "{{ self.a() }}{{ self.a() }}{% endif %}{% set ns.n = ns.n - 1 %}{% endblock %}"
)
REBOUND = "{% set check_time = 1 %}{% set context = 1 %}{% set environment = 1 %}"
RECURSIVE = "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}"
FOLDED = [
    "{{ 'a' | center(3000000000) }}",
    "{{ '%3000000000d' | format(1) }}",
    "{{ 'a' | indent(3000000000, true) }}",
    "{{ 'aaa' | replace('a', 'b' * 30000000) }}",
    "{{ [1] | tojson(indent=3000000000) }}",
    "{{ [1] | batch(3000000000, 0) | list }}",
    "{{ ['a'] | map('center', 3000000000) | list }}",
    "{% if 'a' | center(3000000000) %}{% endif %}",
    "{% autoescape 'a' | center(3000000000) %}{% endautoescape %}",
]
GROWING = "{% set ns = namespace(x='x') %}{% for i in range(60) %}"
NESTED = GROWING + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}"


def result(text: str) -> str:
    sandbox = TemplateSandbox()
    return render(sandbox.compile_bounded(sandbox.parse(text)), messages=["a", "b"])


@pytest.mark.parametrize(
    "text",
    [
        FOREVER,
        NUMBERS + "{% for i in numbers if i < 0 %}{% endfor %}" + FOREVER,
        REBOUND + FOREVER,
        FOREVER.replace(" a in", " check_time in").replace(" b in", " check_time_limit in"),
        BRANCHING + "{{ f(21) }}",
        BRANCHING.replace("f(n)", "f(n, check_time=1)") + "{{ f(21) }}",
        BLOCKS,
        NUMBERS + "{% for i in numbers if numbers | sum < 0 %}{% endfor %}",
        NUMBERS + "{{ ([numbers] * 99999) | map('sum') | list | length }}",
        NUMBERS + "{{ numbers | select('in', numbers | list) | list | length }}",
    ],
)
def test_time_is_bounded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_sandbox, "MAX_SECONDS", 0.05)
    with pytest.raises(TemplateError, match=r"takes more than 0\.05 seconds"):
        result(text)


def test_recursion_is_bounded() -> None:
    with pytest.raises((RecursionError, TemplateError)):
        result(RECURSIVE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 9 ** (9 ** 9) }}",
        "{{ 9 ** 99 ** 99 ** 99 ** 99 }}",
        "{{ 'x' * 10000000000 }}",
        "{{ 10000000000 * 'x' }}",
        "{{ ([0] * 100000000) | length }}",
        *FOLDED,
        *(NESTED + show for show in ("{{ ns.x }}", "{{ ns.x | tojson }}", "{{ '%s' % ns.x }}")),
        "{{ '%10000000000d' % 1 }}",
        "{{ '%*d' % (10000000000, 1) }}",
        "{{ 'a'.center(10000000000) }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 10000000000) }}",
        "{{ '{a:{b}}'.format_map({'a': 1, 'b': 10000000000}) }}",
        "{{ ('x' * 30000000).replace('x', 'y' * 1000) }}",
        "{{ ('y' * 30000).join(['a'] * 100000) }}",
        "{{ (1).to_bytes(10000000000) }}",
        "{{ 'x\ty'.expandtabs(10000000000) }}",
        GROWING + "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        GROWING + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        GROWING + "{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}",
        GROWING.replace("'x'", "7") + "{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{% set x %}{% for i in range(999) %}{{ 'x' * 1000000 }}{% endfor %}{% endset %}",
        "{{ 1.5 | round(1000000000, 'ceil') }}",
        "{{ range(10000000) | list }}",
        "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    ],
)
def test_size_is_bounded(text: str) -> None:
    with pytest.raises((TemplateError, OverflowError)):
        result(text)


@pytest.mark.parametrize("text", FOLDED)
def test_nothing_is_computed_before_it_is_rendered(text: str) -> None:
    sandbox = TemplateSandbox()
    sandbox.compile_bounded(sandbox.parse(text))


@pytest.mark.parametrize(
    "text", ["{{ ''.__class__ }}", "{{ messages.append('x') }}", "{% include '/etc/passwd' %}"]
)
def test_nothing_but_its_variables_is_reached(text: str) -> None:
    with pytest.raises((TemplateError, TypeError)):
        assert "class" not in result(text)
        raise TemplateError("an undefined value is no reach")


def test_loops_and_operators_do_what_they_do_in_jinja() -> None:
    text = (
        "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"
        "{% for m in messages %}{% if not loop.first %}, {% endif %}{{ twice(m) }}"
        "{% else %}none{% endfor %} {{ 2 ** 3 }} {{ 7 % 4 }} {{ '=' * 3 }} {{ 6 * 7 }}"
    )
    assert result(text) == "aa, bb 8 3 === 42"


class TestServed:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        make_folder(tmp_path)
        (tmp_path / "chat_template.jinja").write_text(FOREVER)
        return make_settings(tmp_path)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    async def test_an_endless_template_is_the_answer_of_its_requests(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(template_sandbox, "MAX_SECONDS", 0.05)
        body = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
        response = await client.post("/v1/chat/completions", json=body)
        assert response.status_code == 400
        assert "takes more than" in response.json()["error"]["message"]
        response = await client.post("/v1/completions", json={"model": "scripted", "prompt": "Hi"})
        assert response.status_code == 200
