"""What holds for every ranking algorithm there is: it ends, whatever it is told, with an order of all documents."""

from __future__ import annotations

import pytest
from oracles import Oracle, constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, Strategy, strategies, strategy_named

SIZES = (0, 1, 2, 3, 7, 20, 100)
#: Those whose result has the best `top` documents right when every answer is.
EXACT = ("single", "sliding", "heapsort", "bubblesort", "tournament", "topdown", "drop")


@pytest.fixture(params=sorted(strategies()))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return strategy_named(request.param)


def bad_oracles(n: int, strategy: Strategy) -> list[Oracle]:
    gains, kind = shuffled_gains(n), strategy.asks
    return [noisy(gains, kind), cyclic(n, kind), constant(kind), constant("rate"), nothing, forgetful(gains, kind)]


def test_its_record_is_whole(strategy: Strategy) -> None:
    assert strategy.summary and strategy.paper and strategy.calls
    assert set(strategy.reads) <= Settings.names()
    plain = Settings()
    changed = {name for name in Settings.names() if getattr(strategy.defaults, name) != getattr(plain, name)}
    assert changed <= set(strategy.reads), "a default of a setting that it does not read"
    assert bool(strategy.compats) == ("compat" in strategy.reads)


@pytest.mark.parametrize("n", SIZES)
def test_any_model_ends_in_an_order_of_all(strategy: Strategy, n: int) -> None:
    for oracle in bad_oracles(n, strategy):
        drive(strategy, n, oracle)


def test_one_document_needs_no_question(strategy: Strategy) -> None:
    for n in (0, 1):
        assert not drive(strategy, n, nothing).questions


def test_two_documents_are_told_apart(strategy: Strategy) -> None:
    assert drive(strategy, 2, perfect([1, 2], strategy.asks)).order == [1, 0]


def test_the_same_seed_asks_the_same(strategy: Strategy) -> None:
    oracle = perfect(shuffled_gains(40), strategy.asks)
    one, again = drive(strategy, 40, oracle, seed=3), drive(strategy, 40, oracle, seed=3)
    assert one.rounds == again.rounds and one.order == again.order


@pytest.mark.parametrize("name", [*EXACT, "tour"])
@pytest.mark.parametrize("n", SIZES)
def test_where_nothing_is_known_the_incoming_order_stays(name: str, n: int) -> None:
    for oracle in (nothing, constant("rate")):
        assert drive(strategy_named(name), n, oracle).order == list(range(n))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("n", [*SIZES, 1000])
def test_a_perfect_model_gives_the_exact_top(name: str, n: int) -> None:
    gains, strategy = shuffled_gains(n), strategy_named(name)
    assert drive(strategy, n, perfect(gains, strategy.asks)).order[:10] == ideal(gains)[:10]


@pytest.mark.parametrize("name", EXACT)
def test_equals_stay_in_the_incoming_order(name: str) -> None:
    grades = [gain % 4 for gain in shuffled_gains(100)]
    assert drive(strategy_named(name), 100, perfect(grades, "rate")).order[:10] == ideal(grades)[:10]


@pytest.mark.parametrize("name", [*EXACT, "tour"])
def test_it_says_what_settings_it_reads(name: str) -> None:
    seen: set[str] = set()

    class Watched(Settings):
        def __getattribute__(self, attribute: str) -> object:
            seen.add(attribute)
            return super().__getattribute__(attribute)

    strategy = strategy_named(name)
    drive(strategy, 60, perfect(shuffled_gains(60), strategy.asks), Watched())
    assert seen & Settings.names() == set(strategy.reads)


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(WrongUsage, match="quicksort") as caught:
        strategy_named("quicksort")
    assert all(name in str(caught.value.hint) for name in EXACT)
