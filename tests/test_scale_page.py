"""docs/scale.md: its tables are those that benchmarks/scale.py works out, and the sums are right."""

import importlib.util
import sys

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale"]


def test_the_page_has_the_tables_of_the_script(scale):
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for rows in scale.TABLES:
        assert f"\n\n{scale.table(rows())}\n" in page, f"{rows.__name__}: python benchmarks/scale.py prints it anew"
    for speed in [*scale.MODELS.values(), scale.PROCESSOR]:
        assert f"{speed:,.1f}".removesuffix(".0") in page


def row(rows, name):
    heads, *lines = rows
    (found,) = [line for line in lines if line[0].startswith(name)]
    return dict(zip(heads, found, strict=True))


def test_ten_million_pairs_by_hand(scale):
    """10,000 × 1000 pairs; ÷ 3,817 a second are 2,620 s; × 2 × 36 bytes are 720 MB; × 368 bytes 3.68 GB."""
    job = row(scale.jobs(), "MS MARCO v2, 10,000 × 1000")
    assert job["pairs"] == "10 million"
    assert job["MiniLM-L6 (23M), GPU hours"] == "0.73" and job["mxbai-large-v2 (1.5B), GPU hours"] == "7.2"
    assert (job["sent on Ray"], job["if texts were sent"]) == ("720 MB", "3.68 GB")


def test_the_second_ms_marco_by_hand(scale):
    """138,364,198 × 768 bytes of vectors are 106 GB; 59.9 words × 10.35 bytes each are 620 bytes of index a passage, 85.8 GB."""
    found = row(scale.collections(), "MS MARCO v2")
    assert (found["vectors"], found["BM25 index"]) == ("106 GB", "85.8 GB")


def test_what_is_full_first_by_hand(scale):
    """289,000 ÷ 3,817 = 75.7; 10 Gbit/s carry 1.25e9 ÷ 4,096 = 305,000 blocks; 8 × 3,817 are 6.1% of 500,000."""
    name = "MiniLM-L6 (23M): full at"
    assert row(scale.limits(), "the driver's stream")[name] == "76 GPUs"
    assert row(scale.limits(), "texts from one file server")["pairs a second"] == "305,180"
    assert row(scale.limits(), "texts from each")[name] == "6.1% used"
