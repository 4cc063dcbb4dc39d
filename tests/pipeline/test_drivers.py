"""Lists through ranking algorithms: the right order comes out, in lockstep and one by one, within every limit."""

from __future__ import annotations

import numpy as np
import pytest
from knowing import Knowing, Scoring, docids, lists, relevance

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.pipeline import Options, as_ranker, estimate_asked, planned, rerank


def run(ranker, candidates, sources, strategy=None, options=None, limits=None, **settings):
    plan = planned(as_ranker(ranker), strategy, settings, **(limits or {}))
    return list(rerank(candidates, sources, ranker, options or Options(), plan))


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize(
    ("asks", "strategy"),
    [
        ("order", "sliding"),
        ("pick", "heapsort"),
        ("prefer", "heapsort"),
        ("rate", "bubblesort"),
        ("prefer", "allpairs"),
    ],
)
def test_the_best_ten_come_first_whatever_is_asked_and_however(asks: str, strategy: str, at_once: int) -> None:
    candidates, sources, truth = lists(5, 30)
    answers = run(Knowing(asks, at_once=at_once), candidates, sources, strategy)
    assert [answer.ranking.qid for answer in answers] == [one.ranking.qid for one in candidates]
    for answer in answers:
        assert docids(answer.ranking)[:10] == truth[answer.ranking.qid][:10]
        assert sorted(docids(answer.ranking)) == sorted(truth[answer.ranking.qid])


def test_an_order_alone_is_written_as_n_minus_rank_plus_one_over_the_whole_list() -> None:
    candidates, sources, _ = lists(1, 12)
    (answer,) = run(Knowing(), candidates, sources, "sliding", Options(depth=5), window=3, step=2)
    assert answer.ranking.scores.tolist() == list(range(12, 0, -1))
    assert docids(answer.ranking)[5:] == docids(candidates[0].ranking)[5:]


def test_scores_that_a_strategy_makes_are_written_and_the_tail_follows_below() -> None:
    candidates, sources, _truth = lists(1, 9)
    (answer,) = run(Knowing("rate"), candidates, sources, "single", Options(depth=6))
    best = sorted(
        (float(sources.texts.lookup([d])[0].text.split()[1]) for d in docids(candidates[0].ranking)[:6]), reverse=True
    )
    assert answer.ranking.scores[:6].tolist() == best
    assert docids(answer.ranking)[6:] == docids(candidates[0].ranking)[6:]
    assert np.all(np.diff(answer.ranking.scores.astype(np.float32)) < 0)


def test_fifty_queries_are_sorted_in_no_more_than_a_hundred_rounds_of_questions() -> None:
    candidates, sources, truth = lists(50, 100)
    ranker = Knowing("pick")
    answers = run(ranker, candidates, sources, "heapsort", fanout=3)
    assert all(docids(answer.ranking)[:10] == truth[answer.ranking.qid][:10] for answer in answers)
    assert len(ranker.batches) <= 100
    assert sum(ranker.batches) > 50 * 50


def test_sixteen_are_under_way_at_once_and_no_more() -> None:
    candidates, sources, _ = lists(24, 40)
    ranker = Knowing("order", at_once=16, together=16, seconds=0.05)
    answers = run(ranker, candidates, sources, "sliding", window=20, step=10)
    assert sum(answer.stats.questions for answer in answers) == 24 * 3
    assert ranker.most_under_way == 16


def test_max_calls_ends_each_list_with_the_best_order_so_far() -> None:
    candidates, sources, truth = lists(3, 40)
    answers = run(Knowing(), candidates, sources, "sliding", limits={"max_calls": 2}, window=10, step=5)
    for answer, one in zip(answers, candidates, strict=True):
        assert answer.stats.questions == 2
        assert answer.stats.told["stopped"] == "max-calls"
        assert docids(answer.ranking)[:25] == docids(one.ranking)[:25]
        assert docids(answer.ranking) != docids(one.ranking)
    full = run(Knowing(), candidates, sources, "sliding", limits={"max_calls": 7}, window=10, step=5)
    assert [docids(answer.ranking)[0] for answer in full] == [truth[answer.ranking.qid][0] for answer in full]
    assert all("stopped" not in answer.stats.told for answer in full)


def test_a_budget_inside_one_round_uses_the_answers_that_it_paid_for() -> None:
    candidates, sources, _truth = lists(1, 8)
    (answer,) = run(Knowing("prefer"), candidates, sources, "allpairs", limits={"max_calls": 50})
    assert answer.stats.questions == 50
    assert answer.stats.told["stopped"] == "max-calls"
    assert docids(answer.ranking) != docids(candidates[0].ranking)


@pytest.mark.parametrize("at_once", [1, 4])
def test_what_the_model_raises_ends_the_run(at_once: int) -> None:
    class Broken(Knowing):
        def answer(self, slates):
            raise WorkFailed("the model is gone")

    candidates, sources, _ = lists(3, 10)
    with pytest.raises(WorkFailed, match="the model is gone"):
        run(Broken(at_once=at_once), candidates, sources, "sliding")


def test_no_more_than_64_queries_are_under_way_and_lists_come_out_as_they_end() -> None:
    candidates, sources, _ = lists(200, 6)
    ranker = Knowing()
    plan = planned(ranker, "sliding", {"window": 4, "step": 2})
    read = []

    def watched():
        for one in candidates:
            read.append(one)
            yield one

    answers = rerank(watched(), sources, ranker, Options(window_pairs=6), plan)
    next(answers)
    assert max(ranker.batches) <= 64
    assert len(read) < 150
    assert len(list(answers)) == 199


def test_a_model_that_compares_two_is_not_asked_for_the_order_of_twenty() -> None:
    with pytest.raises(WrongUsage, match="tells only which of two documents is better") as told:
        planned(Knowing("prefer"), "sliding", {})
    assert "heapsort" in told.value.hint and "allpairs" in told.value.hint and "sliding" not in told.value.hint


def test_a_setting_that_the_strategy_does_not_read_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="--fanout: the strategy sliding does not read it"):
        planned(Knowing(), "sliding", {"fanout": 3})


def test_a_window_larger_than_the_model_reads_is_refused_by_name_and_cut_by_default() -> None:
    with pytest.raises(WrongUsage, match="--window 20: this model reads at most 9"):
        planned(Knowing(most=9), "sliding", {"window": 20})
    assert planned(Knowing(most=9), "sliding", {}).settings.window == 9
    candidates, sources, _ = lists(1, 10)
    with pytest.raises(WrongUsage, match="puts 10 documents into one question"):
        run(Knowing(most=9), candidates, sources, "single")


def test_the_models_own_strategy_and_settings_hold_until_the_user_says_others() -> None:
    ranker = Knowing(strategy="sliding", settings={"window": 6, "step": 3})
    assert planned(ranker, None, {}).settings.window == 6
    assert planned(ranker, None, {"window": 4}).settings.window == 4
    assert planned(ranker, "heapsort", {}).settings.window is None


@pytest.mark.parametrize("strategy", ["sliding", "heapsort", "bubblesort", "allpairs", "single", "tournament"])
def test_a_scorer_answers_every_strategy_and_scores_no_pair_twice(strategy: str) -> None:
    candidates, sources, truth = lists(4, 25)
    scorer = Scoring()
    answers = run(scorer, candidates, sources, strategy)
    assert all(docids(answer.ranking)[:10] == truth[answer.ranking.qid][:10] for answer in answers)
    assert scorer.pairs == 4 * 25
    assert sum(answer.stats.calls for answer in answers) == 4 * 25


def test_the_estimate_of_a_strategy_whose_questions_do_not_depend_on_answers_is_what_it_asks() -> None:
    candidates, sources, _ = lists(3, 47)
    ranker = Knowing()
    plan = planned(ranker, "sliding", {})
    cost = estimate_asked(candidates, sources, ranker, plan, Options())
    assert ranker.batches == []
    answers = list(rerank(candidates, sources, ranker, Options(), plan))
    assert cost.questions == cost.most == sum(answer.stats.questions for answer in answers) == 3 * 4
    assert cost.tokens == 10 * cost.questions


def test_the_estimate_of_a_scorer_counts_each_pair_once_however_many_questions_hold_it() -> None:
    candidates, sources, _ = lists(3, 47)
    plan = planned(as_ranker(Scoring()), "sliding", {})
    cost = estimate_asked(candidates, sources, as_ranker(Scoring()), plan, Options())
    answers = list(rerank(candidates, sources, Scoring(), Options(), plan))
    assert cost.tokens == sum(answer.stats.tokens for answer in answers) == 5 * 3 * 47
    assert (cost.cached, sum(answer.stats.cached for answer in answers)) == (0, 0)


def test_the_estimate_knows_which_questions_are_paid_for() -> None:
    candidates, sources, _ = lists(3, 47)

    class Kept(Scoring):
        """Has the answers to the two best documents of every three."""

        def kept(self, pairs):
            return np.array([relevance(pair.document) % 3 < 2 for pair in pairs])

        def stream(self, pairs):
            for answers in super().stream(pairs):
                for at, cached in enumerate(self.kept(pairs).tolist()):
                    yield answers._replace(
                        positions=np.array([at]),
                        values=answers.values[at : at + 1],
                        tokens=answers.tokens[at : at + 1],
                        truncated=answers.truncated[at : at + 1],
                        calls=int(not cached),
                        cached=cached,
                    )

    plan = planned(as_ranker(Kept()), "allpairs", {})
    cost = estimate_asked(candidates, sources, as_ranker(Kept()), plan, Options())
    kept = len([gain for gain in range(47) if gain % 3 < 2])
    assert cost.cached == 3 * kept * (kept - 1)
    answers = list(rerank(candidates, sources, Kept(), Options(), plan))
    assert cost.cached == sum(answer.stats.cached for answer in answers)
    assert sum(answer.stats.calls for answer in answers) == 3 * (47 - kept)


def test_interpolation_adds_the_first_stage_to_a_strategys_order() -> None:
    candidates, sources, _ = lists(1, 10)
    (first,) = run(Knowing(), candidates, sources, "sliding", Options(interpolate=0.0))
    assert docids(first.ranking) == docids(candidates[0].ranking)
    (model,) = run(Knowing(), candidates, sources, "sliding", Options(interpolate=1.0))
    (alone,) = run(Knowing(), candidates, sources, "sliding")
    assert docids(model.ranking) == docids(alone.ranking)


def test_passages_and_scales_do_not_go_with_a_strategy() -> None:
    candidates, sources, _ = lists(1, 4)
    with pytest.raises(WrongUsage, match="--passages"):
        run(Knowing(), candidates, sources, "sliding", Options(passages=lambda text: [text]))
    with pytest.raises(WrongUsage, match="--score-as"):
        run(Knowing(), candidates, sources, "sliding", Options(score_as="prob"))


def test_what_a_model_leaves_out_follows_below_or_is_not_written_with_select() -> None:
    class Chooses(Knowing):
        def answer(self, slates):
            for at, reply in super().answer(slates):
                yield at, reply._replace(values=np.where(reply.values > 6, reply.values, np.nan))

    candidates, sources, truth = lists(1, 9)
    chosen = truth[b"q0"][:3]
    (whole,) = run(Chooses(), candidates, sources, "single", Options(depth=9))
    assert docids(whole.ranking)[:3] == chosen
    assert docids(whole.ranking)[3:] == [one for one in docids(candidates[0].ranking) if one not in chosen]
    assert np.all(np.diff(whole.ranking.scores.astype(np.float32)) < 0)
    (short,) = run(Chooses(), candidates, sources, "single", limits={"select": True})
    assert docids(short.ranking) == chosen


def test_ratings_compare_two_documents_by_the_odds_of_their_difference() -> None:
    candidates, sources, _ = lists(1, 5)
    (answer,) = run(Knowing("rate"), candidates, sources, "allpairs")
    gains = np.arange(5.0)[::-1]
    p = 1 / (1 + np.exp(gains[None, :] - gains[:, None]))
    np.fill_diagonal(p, 0)
    assert answer.ranking.scores == pytest.approx(2 * p.sum(1))


def test_a_first_score_stays_with_its_document_from_window_to_window() -> None:
    class Looks(Knowing):
        seen: set[tuple[str, float]] = set()  # noqa: RUF012 (one model, one list)

        def answer(self, slates):
            for slate in slates:
                assert slate.first_stage.tolist() == [12.0 - at for at in slate.positions]
                self.seen |= set(zip(slate.documents, slate.first_stage.tolist()))
            yield from super().answer(slates)

    candidates, sources, _ = lists(1, 12)
    model = Looks()
    run(model, candidates, sources, "sliding", window=4, step=2)
    assert len(model.seen) == 12
