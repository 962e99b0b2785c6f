"""What one grammar may take of llguidance, in the server and where it is tried."""

from typing import Final

from llguidance import LLParserLimits

# Of one step less than a tenth of a second, of a compile less than a second; of one sequence some
# ten megabytes. An object takes four items of a row, and eight of a step, for each optional
# property; an ambiguous grammar takes time with the square of its items.
LIMITS: Final = LLParserLimits(
    max_items_in_row=4_000,
    step_max_items=10_000,
    initial_lexer_fuel=300_000,
    max_lexer_states=50_000,
    verbose_errors=False,  # they would quote what the model wrote
)
