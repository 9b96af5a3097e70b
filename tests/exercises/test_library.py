"""The folder of exercises, a teacher's own, and the misconceptions that exercises share."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import paths
from app.exercises import misconceptions
from app.exercises.library import Library
from app.exercises.likely import LIKELY
from app.exercises.reading_tasks import BECAUSE
from app.main import create_app
from app.settings import Settings
from app.store import Store
from tests.exercises.planted import LEAST

ROOT = Path(__file__).parents[2]
SHIPPED = Library().exercises()


def write(folder: Path, name: str, text: str = LEAST) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert (list(library.exercises()), library.faults()) == (list(SHIPPED), [])
    mine = write(tmp_path, "90-mine.toml")
    write(tmp_path, "91-wrong.toml", LEAST.replace('"frames"', '"frames +"'))
    write(tmp_path, misconceptions.FILE, "no exercise and no fault")
    assert list(library.exercises()) == [*SHIPPED, "mine"]
    (fault,) = library.faults()
    assert fault.startswith("91-wrong.toml: task 1: answer: column 9: ")
    write(tmp_path, "91-wrong.toml")
    mine.unlink()
    assert (list(library.exercises()), library.faults()) == ([*SHIPPED, "wrong"], [])


def test_one_of_the_same_name_takes_the_place(tmp_path: Path) -> None:
    write(tmp_path, "what-a-split-leaves.toml")
    library = Library(tmp_path)
    assert list(library.exercises()) == list(SHIPPED)
    assert library.exercises()["what-a-split-leaves"].title == "A small one"
    assert library.shipped["what-a-split-leaves"].title != "A small one"


def test_a_file_is_read_again_only_when_it_was_saved(tmp_path: Path) -> None:
    write(tmp_path, "90-mine.toml")
    write(tmp_path, "91-other.toml")
    library = Library(tmp_path)
    before = library.exercises()
    write(tmp_path, "91-other.toml", LEAST.replace("small", "smaller"))
    after = library.exercises()
    assert after["mine"] is before["mine"]
    assert after["other"].title == "A smaller one"


def test_a_folder_that_is_not_there_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/kmemlab.db", exercises=tmp_path / "nowhere")
    Store.of(settings).migrate()
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        assert client.get("/api/v1/calls").status_code == 200
        library: Library = client.app.state.exercises  # type: ignore[attr-defined]
    assert list(library.exercises()) == list(SHIPPED)
    assert library.faults()[0].startswith(f"KMEMLAB_EXERCISES: {tmp_path / 'nowhere'}: No such file")
    assert "an exercise cannot be used: KMEMLAB_EXERCISES: " in caplog.text


def test_the_wheel_carries_the_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kmemlab-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"app/exercises/{path.name}" for path in paths.EXERCISES.glob("*.toml")} <= names
    assert "app/exercises/misconceptions.toml" in names


# -- misconceptions ---------------------------------------------------------------------------------------


def test_exercises_that_ship_have_reasons_with_a_name() -> None:
    used = {
        wrong.because
        for exercise in SHIPPED.values()
        for task in exercise.tasks
        for field in task.fields
        for wrong in field.wrong
    }
    assert used | {likely.because for likely in LIKELY.values()} <= set(misconceptions.shipped())


def test_names_and_sentences_tell_misconceptions_apart() -> None:
    found = misconceptions.shipped().values()
    assert len({one.name for one in found}) == len({one.sentence for one in found}) == len(found)
    for one in found:
        assert one.sentence.endswith(".")
        assert not one.name.endswith(".")
        assert len(one.key) <= 40
        assert BECAUSE.fullmatch(one.key)


def test_a_key_of_a_teacher_is_its_own_name() -> None:
    assert misconceptions.of("my own").name == "my own"
    assert misconceptions.of("contiguous").name == "vmalloc needs neighbouring frames"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 3", "x: a table is needed here"),
        ("[x]\nname = 'a'", "x: sentence: a text is needed"),
        ("[x]\nname = 'a'\nsentence = 'b'\nkey = 'c'", "x: key: no such field; there are name, sentence"),
        ("[x", "is not TOML"),
    ],
)
def test_a_file_that_names_none(text: str, said: str) -> None:
    with pytest.raises(misconceptions.BadMisconceptions, match=said):
        misconceptions.parse("m.toml", text)
