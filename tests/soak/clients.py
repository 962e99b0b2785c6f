"""What clients do, good and bad: each deed is one request, or a few, of one kind."""

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from tests.soak import answers
from tests.soak.answers import Answer
from tests.soak.cases import Case
from tests.soak.report import Report

MAX_RETRIES = 200


class Clients:
    """Does deeds, compares what it gets with the quiet answers, and notes all of it."""

    def __init__(
        self, client: httpx.AsyncClient, cases: Sequence[Case], seed: int, report: Report
    ) -> None:
        self._client = client
        self._cases = cases
        self._random = Random(seed)
        self._report = report
        self._quiet: dict[int, Answer] = {}
        self.deeds = (
            *(self.whole, self.stream) * 2,
            *(self.leave_a_stream, self.leave_before_an_answer, self.read_slowly),
            *(self.too_long, self.bad_schema, self.burst),
        )

    async def learn(self) -> None:
        """Ask each question once while all is quiet."""
        for case in self._cases:
            response = await self._client.post(case.url, json=case.body)
            self._quiet[id(case)] = answers.of_body(response.raise_for_status().json())

    async def whole(self) -> None:
        """An answer in one piece."""
        case = self._random.choice(self._cases)
        response = await self._ask(case.url, case.body)
        if response.status_code == 200:
            self._compare(case, answers.of_body(response.json()))

    async def stream(self) -> None:
        """A stream, read to its end."""
        case = self._random.choice(self._cases)
        response = await self._ask(case.url, case.body | {"stream": True})
        if response.status_code == 200:
            self.check_stream(case, response.text)

    async def leave_a_stream(self) -> None:
        """A client that has seen enough, after a while or at once."""
        case = self._random.choice(self._cases)
        num_lines = self._random.choice([0, 1, 10])
        body = case.body | {"stream": True, "max_tokens": 200}
        async with self._client.stream("POST", case.url, json=body) as response:
            self._note(response.status_code)
            async for _ in response.aiter_lines():
                if (num_lines := num_lines - 1) < 0:
                    break

    async def leave_before_an_answer(self) -> None:
        """A client that loses patience, in the queue or while it is computed for."""
        case = self._random.choice(self._cases)
        asking = asyncio.create_task(self._ask(case.url, case.body | {"max_tokens": 200}))
        await asyncio.sleep(self._random.random() * 0.3)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def too_long(self) -> None:
        """More than the context holds."""
        body = {"model": self._cases[0].body["model"], "prompt": "far too long " * 1000}
        await self._ask("/v1/completions", body, expected=400)

    async def bad_schema(self) -> None:
        """What no schema, and no schema compiler, takes."""
        case = self._random.choice(self._cases)
        bad: dict[str, Any] = self._random.choice(
            [
                {"temperature": 9},
                {"structured_outputs": {"regex": "(("}},
                {"structured_outputs": {"grammar": "start: nothing"}},
                {"response_format": {"type": "json_schema", "json_schema": {"name": "x",
                 "schema": {"type": "no type"}}}},
                {"max_tokens": "many"},
            ]
        )  # fmt: skip
        body = {name: value for name, value in case.body.items() if name != "response_format"}
        await self._ask(case.url, body | bad, expected=400)

    async def read_slowly(self) -> None:
        """A stream whose reader sleeps; it is complete all the same."""
        case = self._random.choice(self._cases)
        body = case.body | {"stream": True}
        text = ""
        async with self._client.stream("POST", case.url, json=body) as response:
            self._note(response.status_code)
            async for piece in response.aiter_text(256):
                text += piece
                await asyncio.sleep(0.02)
        if response.status_code == 200:
            self.check_stream(case, text)

    async def burst(self) -> None:
        """More at once than the queue holds; who is refused comes again when told."""
        await asyncio.gather(*(self._persist() for _ in range(30)))

    async def _persist(self) -> None:
        case = self._random.choice(self._cases)
        for _ in range(MAX_RETRIES):
            response = await self._ask(case.url, case.body)
            if response.status_code == 200:
                self._compare(case, answers.of_body(response.json()))
            if response.status_code != 429:
                return
            seconds = int(response.headers["retry-after"])
            if not 1 <= seconds <= 60:
                self._report.problems[f"Retry-After is {seconds}"] += 1
            await asyncio.sleep(min(seconds, 2) * self._random.random())

    def check_stream(self, case: Case, text: str) -> None:
        """Compare a stream with the quiet answer."""
        try:
            self._compare(case, answers.of_stream(text))
        except ValueError as error:
            self._report.problems[str(error)] += 1

    async def _ask(self, url: str, body: dict[str, Any], expected: int = 200) -> httpx.Response:
        response = await self._client.post(url, json=body)
        self._note(response.status_code)
        if response.status_code not in (expected, 429):
            shown = f"{json.dumps(body)[:200]} -> {response.status_code} {response.text[:200]}"
            self._report.problems[shown] += 1
        return response

    def _note(self, status: int) -> None:
        self._report.statuses[status] += 1
        if status >= 500:
            self._report.problems[f"status {status}"] += 1

    def _compare(self, case: Case, answer: Answer) -> None:
        self._report.num_compared += 1
        if answer != self._quiet[id(case)]:
            self._report.problems[f"another answer to {case.body}"] += 1
