"""Energy: measured, charged to requests, and modelled.

Measured joules (``meter.py`` and its sources) and modelled ones (``arithmetic.py``) are never
mixed. ``docs/energy.md`` explains both.
"""
