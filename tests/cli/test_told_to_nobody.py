"""A use of the program is told to nobody: ONNX Runtime keeps a number of the machine and a store of what it would send."""


def test_scoring_leaves_nothing_of_a_library_in_the_users_home(rerank, tmp_path):
    (tmp_path / "two.run").write_text("q01 Q0 bm25 1 2.0 a\nq01 Q0 bm25f 2 1.0 a\n")
    home = tmp_path / "home"
    home.mkdir()
    done = rerank("rerank", "two.run", "-c", "demo", "-m", "minilm", "--no-cache", env={"HOME": str(home)})
    assert done.code == 0, done.err
    assert not list(home.rglob("*onnxruntime*")) and not list(home.rglob("deviceid"))
