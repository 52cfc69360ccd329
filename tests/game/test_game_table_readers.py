"""Tables from data frames, CSV and Parquet: the same numbers, and the same complaints."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable
from credit_plugin.game.table_cells import COLUMNS
from credit_plugin.tables import READERS, read_table

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
NAMES = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n\x00\ufeff"), min_size=1
).filter(lambda name: name.strip() and name not in COLUMNS)
KINDS = ("bool", "int8", "uint64", "float32", "float64", "object", "boolean", "Int64", "category")
FORMATS = (".csv", ".parquet", "frame")


@st.composite
def frames(draw):
    """Frames whose memberships have any type, with or without the optional columns."""
    n, m = draw(st.integers(2, 4)), draw(st.integers(1, 8))
    names = draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))
    members = draw(hnp.arrays(bool, (m, n)))
    columns = {
        name: pd.Series(members[:, i].astype(int)).astype(draw(st.sampled_from(KINDS)))
        for i, name in enumerate(names)
    }
    columns["utility"] = draw(hnp.arrays(np.float64, m, elements=FINITE))
    if draw(st.booleans()):
        columns["property"] = draw(st.lists(NAMES, min_size=m, max_size=m))
    if draw(st.booleans()):
        columns["seed"] = draw(hnp.arrays(np.int64, m))
        columns["repeat"] = np.arange(m)
    if draw(st.booleans()):
        columns["weight"] = draw(hnp.arrays(np.float64, m, elements=st.floats(1e-9, 1e9)))
    order = draw(st.permutations(list(columns)))
    return pd.DataFrame(columns)[order].set_axis(range(7, 7 + m))


def written(frame, form, folder):
    """Return what to read: the frame itself, or a file with its columns."""
    if form == "frame":
        return frame
    path = folder / f"table{form}"
    frame.to_csv(path, index=False) if form == ".csv" else frame.to_parquet(path)
    return path


def assert_same(one, other):
    assert one.contributors == other.contributors
    assert one.properties == other.properties
    for name in ("coalitions", "utilities", "seeds", "repeats", "weights"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@given(frames())
@settings(max_examples=25, deadline=None)
def test_frame_to_table_to_csv_to_table_is_exact(tmp_path_factory, frame):
    table = UtilityTable.from_frame(frame)
    assert list(table.contributors) == [name for name in frame if name not in COLUMNS]
    members = frame[list(table.contributors)].to_numpy(dtype=float)
    assert np.array_equal(table.coalitions, members == 1)
    assert table.utilities.tobytes() == frame["utility"].to_numpy().tobytes()
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    table.to_csv(path)
    assert_same(read_table(path), table)
    assert_same(read_table(str(path)), table)


@given(frames())
@settings(max_examples=15, deadline=None)
def test_parquet_and_frames_of_a_table_are_read_back_exactly(tmp_path_factory, frame):
    table = UtilityTable.from_frame(frame)
    assert_same(read_table(table.to_frame()), table)
    for suffix in (".parquet", ".PQ"):
        path = tmp_path_factory.mktemp("tables") / f"table{suffix}"
        table.to_frame().to_parquet(path)
        assert_same(read_table(path), table)


PLAIN = {"ann": [0, 1, 0, 1], "bob": [0, 1, 1, 0], "utility": [0.5, 2.5, 1.0, 1.5]}


def changed(**columns):
    return pd.DataFrame({**PLAIN, **columns})


# the frame, its complaint after the name of the table, and of what kind the line's name is
MALFORMED = {
    "a 2 among memberships": (
        changed(bob=[0, 1, 2, 0]),
        "{3}: column 'bob' is '2'; only 0 or 1 is allowed",
    ),
    "a fraction among memberships": (
        changed(bob=[0, 1, 0.5, 0]),
        "{3}: column 'bob' is '0.5'; only 0 or 1 is allowed",
    ),
    "words among memberships": (
        changed(bob=["0", "1", "yes", "0"]),
        "{3}: column 'bob' is 'yes'; only 0 or 1 is allowed",
    ),
    "an infinite utility": (
        changed(utility=[0.5, np.inf, 1, 1]),
        "{2}: utility is 'inf'; a finite number is needed, remove failed rows",
    ),
    "a utility in words": (
        changed(utility=["0.5", "good", "1", "1"]),
        "{2}: utility is 'good'; a finite number is needed, remove failed rows",
    ),
    "a fraction as seed": (
        changed(seed=[0.5, 1.5, 2.5, 3.5]),
        "{1}: seed is '0.5'; a whole number is needed",
    ),
    "no utility": (
        pd.DataFrame(PLAIN).drop(columns="utility"),
        ": there is no column 'utility'; add what was measured",
    ),
    "one contributor": (
        pd.DataFrame(PLAIN).drop(columns="bob"),
        ": 1 contributor columns found; values need at least two",
    ),
    "no contributor": (
        pd.DataFrame(PLAIN)[["utility"]],
        ": 0 contributor columns found; values need at least two",
    ),
    "no rows": (
        pd.DataFrame(PLAIN).iloc[:0],
        ": has a header but no rows; evaluate some coalitions first",
    ),
    "a row twice": (
        changed(ann=[0, 1, 1, 1], bob=[0, 1, 1, 0], repeat=[0, 0, 0, 0]),
        ": row 3 repeats row 2 (coalition 11, utility, seed 0, repeat 0): remove one, or number "
        "them in the column repeat",
    ),
    "a weight of nothing": (
        changed(weight=[1, 0, 1, 1]),
        ": weight: row 2 is 0.0; a number above 0 is needed, leave out rows that shall not count",
    ),
    "a blank property": (
        changed(property=["p", " ", "p", "p"]),
        "{2}: property is blank; name the property",
    ),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_table_gets_the_same_line_in_every_form(tmp_path, case, form):
    frame, complaint = MALFORMED[case]
    source = written(frame, form, tmp_path)
    for row in range(1, 5):
        place = f"line {row + 1}" if form == ".csv" else f"row {row}"
        complaint = complaint.replace(f"{{{row}}}", f", {place}")
    with pytest.raises(InputError) as caught:
        read_table(source)
    assert str(caught.value) == f"{'frame' if form == 'frame' else source}{complaint}"


# CSV has other words for what is missing
MISSING = {
    "utility": "utility is 'nan'; a finite number is needed, remove failed rows",
    "bob": "column 'bob' is 'nan'; only 0 or 1 is allowed",
    "property": "property is blank; name the property",
    "seed": "seed is '0.0'; a whole number is needed",
}


@pytest.mark.parametrize("form", [".parquet", "frame"])
@pytest.mark.parametrize("column", MISSING)
def test_a_missing_cell_is_never_a_number_nor_a_name(tmp_path, column, form):
    words = ["p", None, "p", "p"] if column == "property" else [0, np.nan, 1, 1]
    source = written(changed(**{column: words}), form, tmp_path)
    name = "frame" if form == "frame" else source
    row = 1 if column == "seed" else 2  # a missing whole number makes fractions of all of them
    with pytest.raises(InputError) as caught:
        read_table(source)
    assert str(caught.value) == f"{name}, row {row}: {MISSING[column]}"


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (
            changed(bob=pd.array([0, 1, None, 0], "Int64")),
            "frame, row 3: column 'bob' is '<NA>'; only 0 or 1 is allowed",
        ),
        (
            pd.DataFrame(np.ones((1, 3)), columns=["ann", "ann", "utility"]),
            "frame: column 'ann' is there twice; rename or remove one",
        ),
        (
            pd.DataFrame(np.ones((1, 3))),
            "frame: column 0 is not named by text; rename it",
        ),
        (
            changed(**{"": [0, 0, 0, 0]}),
            "frame: a column has no name; name it or remove it",
        ),
        (
            changed(utility=[True, True, False, True]),
            "frame, row 1: utility is 'True'; a finite number is needed, remove failed rows",
        ),
        (
            changed(utility=[1 + 0j] * 4),
            "frame, row 1: utility is '(1+0j)'; a finite number is needed, remove failed rows",
        ),
        ([[0, 1]], "frame: a pandas DataFrame is needed, got list"),
        (None, "frame: a pandas DataFrame is needed, got NoneType"),
    ],
)
def test_what_only_frames_can_get_wrong(frame, complaint):
    with pytest.raises(InputError) as caught:
        read_table(frame)
    assert str(caught.value) == complaint


def test_numbers_of_32_bits_keep_their_value_and_seeds_all_their_digits(tmp_path):
    frame = changed(utility=np.array([0.1, 1, 2, 3], "float32"), seed=[2**62 + 1, 1, 2, 3])
    for form in (".parquet", "frame"):
        table = read_table(written(frame, form, tmp_path))
        assert table.utilities[0] == float(np.float32(0.1)) != 0.1
        assert table.seeds[0] == 2**62 + 1


def test_an_index_is_no_contributor(tmp_path):
    frame = pd.DataFrame(PLAIN, index=pd.Index([0, 1, 1, 0], name="position"))
    for form in (".parquet", "frame"):
        assert read_table(written(frame, form, tmp_path)).contributors == ("ann", "bob")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("absent.csv", None, "cannot be read (No such file or directory)"),
        ("absent.parquet", None, "cannot be read (No such file or directory)"),
        ("text.parquet", b"ann,bob,utility", "is not a Parquet table (Parquet magic bytes not"),
        ("empty.pq", b"", "is not a Parquet table (Parquet file size is 0 bytes)"),
        (
            "table.xlsx",
            b"PK",
            "a table is a file that ends in .csv or .parquet or .pq, or the id of an MLflow run",
        ),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, name, content, complaint):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")
    assert "\n" not in str(caught.value)


def test_a_further_kind_of_file_is_one_more_entry(tmp_path, monkeypatch):
    monkeypatch.setitem(READERS, ".json", lambda path: UtilityTable.from_frame(pd.read_json(path)))
    path = tmp_path / "table.json"
    pd.DataFrame(PLAIN).to_json(path)
    assert read_table(path).utilities.tolist() == PLAIN["utility"]


@pytest.mark.parametrize("half", ["\ud800", "ann \udc80"])
def test_half_a_character_is_no_name(half):
    for names, name in (((half, "bob"), "utility"), (("ann", "bob"), half)):
        with pytest.raises(InputError) as caught:
            UtilityTable.from_arrays(np.eye(2, dtype=bool), [1, 2], names, name)
        kind = "contributors" if half in names else "property"
        assert str(caught.value) == f"{kind}: {half!a} is not text that a file can hold"
        str(caught.value).encode()  # a terminal can show it


def test_reading_csv_loads_neither_pandas_nor_mlflow(tmp_path):
    path = written(pd.DataFrame(PLAIN), ".csv", tmp_path)
    code = (
        "import sys; from credit_plugin.tables import read_table; read_table(sys.argv[1]); "
        "print(sorted({'pandas', 'pyarrow', 'mlflow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
