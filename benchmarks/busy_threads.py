"""What threads cost on a busy machine: a model on one and two, beside loops that take processors.

    python -m benchmarks.busy_threads [--busy 0 2 16] [--rounds 30] [--model FOLDER]
        [--other PYTHON]

Each engine is a process of its own, which writes TOKENS tokens when it is asked. They are asked in
turn, so that all see the same machine. ``--other`` adds the engines of another checkout, by the
path of its python. Prints milliseconds for each: the median, and the quartiles.
"""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

TOKENS = 60
BUILT_IN = Path(__file__).parents[1] / "server/builtin_model"

# Runs in checkouts old and new, whose modules have had other names.
ENGINE = """
import sys, time
from pathlib import Path
try:
    from sterna.engine.bench.stepper import Stepper
    from sterna.engine.config import EngineConfig
    from sterna.engine.requests.request import Request, SamplingParams
except ImportError:
    from engine.bench.stepper import Stepper
    from engine.config import EngineConfig
    from engine.request import Request, SamplingParams

folder, threads, tokens = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
loaded = Stepper(EngineConfig(folder, num_threads=threads)).loaded
for number, _ in enumerate(sys.stdin):
    prompt = [(number * 31 + i * 7) % 500 for i in range(16)]
    params = SamplingParams(max_tokens=tokens, temperature=0.0, ignore_eos=True)
    request = Request(str(number), prompt, params)
    start = time.perf_counter()
    loaded.core.add(request)
    while request.finish_reason is None:
        loaded.core.step()
    seconds = time.perf_counter() - start
    held_up = getattr(loaded.program, "num_held_up", 0)
    print(seconds, held_up, flush=True)
"""


class Engine:
    """A process that generates when it is asked."""

    def __init__(self, python: str, model: Path, threads: int) -> None:
        self._process = subprocess.Popen(
            [python, "-c", ENGINE, str(model), str(threads), str(TOKENS)],
            cwd=Path(python).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = f"{Path(python).parents[2].name}, {threads} thread{'s' * (threads > 1)}"
        self.milliseconds: list[float] = []
        self.held_up = 0

    def ask(self) -> None:
        """Let it generate, and take the time."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        seconds, held_up = self._process.stdout.readline().split()
        self.milliseconds.append(1e3 * float(seconds))
        self.held_up = int(held_up)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def measure(pythons: Sequence[str], model: Path, num_busy: int, rounds: int) -> None:
    """Print a table for one number of busy loops."""
    engines = [Engine(python, model, threads) for threads in (1, 2) for python in pythons]
    for engine in engines:
        engine.ask()
        engine.milliseconds.clear()
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(num_busy)]
    try:
        for _ in range(rounds):
            for engine in engines:
                engine.ask()
    finally:
        for process in loops:
            process.kill()
            process.wait()
        for engine in engines:
            engine.stop()
    print(f"beside {num_busy} busy loops")
    for engine in engines:
        low, median, high = quantiles(engine.milliseconds, n=4)
        print(
            f"  {engine.name:24} {median:8.1f} ms  ({low:.1f} to {high:.1f})"
            f"  held up {engine.held_up}"
        )


def main() -> None:
    """Measure as the command line says."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2, 16])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--model", type=Path, default=BUILT_IN)
    parser.add_argument("--other", action="append", default=[], metavar="PYTHON")
    arguments = parser.parse_args()
    for num_busy in arguments.busy:
        measure([sys.executable, *arguments.other], arguments.model, num_busy, arguments.rounds)


if __name__ == "__main__":
    main()
