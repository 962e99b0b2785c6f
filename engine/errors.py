"""Errors of the engine; independent of HTTP.

EngineError
|-- CheckpointError          a checkpoint that cannot be served           (model.weights, at load)
|-- ConfigError              invalid engine settings                      (config, at load)
|   `-- SettingError         ... of one or two fields, by their names     (config, at load)
|-- RequestError             a request that cannot be served              (AsyncEngine.check)
|   `-- ContextLengthError   ... because it would not fit the context
|-- EngineDeadError          the engine thread died                       (AsyncEngine.generate)
`-- GenerationError          this one request failed                      (AsyncEngine.generate)
    `-- ConstraintError      ... because its constraint cannot be met     (Matcher)
"""


class EngineError(Exception):
    """Base class of the engine's errors."""


class CheckpointError(EngineError):
    """A checkpoint that cannot be served.

    The message is one line that names the file, the tensor, what was found and what was expected.
    """


class ConfigError(EngineError):
    """Invalid engine settings; the message is one line."""


class SettingError(ConfigError):
    """Invalid values of fields of EngineConfig; the message has the fields' names."""


class RequestError(EngineError):
    """A request that cannot be served; other requests can."""


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
    """The engine thread has died; raised for every request in flight and every new one."""


class GenerationError(EngineError):
    """One request failed, for example because its logits were not finite; others continue."""


class ConstraintError(GenerationError):
    """A constraint allows no token or exceeds a limit; the message is one line."""
