"""Energy: what a meter measures, who it is charged to, and what arithmetic alone would take.

Measured joules (``meter.py`` and its sources) and modelled ones (``arithmetic.py``) have nothing
to do with each other, and are never added or mixed. ``docs/energy.md`` says what each is.
"""
