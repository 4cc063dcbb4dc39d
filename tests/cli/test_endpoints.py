"""From --endpoint and its companions to a model at a server: what is taken, what is said, what is refused."""

import pytest
import typer
from inference.loopback import Loopback, Reply, echoing, models

from rerank_cli.cli import endpoint_options
from rerank_cli.cli.completion import values
from rerank_cli.cli.endpoints import open_endpoint
from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.spec import command_spec
from rerank_cli.cli.terminal import Terminal
from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BudgetSpent, Missing, WrongUsage
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.writing import Decoding, Message, Prompt
from rerank_cli.pipeline.cached import CachedScorer

TEI = {"model_id": "bge", "model_type": {"reranker": {}}, "max_input_length": 512}


def opened(url, *, in_words, environment=None, **options):
    endpoint = Settings(environment={}).resolve("endpoint", url)
    return open_endpoint(endpoint, environment or {}, Terminal(), in_words=in_words, **options)


def tei(seen):
    if seen.method == "GET":
        return TEI if seen.path == "/info" else Reply(b"", 404)
    return [{"index": at, "score": -float(len(text))} for at, text in enumerate(seen.json["texts"])]


def say(writer, n=1):
    prompts = [Prompt((Message("user", f"say {at}"),)) for at in range(n)]
    return [completion.text for _, completion in sorted(writer.complete(prompts, Decoding()))]


def test_words_from_a_server_and_what_is_said_of_it(capsys):
    with Loopback(echoing) as server:
        writer = opened(f"{server.url}/v1", in_words=True, concurrency=3)
        assert say(writer, 2) == ["SAY 0", "SAY 1"]
        assert writer.at_once == 3
        assert capsys.readouterr().err == f"rerank: m: words from {server.url} (--endpoint), 3 requests at a time\n"


def test_scores_from_a_server_go_through_the_answers_that_are_kept(capsys, tmp_path):
    """Another address of the same model finds them too."""
    pairs = [Pair("q", "long text"), Pair("q", "text")]
    with AnswerCache(tmp_path / "answers", 1 << 27, pytest.fail) as store:
        for asked in (1, 0):
            with Loopback(tei) as server:
                scorer = CachedScorer(opened(server.url, in_words=False), store)
                assert scorer.score(pairs).values.tolist() == [-9.0, -4.0]
                assert len(server.posts) == asked
                assert f"bge: scores from {server.url} (--endpoint), asked as tei at /rerank" in capsys.readouterr().err
    assert (scorer.description.name, scorer.description.score, scorer.description.engine) == (
        "bge",
        "logit",
        "endpoint",
    )


def test_the_address_may_come_from_the_environment():
    settings = Settings(environment={"RERANK_ENDPOINT": "http://a:1,http://b:2/v1"})
    assert settings.resolve("endpoint") == Setting("http://a:1,http://b:2/v1", "RERANK_ENDPOINT")
    with Loopback(echoing) as one, Loopback(echoing) as two:
        writer = opened(f"{one.url}, {two.url}", in_words=True)
        say(writer, 20)
        assert one.posts and two.posts and writer.device == f"{one.url},{two.url}"


def test_the_key_is_read_from_the_variable_that_is_named():
    with Loopback(echoing) as server:
        say(opened(server.url, in_words=True, environment={"MY_KEY": "sk-1\n"}, api_key_env="MY_KEY"))
        assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer sk-1"}
        with pytest.raises(Missing, match="OTHER_KEY"):
            opened(server.url, in_words=True, environment={"MY_KEY": "sk-1"}, api_key_env="OTHER_KEY")


def test_money_is_counted_by_the_prices_given():
    """An answer of 11 tokens read and 3 written, at 2 and 8 for a million."""
    with Loopback(echoing) as server:
        writer = opened(server.url, in_words=True, price="2,8", max_cost=80e-6, concurrency=1)
        with pytest.raises(BudgetSpent):
            say(writer, 9)
        assert len(server.posts) == 2 and writer.ledger.cost == pytest.approx(92e-6)


@pytest.mark.parametrize(
    ("in_words", "options", "said"),
    [
        (True, {"api": "rerank"}, "--api rerank"),
        (False, {"api": "chat"}, "--api chat"),
        (True, {"max_cost": 1.0}, "--max-cost needs the prices"),
        (True, {"hedge_delay": 1.0}, "none to hedge to"),
        (True, {"price": "1"}, "--price 1:"),
        (True, {"price": "1,nan"}, "--price 1,nan:"),
        (True, {"price": "-1,2"}, "--price -1,2:"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_asked(in_words, options, said):
    with Loopback(lambda seen: models("m")) as server:
        with pytest.raises(WrongUsage, match=said):
            opened(server.url, in_words=in_words, **options)
        assert not server.seen


def test_the_options_are_typed_as_the_manual_will_say():
    def command(
        endpoint: endpoint_options.Endpoint = None,
        served_model: endpoint_options.ServedModel = None,
        api: endpoint_options.Api = endpoint_options.Interface.auto,
        concurrency: endpoint_options.Concurrency = 16,
        timeout: endpoint_options.Timeout = 120.0,
        hedge_delay: endpoint_options.HedgeDelay = None,
        api_key_env: endpoint_options.ApiKeyEnv = None,
        max_cost: endpoint_options.MaxCost = None,
        price: endpoint_options.Price = None,
    ) -> None:
        """Do it."""
        told.update(locals())

    told = {}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    line = "--endpoint http://a,http://b --served-model m --api chat --concurrency 4 --timeout 2.5 --hedge-delay 1.5 --api-key-env K --max-cost 3 --price 1,2"
    app(line.split(), standalone_mode=False)
    told.pop("told", None)
    assert told == {
        "endpoint": "http://a,http://b",
        "served_model": "m",
        "api": "chat",
        "concurrency": 4,
        "timeout": 2.5,
        "hedge_delay": 1.5,
        "api_key_env": "K",
        "max_cost": 3.0,
        "price": "1,2",
    }
    root = typer.main.get_command(app)
    known = set(values.LISTED) | values.FILES | values.FOLDERS | values.FREE
    for option in command_spec(root, typer.Context(root)).options:
        unknown = [kind for kind in values.kinds(option) if kind.isupper() and kind not in known]
        assert option.choices or not unknown, option
