from totals import running_total


def test_each_number_is_in_its_own_sum() -> None:
    assert running_total([1, 2, 3]) == [1, 3, 6]


def test_nothing_has_no_sums() -> None:
    assert running_total([]) == []
