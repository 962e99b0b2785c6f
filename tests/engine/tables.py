"""An embedding or a head that is known to hold floats."""

import numpy as np

from sterna.engine.kernels import Floats, PackedTernary, Table, widen


def table_of(table: Table | PackedTernary) -> Table:
    assert isinstance(table, np.ndarray)
    return table


def floats_of(table: Table | PackedTernary) -> Floats:
    return widen(table_of(table))
