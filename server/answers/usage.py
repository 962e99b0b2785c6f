"""Token counts of one response, the same for a stream and for one piece."""

from sterna.engine import EnergyAccounting
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta
from sterna.server.generation.token_tally import TokenTally
from sterna.server.schemas.answer import EnergyUsage, PromptTokensDetails, Usage


class UsageCounter:
    """Counts the tokens of a job; in the end also its energy, if ``energy`` is given."""

    def __init__(self, job: GenerationJob, energy: EnergyAccounting | None = None) -> None:
        self._job = job
        self._energy = energy
        self._tally = TokenTally(job.prompt_lengths, job.num_choices)

    @property
    def num_generated(self) -> int:
        """Tokens so far."""
        return self._tally.num_generated

    def add(self, delta: TextDelta) -> None:
        """Add a delta."""
        self._tally.add(delta)

    def so_far(self) -> Usage:
        """The counts of what was added."""
        return self._usage(None)

    def total(self) -> Usage:
        """The same for a job that has ended, and its share of the measured energy."""
        return self._usage(None if self._energy is None else self._share(self._energy))

    def _usage(self, energy: EnergyUsage | None) -> Usage:
        tally = self._tally
        return Usage(
            prompt_tokens=tally.num_prompt,
            completion_tokens=tally.num_generated,
            total_tokens=tally.num_prompt + tally.num_generated,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=tally.num_cached),
            energy=energy,
        )

    def _share(self, energy: EnergyAccounting) -> EnergyUsage:
        basis = energy.basis
        joules = None if basis.source is None else self._job.energy.joules
        return EnergyUsage(joules=joules, source=basis.source, detail=basis.detail)
