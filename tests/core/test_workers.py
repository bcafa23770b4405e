"""Work shared out to threads: the same results in the same order, and nobody's settings changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from unprompt._compute.workers import (
    SMALL,
    ahead,
    cores_for,
    one_core_where_small,
    shared_out,
    side_by_side,
    workers,
)


@pytest.fixture
def two_threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_things_are_computed_side_by_side_on_a_core_each_and_come_in_order() -> None:
    import torch

    both = threading.Barrier(2)
    seen: set[tuple[str, int]] = set()

    def call(number: int) -> int:
        if number < 2:
            both.wait(timeout=30)  # neither goes on before the other has begun
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        return number * number

    assert [*side_by_side(call, range(20), "cpu")] == [number * number for number in range(20)]
    names = {name for name, _ in seen}
    assert len(names) == 2 and threading.current_thread().name not in names
    assert {threads for _, threads in seen} == {1}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("count", "device"), [(1, "cpu"), (5, "cuda")])
def test_one_thing_and_other_devices_stay_in_this_thread(count: int, device: str) -> None:
    import torch

    def call(_: int) -> tuple[threading.Thread, int]:
        return threading.current_thread(), torch.get_num_threads()

    here = (threading.current_thread(), 2)
    assert [*side_by_side(call, range(count), device)] == [here] * count


@pytest.mark.usefixtures("two_threads")
def test_an_error_ends_the_rest_and_what_is_closed_begins_no_more() -> None:
    begun: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        if number == 3:
            raise ValueError("three")
        return number

    with closing(side_by_side(call, range(400), "cpu")) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)
    assert len(begun) < 400
    begun.clear()
    with closing(side_by_side(call, [0] * 400, "cpu")) as results:
        next(results)
    assert len(begun) < 400


@pytest.mark.parametrize(
    ("work", "most", "of_two_cores", "of_a_gpu"),
    [(0, 8, 8, 8), (1, 8, 1, 1), (16, 8, 8, 8), (17, 8, 5, 6), (10, 8, 5, 5), (7, 100, 4, 7)],
)
@pytest.mark.usefixtures("two_threads")
def test_work_is_shared_out_evenly(work: int, most: int, of_two_cores: int, of_a_gpu: int) -> None:
    assert shared_out(work, most, "cpu") == of_two_cores
    assert shared_out(work, most, "cuda") == of_a_gpu


def test_the_next_one_is_computed_while_the_last_one_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]

    def call(number: int) -> int:
        begun[number].set()
        return -number

    taken: list[int] = []
    for result in ahead(call, range(4), "cpu"):
        taken.append(result)
        following = begun[min(len(taken), 3)]
        assert following.wait(timeout=30)
    assert taken == [0, -1, -2, -3]
    assert [*ahead(call, [], "cpu")] == []
    assert [*ahead(call, range(4), "cuda")] == taken


def test_an_error_of_the_things_comes_after_the_results_of_those_before_it() -> None:
    def things() -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("third")

    results = ahead(lambda number: -number, things(), "cpu", threads=2)
    assert [next(results), next(results)] == [-1, -2]
    with pytest.raises(KeyError, match="third"):
        next(results)


@pytest.mark.usefixtures("two_threads")
def test_several_are_computed_ahead_where_that_is_asked_for() -> None:
    both = threading.Barrier(2)

    def call(number: int) -> int:
        if number < 2:
            both.wait(timeout=30)
        return number

    assert [*ahead(call, iter(range(5)), "cpu", threads=2)] == [*range(5)]
    assert [cores_for(SMALL, "cpu"), cores_for(SMALL + 1, "cpu"), cores_for(1, "cuda:0")] == [
        2,
        1,
        1,
    ]


def test_an_error_ahead_comes_when_its_result_is_due() -> None:
    def call(number: int) -> float:
        return 1 / number

    results = ahead(call, [1, 2, 0, 4], "cpu")
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.usefixtures("two_threads")
def test_a_small_model_has_one_core() -> None:
    import torch

    with one_core_where_small(SMALL + 1):
        assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), one_core_where_small(SMALL):
        assert torch.get_num_threads() == 1
        raise KeyError


@pytest.mark.usefixtures("two_threads")
def test_blocks_of_several_threads_give_back_what_the_first_one_found() -> None:
    import torch

    entered, second_may_leave = threading.Event(), threading.Event()

    def second() -> None:
        with workers(2):
            entered.set()
            second_may_leave.wait(10)

    other = threading.Thread(target=second)  # asks for the number while the first has set it to 1
    with workers(2):
        other.start()
        assert entered.wait(10)
    assert torch.get_num_threads() == 2
    second_may_leave.set()
    other.join(10)
    later: list[int] = []
    new = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    new.start()
    new.join(10)
    assert later == [2]


@pytest.mark.usefixtures("two_threads")
def test_a_block_within_another_gives_back_what_it_found() -> None:
    import torch

    with one_core_where_small(1):
        with workers(1) as each:
            each(lambda _: None, [1])
        assert torch.get_num_threads() == 1
    found: list[int] = []

    def nested(_: object) -> None:
        with workers(1):
            pass
        found.append(torch.get_num_threads())

    with workers(2) as each:
        each(nested, range(4))
    assert found == [1, 1, 1, 1]
