"""Constrains a job to the tools of its request."""

from dataclasses import replace

from sterna.engine import Constraint
from sterna.server.constraints.compiler import ConstraintCompiler
from sterna.server.constraints.grammars import JsonSchema
from sterna.server.errors import InvalidRequestError
from sterna.server.generation.job import GenerationJob
from sterna.server.tools.grammar import ToolCalls
from sterna.server.tools.use import CALL_BEGIN, ToolUse


async def hold_to_tools(job: GenerationJob, compiler: ConstraintCompiler) -> GenerationJob:
    """Return the job, constrained to valid calls, with stop strings only for text before them.

    If the job has a constraint, it is the form that ``tool_use`` contains.

    Raises InvalidRequestError.
    """
    use = job.tool_use
    if not use.allowed:
        return job
    param = f"tools or {job.constraint_param}" if use.form else "tools"
    return replace(
        job,
        params=replace(job.params, constraint=await _compile(use, compiler, param)),
        constraint_param=param,
        stops=() if use.must_call else job.stops,
        stops_until=CALL_BEGIN,
        stops_until_first=use.form is not None,
    )


async def _compile(use: ToolUse, compiler: ConstraintCompiler, param: str) -> Constraint:
    try:
        return await compiler.compile(ToolCalls(use), param)
    except InvalidRequestError:
        for tool in use.allowed:  # of one alone the error says more
            await compiler.compile(JsonSchema(tool.parameters), tool.param)
        raise
