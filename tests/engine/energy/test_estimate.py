from sterna.engine.energy.estimate import EstimateSource


def test_the_estimate_is_idle_power_and_the_share_of_the_rest() -> None:
    """Half of four processors for 10 seconds, at 65 W and 5 W."""
    wall, cpu = [100.0], [3.0]
    source = EstimateSource(65, 5, 4, lambda: wall[0], lambda: cpu[0])
    assert source.read() == {"package": 0.0}
    wall[0], cpu[0] = 110.0, 23.0
    assert source.read() == {"package": 10 * (5 + (65 - 5) * 0.5)}


def test_it_says_that_it_is_one() -> None:
    source = EstimateSource(65)
    assert (source.name, source.scope) == ("estimate", "process")
    assert source.detail.startswith("estimated")
    assert "65 W" in source.detail
