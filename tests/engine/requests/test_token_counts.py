from sterna.engine.requests.token_counts import TokenCounts


def test_each_token_is_there_once_with_its_count_in_the_output() -> None:
    counts = TokenCounts([5, 3, 5], [3, 9])
    counts.add(9)
    assert dict(zip(counts.token_ids, counts.counts, strict=True)) == {5: 0, 3: 1, 9: 2}
    assert list(counts.token_ids) == [5, 3, 9]
