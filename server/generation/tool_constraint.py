"""Constrains a job to the tools of its request."""

import asyncio
from dataclasses import replace
from typing import Final

from sterna.engine import Constraint
from sterna.server.constraints.compiler import ConstraintCompiler
from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.json_schema.members import patterns_of
from sterna.server.errors import InvalidRequestError
from sterna.server.generation.job import GenerationJob
from sterna.server.tools.grammar import ToolCalls
from sterna.server.tools.use import CALL_BEGIN, Tool, ToolUse

MAX_PATTERNS: Final = 32  # of one tool, tried each by itself; of more, none is kept to


async def hold_to_tools(job: GenerationJob, compiler: ConstraintCompiler) -> GenerationJob:
    """Return the job, constrained to valid calls, with stop strings only for text before them.

    If the job has a constraint, it is the form that ``tool_use`` contains.

    Raises InvalidRequestError.
    """
    use = job.tool_use
    if not use.allowed:
        return job
    param = f"tools or {job.constraint_param}" if use.form else "tools"
    use, constraint = await _compile(use, compiler, param)
    return replace(
        job,
        params=replace(job.params, constraint=constraint),
        constraint_param=param,
        stops=() if use.must_call else job.stops,
        stops_until=CALL_BEGIN,
        stops_until_first=use.form is not None,
        tool_use=use,
        unenforced=await asyncio.to_thread(use.unenforced),
    )


async def _compile(
    use: ToolUse, compiler: ConstraintCompiler, param: str
) -> tuple[ToolUse, Constraint]:
    try:
        return use, await compiler.compile(ToolCalls(use), param)
    except InvalidRequestError:  # of one tool alone the error says more, and may be mended
        allowed = [await _compilable(tool, compiler) for tool in use.allowed]
        if allowed == use.allowed:
            raise
    use = replace(use, allowed=allowed)
    return use, await compiler.compile(ToolCalls(use), param)


async def _compilable(tool: Tool, compiler: ConstraintCompiler) -> Tool:
    """The tool, without the patterns that can't be kept to, unless it is strict.

    Raises InvalidRequestError.
    """
    try:
        await compiler.compile(tool.arguments, tool.param)
    except InvalidRequestError:
        without = frozenset() if tool.is_strict else await _bad_patterns(tool, compiler)
        if not without:
            raise
        tool = replace(tool, without=without)
        await compiler.compile(tool.arguments, tool.param)
    return tool


async def _bad_patterns(tool: Tool, compiler: ConstraintCompiler) -> frozenset[str]:
    patterns = patterns_of(tool.parameters)
    if len(patterns) > MAX_PATTERNS:
        return patterns
    return frozenset([each for each in patterns if not await _compiles(each, compiler)])


async def _compiles(pattern: str, compiler: ConstraintCompiler) -> bool:
    try:
        await compiler.compile(JsonSchema({"type": "string", "pattern": pattern}), "pattern")
    except InvalidRequestError:
        return False
    return True
