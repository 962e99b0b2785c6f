from sterna.engine.energy.meter import PowerWindow


def test_power_is_that_of_a_long_enough_time() -> None:
    window = PowerWindow(min_seconds=1.0)
    window.add("cpu", 5.0)
    window.end(0.25)
    assert window.watts == {}
    window.add("cpu", 35.0)
    window.end(1.75)
    assert window.watts == {"cpu": 20.0}


def test_what_is_no_longer_measured_has_no_power() -> None:
    window = PowerWindow(min_seconds=1.0)
    window.add("cpu", 5.0)
    window.end(1.0)
    window.end(1.0)
    assert window.watts == {}
