import os

import numpy as np
import pytest
from PIL import Image

from credit_plugin.config import DataSettings
from credit_plugin.contributors import load_contributors
from credit_plugin.contributors.check import check_folder, render_findings
from credit_plugin.errors import InputError


def load(root, **settings):
    return load_contributors(
        DataSettings(source="imagefolder", path=root, image_size=16, **settings)
    )


def cut(gallery, file):
    path = gallery.root / file
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def truncated_jpeg(g):
    g.save("ann/9.jpg", g.picture(90, 300, 200), quality=90)
    cut(g, "ann/9.jpg")


def link(g, name, target):
    (g.root / name).symlink_to(target)


def outside(g, name="secret.png"):
    path = g.root.parent / name
    g.picture(0).save(path)  # read, it would be an exact copy of ann/0.png
    return path


def extra_row(*row):
    return lambda g: g.write_rows([*g.rows(), list(row)])


# what is done to the gallery; severity, where and message of a finding that must follow
CASES = {
    "not a picture": (
        lambda g: (g.root / "ann/9.png").write_text("hello"),
        ("error", "ann/9.png", "is not a picture"),
    ),
    "empty file": (
        lambda g: (g.root / "ann/9.png").touch(),
        ("error", "ann/9.png", "the file is empty"),
    ),
    "truncated jpeg": (truncated_jpeg, ("error", "ann/9.jpg", "truncated")),
    "truncated png": (lambda g: cut(g, "bob/1.png"), ("error", "bob/1.png", "cannot be decoded")),
    "float": (
        lambda g: g.save("ann/9.tif", Image.fromarray(np.eye(16, dtype=np.float32))),
        ("error", "ann/9.tif", "mode F"),
    ),
    "bomb": (
        lambda g: g.save("ann/9.png", Image.new("1", (20_000, 10_000))),
        ("error", "ann/9.png", "decompression bomb"),
    ),
    "cmyk": (
        lambda g: g.save("ann/9.jpg", g.picture(90).convert("CMYK")),
        ("warning", "ann/9.jpg", "is CMYK"),
    ),
    "palette with transparency": (
        lambda g: g.save("ann/9.png", g.picture(90).quantize(8), transparency=0),
        ("warning", "ann/9.png", "transparent"),
    ),
    "16 bit": (
        lambda g: g.save(
            "ann/9.png", Image.fromarray(np.asarray(g.picture(90).convert("L"), np.uint16) * 257)
        ),
        ("warning", "ann/9.png", "16-bit"),
    ),
    "small": (
        lambda g: g.save("ann/9.png", g.picture(90, 15, 20)),
        ("warning", "ann/9.png", "is 15 x 20, smaller than image_size 16"),
    ),
    "long": (
        lambda g: g.save("ann/9.png", g.picture(90, 100, 25)),
        ("warning", "ann/9.png", "loses 75% of it"),
    ),
    "flat": (
        lambda g: g.save("ann/9.png", Image.new("RGB", (30, 30), "red")),
        ("warning", "ann/9.png", "one flat colour"),
    ),
    "exact copy within": (
        lambda g: g.save("ann/9.bmp", g.picture(0)),
        ("warning", "ann/9.bmp", "is an exact copy of ann/0.png of the same contributor"),
    ),
    "exact copy across": (
        lambda g: g.save("bob/9.tif", g.picture(0)),
        ("warning", "bob/9.tif", "is an exact copy of ann/0.png of contributor 'ann'"),
    ),
    "near copy by compression": (
        lambda g: g.save("bob/9.jpg", g.picture(0), quality=30),
        ("warning", "bob/9.jpg", "looks like ann/0.png of contributor 'ann'"),
    ),
    "near copy by size": (
        lambda g: g.save("cleo/9.png", g.picture(0, 24, 20)),
        ("warning", "cleo/9.png", "looks like ann/0.png of contributor 'ann'"),
    ),
    "too few": (
        lambda g: g.save("dan/0.png", g.picture(90)),
        ("error", "contributor 'dan'", "has too few usable images (1, needs 2)"),
    ),
    "too few that decode": (
        lambda g: [cut(g, f"bob/{n}.png") for n in (0, 1)],
        ("error", "contributor 'bob'", "has too few usable images (1"),
    ),
    "case": (
        lambda g: [g.save(f"Ann/{n}.png", g.picture(90 + n)) for n in range(2)],
        ("warning", "contributor 'ann'", "differs from 'Ann' only in case or spaces"),
    ),
    "spaces": (
        lambda g: [g.save(f"an n/{n}.png", g.picture(90 + n)) for n in range(2)],
        ("warning", "contributor 'ann'", "differs from 'an n'"),
    ),
    "control character in a name": (
        lambda g: [g.save(f"d\x1ban/{n}.png", g.picture(90 + n)) for n in range(2)],
        ("error", "contributor 'd\\x1ban'", "control character"),
    ),
    "long name": (
        lambda g: [g.save(f"{'d' * 121}/{n}.png", g.picture(90 + n)) for n in range(2)],
        ("error", f"contributor '{'d' * 121}'", "121 characters"),
    ),
    "stray picture": (
        lambda g: g.save("stray.png", g.picture(90)),
        ("warning", "stray.png", "lies in no contributor's folder"),
    ),
    "unknown ending": (
        lambda g: (g.root / "ann/9.heic").write_bytes(b"x"),
        ("warning", "ann/9.heic", "is not a known kind of picture"),
    ),
    "empty folder": (
        lambda g: (g.root / "dan").mkdir(),
        ("warning", "dan", "holds no picture"),
    ),
    "file link outside": (
        lambda g: link(g, "ann/9.png", outside(g)),
        ("error", "ann/9.png", "leads out of the folder"),
    ),
    "folder link outside": (
        lambda g: link(g, "dan", g.root.parent),
        ("error", "dan", "leads out of the folder"),
    ),
    "nested folder link outside": (
        lambda g: link(g, "ann/more", "/"),
        ("error", "ann/more", "leads out of the folder"),
    ),
    "folder link inside": (
        lambda g: link(g, "dan", g.root / "ann"),
        ("warning", "dan", "is a link to a folder and is not followed"),
    ),
    "broken link": (
        lambda g: link(g, "ann/9.png", g.root / "ann/gone.png"),
        ("error", "ann/9.png", "does not exist"),
    ),
    "link to itself": (
        lambda g: link(g, "ann/9.png", "9.png"),
        ("error", "ann/9.png", ""),
    ),
    "pipe": (
        lambda g: os.mkfifo(g.root / "ann/9.png"),
        ("error", "ann/9.png", "is not a regular file"),
    ),
    "row without file": (
        extra_row("ann/9.png", "ann"),
        ("error", "metadata.csv:11", "ann/9.png: the file does not exist"),
    ),
    "file without row": (
        lambda g: (g.write_rows(g.rows()), g.save("ann/9.png", g.picture(90))),
        ("warning", "ann/9.png", "is not in metadata.csv"),
    ),
    "absolute path": (
        lambda g: extra_row(str(outside(g)), "ann")(g),
        ("error", "metadata.csv:11", "is absolute"),
    ),
    "drive": (extra_row("C:/a.png", "ann"), ("error", "metadata.csv:11", "is absolute")),
    "backslash": (extra_row(r"ann\0.png", "ann"), ("error", "metadata.csv:11", "backslashes")),
    "parent": (
        lambda g: (outside(g), extra_row("ann/../../secret.png", "ann")(g)),
        ("error", "metadata.csv:11", "leaves the folder"),
    ),
    "row to a link outside": (
        lambda g: (link(g, "ann/9.png", outside(g)), extra_row("ann/9.png", "ann")(g)),
        ("error", "metadata.csv:11", "leads out of the folder"),
    ),
    "row through a folder link outside": (
        lambda g: (outside(g), link(g, "dan", g.root.parent), extra_row("dan/secret.png", "d")(g)),
        ("error", "metadata.csv:11", "leads out of the folder"),
    ),
    "row names a folder": (
        extra_row("ann", "ann"),
        ("error", "metadata.csv:11", "is not a regular file"),
    ),
    "null character": (
        extra_row("ann/\x000.png", "ann"),
        ("error", "metadata.csv:11", "control characters"),
    ),
    "long file name": (
        extra_row("a" * 5000, "ann"),
        ("error", "metadata.csv:11", "cannot be looked up"),
    ),
    "empty file name": (extra_row("", "ann"), ("error", "metadata.csv:11", "file_name is empty")),
    "empty contributor": (
        lambda g: (g.save("x.png", g.picture(90)), extra_row("x.png", " ")(g)),
        ("error", "metadata.csv:11", "contributor is empty"),
    ),
    "repeated row": (
        extra_row("./ann/0.png", "ann"),
        ("warning", "metadata.csv:11", "repeats the file of line 2"),
    ),
    "two owners": (
        extra_row("ann/0.png", "bob"),
        ("error", "metadata.csv:11", "gives ann/0.png to 'bob', line 2 to 'ann'"),
    ),
    "more cells": (extra_row("ann/0.png", "a", "b"), ("error", "metadata.csv:11", "more cells")),
    "fewer cells": (extra_row("ann/0.png"), ("error", "metadata.csv:11", "fewer cells")),
    "missing column": (
        lambda g: g.write_rows(g.rows(), ("file_name", "artist")),
        ("error", "metadata.csv", "'contributor' is missing (found: file_name, artist)"),
    ),
    "no columns": (
        lambda g: (g.root / "metadata.csv").touch(),
        ("error", "metadata.csv", "'file_name' is missing (found: none)"),
    ),
    "column twice": (
        lambda g: g.write_rows(
            [[*row, "x"] for row in g.rows()], ("file_name", "contributor", "contributor")
        ),
        ("error", "metadata.csv", "'contributor' is there twice"),
    ),
    "not utf-8": (
        lambda g: (g.root / "metadata.csv").write_bytes(b"file_name,contributor\nann/0.png,\xe9\n"),
        ("error", "metadata.csv", "is not UTF-8"),
    ),
    "not csv": (
        lambda g: (g.root / "metadata.csv").write_text('file_name,contributor\n"ann/0.png" x,a\n'),
        ("error", "metadata.csv", "cannot be read as CSV"),
    ),
    "metadata outside": (
        lambda g: link(g, "metadata.csv", outside(g)),
        ("error", "metadata.csv", "leads out of the folder"),
    ),
    "metadata link broken": (
        lambda g: link(g, "metadata.csv", g.root / "gone.csv"),
        ("error", "metadata.csv", "does not exist"),
    ),
    "empty label": (
        lambda g: g.write_rows(
            [[*row, " " if row[0] == "ann/0.png" else "1"] for row in g.rows()],
            ("file_name", "contributor", "label"),
        ),
        ("error", "metadata.csv:2", "label is empty"),
    ),
    "only one contributor": (
        lambda g: g.write_rows([[file, "ann"] for file, _ in g.rows()]),
        ("error", ".", "has too few contributors with images (1, needs 2)"),
    ),
}


def test_a_good_gallery_has_no_findings(gallery):
    assert gallery.check(image_size=16) == []
    gallery.write_rows(gallery.rows())
    assert gallery.check(image_size=16) == []


@pytest.mark.parametrize("case", CASES)
def test_bad_input(gallery, has, case):
    damage, (severity, where, text) = CASES[case]
    damage(gallery)
    findings = gallery.check(image_size=16)
    assert has(findings, severity, where, text), findings
    assert gallery.check(image_size=16) == findings
    assert all("\n" not in f.message and f.where.isprintable() for f in findings)
    # an error is what cannot be loaded, and nothing else is
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        with pytest.raises(InputError) as refused:
            load(gallery.root)
        assert "\n" not in str(refused.value)
        assert str(refused.value).startswith("data.")
    else:
        assert load(gallery.root).n_contributors >= 3


@pytest.mark.parametrize("case", [c for c in CASES if CASES[c][1][0] == "warning"])
def test_what_can_be_used_has_no_error(gallery, case):
    CASES[case][0](gallery)
    assert {f.severity for f in gallery.check(image_size=16)} == {"warning"}


def test_everything_is_said_at_once(gallery, has):
    together = ("not a picture", "cmyk", "bomb", "too few", "case", "exact copy across", "16 bit")
    names = iter("abcdefgh")
    expected = []
    for case in together:
        before = {p for p in gallery.root.rglob("*") if p.is_file()}
        CASES[case][0](gallery)
        for path in {p for p in gallery.root.rglob("*.*") if p.is_file()} - before:
            path.rename(path.with_stem(f"{path.stem}{next(names, path.stem)}"))
        expected.append(CASES[case][1])
    findings = gallery.check(image_size=16)
    for severity, _, text in expected:
        assert any(f.severity == severity and text in f.message for f in findings), text
    assert findings == sorted(findings, key=lambda f: (f.severity, f.where, f.message))


def test_images_are_checked_even_where_the_metadata_is_no_table(gallery, has):
    cut(gallery, "bob/1.png")
    gallery.write_rows(gallery.rows(), ("file", "artist"))
    findings = gallery.check()
    assert has(findings, "error", "metadata.csv", "'file_name' is missing")
    assert has(findings, "error", "metadata.csv", "'contributor' is missing")
    assert has(findings, "error", "bob/1.png", "cannot be decoded")
    assert len(findings) == 3


def test_a_picture_outside_is_never_read(gallery):
    (gallery.root / "ann/9.png").symlink_to(outside(gallery))
    findings = gallery.check()
    assert [f.where for f in findings] == ["ann/9.png"]


def test_a_link_inside_is_a_copy_and_hidden_files_are_nothing(gallery, has):
    (gallery.root / "bob/9.png").symlink_to(gallery.root / "ann/0.png")
    (gallery.root / ".DS_Store").write_bytes(b"x")
    (gallery.root / "ann/._0.png").write_bytes(b"x")
    (gallery.root / "__MACOSX/ann").mkdir(parents=True)
    findings = gallery.check()
    assert has(findings, "warning", "bob/9.png", "is an exact copy of ann/0.png")
    assert len(findings) == 1


def test_a_file_name_that_is_no_text_is_shown_escaped(gallery):
    name = os.fsencode(str(gallery.root / "ann")) + b"/\xff\n.png"
    with open(name, "wb") as stream:  # noqa: PTH123 (pathlib takes no bytes)
        stream.write(b"x")
    (finding,) = gallery.check()
    assert finding.where == "ann/\\udcff\\n.png"
    finding.where.encode("utf-8")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(gallery):
    lines = ["file_name,contributor", *(",".join(row) for row in gallery.rows()), ""]
    (gallery.root / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert gallery.check() == []


def test_min_images_is_the_callers(gallery):
    assert len(gallery.check(min_images=4)) == 3
    with pytest.raises(InputError, match=r"data.min_images = 4: too few images \('ann' has 3"):
        load(gallery.root, min_images=4)


def test_each_copy_is_reported_once(gallery):
    for owner in ("bob", "cleo"):
        for number in range(4):
            gallery.save(f"{owner}/copy{number}.png", gallery.picture(0))
    findings = gallery.check()
    assert [f.where for f in findings] == [
        f"{owner}/copy{n}.png" for owner in ("bob", "cleo") for n in range(4)
    ]


def test_flat_pictures_do_not_look_alike(gallery):
    for owner, colour in (("ann", "red"), ("bob", "blue")):
        gallery.save(f"{owner}/flat.png", Image.new("RGB", (40, 40), colour))
    assert {f.message for f in gallery.check()} == {"is one flat colour"}


def test_progress_reaches_the_end(gallery):
    seen = []
    check_folder(gallery.root, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (9, 9)


@pytest.mark.parametrize("name", ["gone", "file"])
def test_what_is_no_folder_is_an_input_error(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"PATH: .*{name} .*; give a folder of images"):
        check_folder(tmp_path / name)


def test_an_empty_folder_cannot_be_used(tmp_path):
    (finding,) = check_folder(tmp_path)
    assert finding.severity == "error"
    with pytest.raises(InputError, match="holds no pictures"):
        load(tmp_path)


def test_lines_for_the_terminal(gallery):
    assert render_findings(gallery.check()) == ["0 errors, 0 warnings: nothing is wrong"]
    CASES["cmyk"][0](gallery)
    *lines, verdict = render_findings(gallery.check())
    assert lines == ["warning  ann/9.jpg: is CMYK: converted to RGB without its colour profile"]
    assert verdict == "0 errors, 1 warning: this can be used; read the warnings first"
    for number in range(5):
        (gallery.root / f"bob/{number + 5}.png").touch()
    lines = render_findings(gallery.check(), limit=2)
    assert [line.split(":")[0] for line in lines] == [
        "error    bob/5.png",
        "error    bob/6.png",
        "         and 3 more errors",
        "warning  ann/9.jpg",
        "5 errors, 1 warning",
    ]
    assert len(render_findings(gallery.check())) == 7
