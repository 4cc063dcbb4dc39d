"""Languages beside English. The pairs of letters are the answers of Lucene 9.9.1's CJKAnalyzer (without stop words)."""

import subprocess
import sys

import pytest
from conftest import ROOT

from rerank_cli.core.texts import Document
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.languages import LANGUAGES

CJK = [
    ("東京都に行く。Lucene 3.14と日本", "東京 京都 都に に行 行く lucene 3.14 と日 日本"),
    ("カタカナとﾊﾝｶｸ, ＡＢＣ１２３", "カタ タカ カナ ナと とハ ハン ンカ カク abc123"),
    ("한국어 검색 엔진", "한국 국어 검색 엔진"),
    ("我 是中国人", "我 是中 中国 国人"),
    ("汉abc字 foo_bar の", "汉 abc 字 foo_bar の"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "terms"), CJK)
def test_cjk_terms_are_those_of_lucene(text, terms):
    assert analyzer_named("cjk").terms(text) == terms.split()


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("german", "Die Häuser der schönen Straßen", ["die", "haus", "der", "schon", "strass"]),
        ("french", "L'avion qu’il chevaux aujourd'hui", ["avion", "il", "cheval", "aujourd'hui"]),
        ("italian", "dell'acqua", ["acqua"]),
        ("turkish", "IŞIK", ["ışık"]),
        ("russian", "Книги", ["книг"]),
    ],
)
def test_words_are_stemmed_as_snowball_does(language, text, terms):
    assert analyzer_named(language).terms(text) == terms


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_that_is_named_is_there(language):
    assert analyzer_named(language).terms("a 12") == ["a", "12"]


def test_an_index_in_another_language(tmp_path):
    Bm25Index.build([Document(b"a", "", "Das Haus"), Document(b"b", "", "Die Straße")], tmp_path, "german")
    index = Bm25Index.open(tmp_path)
    assert index.search("Häuser", 5)[0].tolist() == [b"a"]
    assert "PyStemmer" in index.index.manifest["analyzer_version"]


def test_without_the_package_the_extra_is_named():
    code = (
        "import sys; sys.modules['Stemmer'] = None\n"
        "from rerank_cli.errors import Missing\n"
        "from rerank_cli.retrieval.analyzers import analyzer_named\n"
        "analyzer_named('cjk')\n"
        "try: analyzer_named('german')\n"
        "except Missing as error: print(error, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "the analyzer german needs the package PyStemmer" in done.stdout
    assert "rerank-cli[snowball]" in done.stdout
