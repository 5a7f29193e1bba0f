"""Fields into validated rows: ids, places, models, prompts, options, file names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.errors import ManifestError, Problem, UsageError
from pipeline.manifest import Looks, Problems
from pipeline.media import Picture
from pipeline.media.pictures import look_at_picture
from pipeline.models import extended_catalogue
from tests.unit.making import make_clip, make_picture, make_voice, read_manifest
from tests.unit.manifest.conftest import Read


def yaml_row(**fields: str) -> str:
    fields = {"id": "a", "image": "face.png", "audio": "voice.wav"} | fields
    return (
        "version: 1\nrows:\n- " + json.dumps({name: text for name, text in fields.items() if text is not None}) + "\n"
    )


def texts(problems: list[Problem]) -> list[str]:
    return [problem.text for problem in problems]


# --- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row_id", ["a", "A.b_c-d", "0", "-", "...x", "x" * 100, "a..b"])
def test_an_id_of_letters_digits_and_marks_is_taken(read: Read, row_id: str) -> None:
    rows, problems = read(yaml_row(id=row_id))

    assert not problems
    assert (rows[0].id, rows[0].output) == (row_id, f"{row_id}.mp4")


@pytest.mark.parametrize(
    "row_id",
    [
        "",
        " ",
        ".",
        "..",
        "...",
        "../x",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "a b",
        "é",
        "x" * 101,
        "a\nb",
        "a\x00b",
        "{id}",
        "a%2fb",
        "a:b",
    ],
)
def test_an_id_that_could_harm_is_refused(read: Read, row_id: str) -> None:
    rows, problems = read(yaml_row(id=row_id))

    assert not rows
    assert len(problems) == 1
    assert "an id has 1 to 100 letters, digits and . _ -" in problems[0].text
    assert "\n" not in str(problems[0])
    assert "\x00" not in str(problems[0])


def test_an_id_twice_names_the_first_line(read: Read) -> None:
    _, problems = read("id,image,audio\na,face.png,voice.wav\nb,face.png,voice.wav\na,face.png,voice.mp3\n", "job.csv")

    assert texts(problems) == ["id: 'a'; line 2 has it already: ids are unique"]
    assert (problems[0].line, problems[0].row) == (4, "a")


def test_a_name_from_the_audio_file_that_is_no_id_says_so(read: Read, folder: Path) -> None:
    os.rename(folder / "voice.wav", folder / "my voice.wav")

    _, problems = read("image,audio\nface.png,my voice.wav\n", "job.csv")

    assert "'my voice' (from the audio file's name): give the row an id" in problems[0].text


@pytest.mark.parametrize("audio", ["http://[bad/x.mp3", "https://[::1"])
def test_a_row_without_id_survives_a_broken_link(read: Read, audio: str) -> None:
    rows, problems = read(f"image,audio\nface.png,{audio}\n", "job.csv")

    assert not rows
    assert any("isn't a URL that can be fetched" in text for text in texts(problems))


# --- places ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "is missing"),
        ("gone.png", "no such file: check the path"),
        (".", "isn't a file"),
        ("media\\gone.png", "no such file: write / between folders, not a backslash"),
        ("file:///etc/passwd", "file: links are not taken"),
        ("FILE:face.png", "FILE: links are not taken"),
        ("ftp://example.com/a.png", "ftp: links are not taken"),
        ("data:image/png;base64,AAAA", "data: links are not taken"),
        ("s3://bucket/key", "s3: links are not taken"),
        ("http://", "isn't a URL that can be fetched"),
        ("https:///a.png", "isn't a URL that can be fetched"),
        ("http://host:99999/a.png", "isn't a URL that can be fetched"),
        ("http://host/a b.png", "isn't a URL that can be fetched"),
        ("http://host/" + "a" * 8000, "isn't a URL that can be fetched"),
        ("https://me:secret@host/a.png", "a URL with a password in it"),
        ("a\x00b.png", "NUL"),
        ("x" * 300 + ".png", "can't be read"),
    ],
)
@pytest.mark.parametrize("field", ["image", "audio"])
def test_a_place_that_holds_nothing_is_told(read: Read, field: str, place: str, words: str) -> None:
    rows, problems = read(yaml_row(**{field: place}))

    assert not rows
    assert len(problems) == 1
    assert problems[0].text.startswith(f"{field}: ")
    assert words in problems[0].text
    assert "secret" not in str(problems[0])


def test_a_place_is_relative_to_the_manifest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "job.csv").write_text("id,image,audio\na,../face.png,../voice.wav\n")
    monkeypatch.chdir("/")

    rows, problems = read_manifest(Path(os.path.relpath(folder / "sub" / "job.csv", "/")))

    assert not problems
    assert rows[0].image == str(folder / "face.png")


def test_a_pipe_is_no_media_and_does_not_hang(read: Read, folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")

    _, problems = read(yaml_row(image="pipe.png"))

    assert texts(problems) == ["image: pipe.png: isn't a file: check the path"]


def test_a_picture_for_a_voice_and_a_voice_for_a_picture(read: Read) -> None:
    _, problems = read(yaml_row(image="voice.mp3", audio="face.png"))

    assert texts(problems) == [
        "image: voice.mp3: isn't a picture that can be read: give a JPEG, PNG or WEBP file",
        "audio: face.png: is a picture, not a voice: give an MP3, WAV, M4A or AAC file",
    ]


def test_media_beyond_the_model_s_limits_are_told(read: Read, folder: Path) -> None:
    make_picture(folder / "small.png", (299, 500))
    make_picture(folder / "long.png", (300, 800))
    make_picture(folder / "face.gif")
    make_voice(folder / "short.wav", 1.5)
    make_voice(folder / "minute.mp3", 31.0)
    make_voice(folder / "voice.ogg", 3.0)
    make_clip(folder / "film.mp4", 3.0)
    rows = [
        ("small.png", "short.wav", ""), ("long.png", "voice.ogg", ""), ("face.gif", "film.mp4", ""),
        ("face.png", "minute.mp3", "bytedance/omnihuman"), ("face.png", "minute.mp3", ""),
    ]  # fmt: skip

    good, problems = read(
        "id,image,audio,model\n" + "".join(f"{n},{a},{b},{c}\n" for n, (a, b, c) in enumerate(rows)), "job.csv"
    )

    assert [row.id for row in good] == ["4"]
    assert texts(problems) == [
        "image: small.png: is 299x500; each side must be 300 px or more: use a larger one",
        "audio: short.wav: lasts 1.50 s; the model needs 2 s or more",
        "image: long.png: is 300x800; the sides may differ by 1:2.5 at most: crop it",
        "audio: voice.ogg: is OGG; the model takes MP3, WAV, M4A, AAC: convert it",
        "image: face.gif: is GIF; the model takes JPEG, PNG, WEBP: convert it",
        "audio: film.mp4: is a video, not a voice: export its sound as MP3, WAV, M4A or AAC",
        "audio: minute.mp3: lasts 31.0 s; the model takes 30 s at most: split it",
    ]


def test_a_file_s_hostile_name_is_one_clean_line(read: Read) -> None:
    _, problems = read('version: 1\nrows:\n- {id: a, image: "\\e[31mred\\u202e\\nx.png", audio: voice.wav}\n')

    assert str(problems[0]).isprintable()
    assert "\x1b" not in str(problems[0])


# --- models, providers, prompts, options -------------------------------------------------------------------------


def test_a_model_of_the_config_is_known(folder: Path) -> None:
    (folder / "job.csv").write_text("id,image,audio,model\na,face.png,voice.wav,mine/new\n")

    rows, problems = read_manifest(
        folder / "job.csv", catalogue=extended_catalogue({"mine/new": {"price_usd_per_s": 1}})
    )

    assert not problems
    assert rows[0].estimated_usd == 2.5


@pytest.mark.parametrize("model", ["", "KLINGAI/avatar-pro", "klingai/avatar-pro ", "x\ny"])
def test_an_unknown_model_lists_the_known_ones(read: Read, model: str) -> None:
    _, problems = read(yaml_row(model=model))

    assert len(problems) == 1
    assert problems[0].text.startswith(f"model: unknown model {model!r}: known are ")
    assert "klingai/avatar-standard" in problems[0].text


def test_a_provider_is_one_of_the_model_s(read: Read) -> None:
    assert not read(yaml_row(provider="fal"))[1]
    assert "takes one of kling, klingai, fal, auto" in read(yaml_row(provider="me"))[1][0].text
    assert "takes none: leave it out" in read(yaml_row(provider="fal", model="veed/fabric-1.0"))[1][0].text


def test_a_prompt_is_filled_from_its_row(read: Read) -> None:
    rows, problems = read(yaml_row(prompt="{id} of {audio} {{x}} by {model} for {meta_who}", meta_who="{id}"))

    assert not problems
    assert rows[0].prompt == "a of voice.wav {x} by klingai/avatar-pro for {id}"


@pytest.mark.parametrize(
    "prompt",
    [
        "{nobody}",
        "{}",
        "{0}",
        "{id!r}",
        "{id:>9999999999}",
        "{id.__class__}",
        "{id[0]}",
        "{prompt}",
        "{",
        "}",
        "{id",
        "a } b",
        "{a{id}}",
        "{options}",
    ],
)
def test_a_prompt_takes_fields_and_nothing_else(read: Read, prompt: str) -> None:
    rows, problems = read(yaml_row(prompt=prompt))

    assert not rows
    assert len(problems) == 1
    assert problems[0].text.startswith("prompt: ")
    assert "for braces" in problems[0].text


def test_a_prompt_is_measured_when_it_is_filled(read: Read) -> None:
    assert not read(yaml_row(prompt="x" * 2500))[1]
    assert "has 2,501 characters" in read(yaml_row(prompt="x" * 2500 + "{id}"))[1][0].text


def test_a_model_without_prompt_takes_none(read: Read) -> None:
    _, problems = read(yaml_row(model="veed/fabric-1.0", prompt="smile"))

    assert texts(problems) == [
        "prompt: veed/fabric-1.0 takes none: leave it out (in YAML an empty `prompt:` hides a default)"
    ]


def options_row(options: str, model: str = "veed/fabric-1.0") -> str:
    return (
        f"version: 1\nrows:\n- id: a\n  image: face.png\n  audio: voice.wav\n  model: {model}\n  options: {options}\n"
    )


def test_options_are_held_against_the_model(read: Read) -> None:
    assert not read(options_row("{resolution: 720p}"))[1]
    _, problems = read(options_row("{resolution: 4k}"))
    assert texts(problems) == ["options: resolution: '4k': veed/fabric-1.0 takes 480p, 720p"]
    assert problems[0].line == 7


@pytest.mark.parametrize("name", ["model", "image_url", "audio_url", "prompt", "provider"])
def test_options_can_not_replace_what_the_row_says(read: Read, name: str) -> None:
    _, problems = read(options_row(f"{{{name}: x}}"))

    assert texts(problems) == [f"options: {name}: is set by the row itself: remove it here"]


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "0x" + "f" * 6000, "[.inf]", "{deep: .nan}"])
def test_options_without_a_json_form_are_refused(read: Read, value: str) -> None:
    rows, problems = read(options_row(f"{{seed: {value}}}"))

    assert not rows
    assert [problem.line for problem in problems] == [7]


# --- file names --------------------------------------------------------------------------------------------------


def test_the_template_names_the_file(folder: Path) -> None:
    (folder / "job.csv").write_text("id,image,audio,meta_lang\na,face.png,voice.wav,en/us\n")

    rows, problems = read_manifest(folder / "job.csv", template="{meta_lang}/{id}.mp4")

    assert not problems
    assert rows[0].output == "en_us/a.mp4"


@pytest.mark.parametrize(
    "template",
    [
        "{id}", "{id}.mov", "../{id}.mp4", "/etc/{id}.mp4", "a//{id}.mp4", "./{id}.mp4", ".hidden/{id}.mp4", "{meta_dots}/{id}.mp4",
        "{nobody}.mp4", "{image}.mp4", "{prompt}.mp4", "{id!r}.mp4", "{id}\\x.mp4", "{id}\n.mp4", "{", "x" * 250 + "{id}.mp4", ".mp4",
    ],
)  # fmt: skip
def test_a_template_that_leaves_out_is_refused(folder: Path, template: str) -> None:
    (folder / "job.csv").write_text("id,image,audio,meta_dots\na,face.png,voice.wav,..\n")

    rows, problems = read_manifest(folder / "job.csv", template=template)

    assert not rows
    assert len(problems) == 1
    assert problems[0].text.startswith("output.template: ")


@pytest.mark.parametrize(("one", "other"), [("1", "1"), ("nina", "Nina"), ("\u00e9", "e\u0301")])
def test_two_rows_never_write_one_file(folder: Path, one: str, other: str) -> None:
    (folder / "job.csv").write_text(
        f"id,image,audio,meta_n\na,face.png,voice.wav,{one}\nb,face.png,voice.wav,{other}\n", encoding="utf-8"
    )

    rows, problems = read_manifest(folder / "job.csv", template="clip-{meta_n}.mp4")

    assert [row.id for row in rows] == ["a"]
    words = f"the row of line 2 writes 'clip-{other}.mp4' too, or the same but for upper and lower case"
    assert texts(problems) == [f"output.template: {words}: give it another id, or add {{id}} to the template"]
    assert problems[0].line == 3


def test_a_template_that_has_the_id_is_not_the_remedy(read: Read) -> None:
    _, problems = read(b"id,image,audio\na,face.png,voice.wav\nA,face.png,voice.wav\n", "job.csv")

    assert [text.rpartition(": ")[2] for text in texts(problems)] == ["give it another id"]


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_kept(folder: Path) -> None:
    there = folder / os.fsdecode(b"caf\xe9")
    there.mkdir()
    (there / "job.csv").write_text("id,image,audio\na,https://h/face.png,https://h/voice.wav\n")

    with pytest.raises(UsageError, match="a folder above it has a name that isn't UTF-8: rename that folder"):
        read_manifest(there / "job.csv")


# --- the whole ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["job", "job.json", "job.yaml.txt", ".csv"])
def test_another_kind_of_file_is_a_wrong_call(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"a manifest is a \.yaml, \.yml or \.csv file"):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("name", ["job.yaml", "job.csv"])
def test_a_manifest_that_is_not_there_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.yaml").mkdir()

    assert texts(read_manifest(tmp_path / name)[1]) == ["no such file: check the path"]
    assert texts(read_manifest(tmp_path / "folder.yaml")[1]) == ["isn't a file: check the path"]


def test_a_hopeless_file_costs_no_memory_and_tells_the_number() -> None:
    problems = Problems("job.csv", keep=3)
    for line in range(10, 0, -1):
        problems.add("is wrong", line=line)

    with pytest.raises(ManifestError) as caught:
        problems.raise_if_any()

    assert caught.value.total == 10
    assert [problem.line for problem in caught.value.problems] == [8, 9, 10]


def test_a_file_is_looked_at_once_for_all_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def look(path: Path) -> Picture:
        seen.append(path)
        return look_at_picture(path)

    monkeypatch.setattr("pipeline.media.pictures.look_at_picture", look)
    (folder / "job.csv").write_text("id,image,audio\n" + "".join(f"r{n},face.png,voice.wav\n" for n in range(50)))

    rows, problems = read_manifest(folder / "job.csv")

    assert not problems
    assert len(rows) == 50
    assert len(seen) == 1


def test_a_changed_file_is_looked_at_anew(folder: Path) -> None:
    looks = Looks()
    before = looks.picture(str(folder / "face.png"))
    make_picture(folder / "face.png", (640, 480))

    after = looks.picture(str(folder / "face.png"))

    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    assert (before[0].width, after[0].width) == (400, 640)
    assert before[1] != after[1]


def test_the_fingerprint_follows_content_and_not_place(folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "face.png").read_bytes())
    (folder / "job.csv").write_text(
        "id,image,audio,prompt\na,face.png,voice.wav,x\nb,copy.png,voice.wav,x\nc,face.png,voice.wav,y\n"
    )

    (a, b, c), _ = read_manifest(folder / "job.csv")

    assert a.fingerprint == b.fingerprint != c.fingerprint
