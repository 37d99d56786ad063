# Part of refiner's examples, MIT licence.


def running_total(numbers: list[int]) -> list[int]:
    """The sums of the numbers so far, one for each number."""
    total = 0
    sums = []
    for number in numbers:
        sums.append(total)
        total += number
    return sums
