"""Everything the engine raises on purpose; nothing here knows HTTP.

EngineError
|-- CheckpointError          a checkpoint that cannot be served           (model.weights, at load)
|-- ConfigError              engine settings that make no sense           (config, at load)
|-- RequestError             a request that cannot be served              (AsyncEngine.check)
|   `-- ContextLengthError   ... because it would not fit the context
|-- EngineDeadError          the engine thread died                       (AsyncEngine.generate)
`-- GenerationError          this one request failed                      (AsyncEngine.generate)
    `-- ConstraintError      ... because what it is held to can't be kept (Matcher)
"""


class EngineError(Exception):
    """Root of all errors that the engine raises on purpose."""


class CheckpointError(EngineError):
    """A checkpoint that cannot be served.

    The message is one line that names the file, the tensor, what was found and what was expected.
    """


class ConfigError(EngineError):
    """Engine settings that make no sense; the message is one line."""


class RequestError(EngineError):
    """A request that cannot be served as it stands; another may well be."""


class ContextLengthError(RequestError):
    """Prompt and requested output together exceed what the engine can hold.

    All sizes are in tokens.
    """

    def __init__(self, num_prompt_tokens: int, max_tokens: int, limit: int) -> None:
        super().__init__(
            f"The maximum context length is {limit} tokens, but {num_prompt_tokens} prompt tokens "
            f"and {max_tokens} output tokens were requested."
        )
        self.num_prompt_tokens = num_prompt_tokens
        self.max_tokens = max_tokens
        self.limit = limit


class EngineDeadError(EngineError):
    """The engine thread has died; every request in flight gets this, and so does any new one."""


class GenerationError(EngineError):
    """One request failed, the others go on, for instance because its logits were not finite."""


class ConstraintError(GenerationError):
    """What a request is held to leaves no token, or takes more than it may; one line says why."""
