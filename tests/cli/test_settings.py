"""What need not be typed: where a setting comes from, and that the nearest source wins."""

import json

import pytest

TOML = """
collection = "mine"
device = "cpu"
cache_dir = "kept"

[collections.mine]
docs = "texts/*.tsv"
topics = "topics.tsv"
qrels = "judged.txt"
"""


@pytest.fixture
def project(tmp_path):
    """A folder with a rerank.toml that describes a collection of two documents, and a folder two levels below it."""
    (tmp_path / "rerank.toml").write_text(TOML)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.tsv").write_text("d1\tcats sleep\n")
    (tmp_path / "texts" / "b.tsv").write_text("d2\tbread and butter\n")
    (tmp_path / "topics.tsv").write_text("7\tbread\n")
    (tmp_path / "judged.txt").write_text("7 0 d2 1\n")
    below = tmp_path / "deep" / "below"
    below.mkdir(parents=True)
    return below


def told(result):
    assert result.code == 0, result.err
    return {row[0]: row[1:] for row in (line.split("\t") for line in result.lines)}


def test_the_nearest_rerank_toml_upwards_is_read_with_paths_from_its_own_folder(rerank, project):
    settings = told(rerank("config", cwd=project, env={"RERANK_CACHE_DIR": ""}))
    assert settings["collection"] == ["mine", str(project.parents[1] / "rerank.toml")]
    assert settings["cache_dir"] == [str(project.parents[1] / "kept"), str(project.parents[1] / "rerank.toml")]
    assert settings["model"] == ["minilm-blend", "default"]


def test_the_pipe_needs_no_flag_where_a_toml_says_all(shell, project):
    done = shell("rerank retrieve | rerank rerank | rerank eval -m RR", cwd=project)
    assert done.code == 0, done.err
    assert done.lines == ["RR\tall\t1.0000"]


def test_flag_over_header_over_environment_over_toml_over_user_over_default(rerank, project, tmp_path):
    user = tmp_path / "config" / "rerank"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('collection = "theirs"\nretriever = "bm25"\nmodel = "from-user"\n')
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert told(rerank("config", cwd=project, env=home))["model"] == ["from-user", str(user / "config.toml")]
    assert told(rerank("config", cwd=project, env=home))["collection"][0] == "mine"
    environment = home | {"RERANK_MODEL": "from-env", "RERANK_COLLECTION": "demo"}
    assert told(rerank("config", cwd=project, env=environment))["model"] == ["from-env", "RERANK_MODEL"]
    run = b"7 Q0 d1 1 2.0 t\n7 Q0 d2 2 1.0 t\n"
    refused = rerank("rerank", stdin=run, cwd=project, env=environment)
    assert (refused.code, "from-env" in refused.err) == (4, True)
    headed = b"# rerank: " + json.dumps({"collection": "mine"}).encode() + b"\n" + run
    by_header = rerank("rerank", "-m", "minilm", stdin=headed, cwd=project, env=environment)
    assert by_header.code == 0, by_header.err
    assert "(header)" in by_header.err
    assert by_header.lines[0].split()[2] == "d2"
    by_flag = rerank("rerank", "-m", "minilm", "-c", "demo", stdin=headed, cwd=project, env=environment)
    assert (by_flag.code, "demo" in by_flag.err) == (4, True)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("collection = ", "rerank.toml"),
        ("collection = 7", "collection is 7"),
        ("[collections.x]\ndocz = 'a'", "docz"),
        ("colection = 'demo'", "there is no setting 'colection'"),
        ("[collection.x]\ndocs = 'a'", "not a string"),
        ("[collections]\nx = 'a'", "[collections.NAME]"),
        ("collections = 'a'", "[collections.NAME]"),
    ],
)
def test_a_broken_toml_is_one_clear_error(rerank, tmp_path, toml, says):
    (tmp_path / "rerank.toml").write_text(toml)
    done = rerank("retrieve", "-c", "x") if "docz" in toml else rerank("retrieve")
    assert done.code == 3, done.err
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_name_that_is_also_a_folder_is_refused(rerank, tmp_path):
    (tmp_path / "demo").mkdir()
    done = rerank("retrieve", "-c", "demo")
    assert done.code == 2
    assert "./demo" in done.err
