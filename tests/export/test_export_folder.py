"""Exports to one folder at once: the last one stays, whole, and nobody fails."""

import os

import pytest

from rerank_cli.errors import WrongUsage
from rerank_cli.export.folder import refuse_foreign, write_folder


def export(text):
    def build(folder):
        (folder / "rerank.json").write_text("{}")
        (folder / "model.onnx").write_text(text)

    return build


def disturbing(monkeypatch, moment, disturb):
    """Have `disturb()` come just before the rename that `moment(source, target)` tells, once."""
    real, done = os.rename, []

    def rename(source, target):
        if not done and moment(source, target):
            done.append(1)
            disturb()
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("there", [False, True])
def test_another_that_puts_its_folder_there_in_between(tmp_path, monkeypatch, there):
    target = tmp_path / "exported"
    if there:
        write_folder(target, export("old"))
    disturbing(monkeypatch, lambda _, to: to == target, lambda: write_folder(target, export("other")))
    write_folder(target, export("mine"))
    assert (target / "model.onnx").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


def test_another_that_takes_the_old_folder_away_in_between(tmp_path, monkeypatch):
    target = tmp_path / "exported"
    write_folder(target, export("old"))
    disturbing(monkeypatch, lambda source, _: source == target, lambda: os.replace(target, tmp_path / "taken"))
    write_folder(target, export("mine"))
    assert (target / "model.onnx").read_text() == "mine"


def test_what_no_export_wrote_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("photos", "photos/one.jpg", "link"):
        with pytest.raises(WrongUsage, match=r"other files in it|is not a folder"):
            refuse_foreign(tmp_path / name)
