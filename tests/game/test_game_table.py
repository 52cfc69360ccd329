import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
NAMES = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n\x00\ufeff"), min_size=1
).filter(lambda name: name.strip() and name not in ("property", "utility", "seed", "repeat"))


@st.composite
def tables(draw):
    n = draw(st.integers(2, 5))
    m = draw(st.integers(1, 12))
    coalitions = draw(hnp.arrays(bool, (m, n)))
    names = draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))
    utilities = draw(hnp.arrays(np.float64, m, elements=FINITE))
    seeds = draw(hnp.arrays(np.int64, m))
    return UtilityTable.from_arrays(coalitions, utilities, names, "some, property", seeds)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_csv_round_trip_is_exact(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("tables") / "coalitions.csv"
    table.to_csv(path)
    again = UtilityTable.from_csv(path)
    assert again.contributors == table.contributors
    assert again.properties == table.properties
    assert np.array_equal(again.coalitions, table.coalitions)
    assert again.utilities.tobytes() == table.utilities.tobytes()
    assert np.array_equal(again.seeds, table.seeds)
    assert np.array_equal(again.repeats, table.repeats)
    assert [p.name for p in path.parent.iterdir()] == ["coalitions.csv"]


def test_repeats_are_numbered_by_default():
    table = UtilityTable.from_arrays([[0, 1], [1, 1], [0, 1], [0, 1]], [1, 2, 3, 4])
    assert table.repeats.tolist() == [0, 0, 1, 2]
    assert table.contributors == ("c1", "c2")
    assert len(table) == 4


def test_a_table_cannot_be_changed_through_its_arrays():
    utilities = np.array([1.0, 2.0])
    table = UtilityTable.from_arrays([[0, 1], [1, 1]], utilities)
    utilities[0] = 9
    assert table.utilities[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        table.utilities[0] = 9


def test_properties_are_joined_and_selected():
    rows = [[0, 0], [1, 1]]
    sharp = UtilityTable.from_arrays(rows, [1, 2], property="sharp")
    varied = UtilityTable.from_arrays(rows, [3, 4], property="varied")
    both = UtilityTable.concat(sharp, varied)
    assert both.property_names == ("sharp", "varied")
    assert both.select("varied").utilities.tolist() == [3, 4]
    with pytest.raises(InputError, match="'blurred' is not in the table; it holds sharp, varied"):
        both.select("blurred")
    with pytest.raises(InputError, match="row 3 repeats row 1"):
        UtilityTable.concat(sharp, sharp)
    with pytest.raises(InputError, match="same contributors"):
        UtilityTable.concat(sharp, UtilityTable.from_arrays(rows, [1, 2], ("a", "b")))
    with pytest.raises(InputError, match="there is none to join"):
        UtilityTable.concat()


def test_a_plain_csv_of_memberships_and_utilities_is_enough(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("\ufeffann,bob,utility\n0,0,0.5\nTrue,1.0,2\n1,1,2.5\n\n", "utf-8")
    table = UtilityTable.from_csv(path)
    assert table.contributors == ("ann", "bob")
    assert table.coalitions.tolist() == [[False, False], [True, True], [True, True]]
    assert table.utilities.tolist() == [0.5, 2.0, 2.5]
    assert table.property_names == ("utility",)
    assert table.repeats.tolist() == [0, 0, 1]


HEAD = "a,b,property,utility,seed,repeat\n"
MALFORMED = {
    "": "the file is empty",
    HEAD: "has a header but no rows",
    "a,b,property\n0,1,p\n": "there is no column 'utility'",
    "a,utility\n1,2\n": "1 contributor columns found; values need at least two",
    "a,a,utility\n1,1,2\n": "column 'a' is there twice",
    "a,,utility\n1,1,2\n": "a column has no name",
    HEAD + "0,2,p,1,0,0\n": "line 2: column 'b' is '2'; only 0 or 1 is allowed",
    HEAD + "0,,p,1,0,0\n": "line 2: column 'b' is ''; only 0 or 1 is allowed",
    HEAD + "0,1,p,1,0,0\n0,1,p,1,0\n": "line 3: 5 cells for 6 columns",
    HEAD + "0,1,p,nan,0,0\n": "line 2: utility is 'nan'; a finite number is needed",
    HEAD + "0,1,p,inf,0,0\n": "line 2: utility is 'inf'; a finite number is needed",
    HEAD + "0,1,p,,0,0\n": "line 2: utility is ''; a finite number is needed",
    HEAD + "0,1,p,1,0.5,0\n": "line 2: seed is '0.5'; a whole number is needed",
    HEAD + "0,1,p,1,99999999999999999999,0\n": "must fit into 64 bits",
    HEAD + "0,1, ,1,0,0\n": "line 2: property is blank",
    HEAD + "0,1,p,1,7,0\n0,1,p,2,7,0\n": "row 2 repeats row 1 (coalition 01, p, seed 7, repeat 0)",
    HEAD + '0,1,"p,1,0,0\n': "not valid CSV",
}


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: MALFORMED[text][:40])
def test_a_malformed_file_gets_one_clear_line(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        UtilityTable.from_csv(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert MALFORMED[text] in message
    assert "\n" not in message


def test_files_that_are_no_text_or_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        UtilityTable.from_csv(tmp_path / "missing.csv")
    (tmp_path / "table.csv").write_bytes(b"a,b,utility\n0,1,\xff\xfe\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        UtilityTable.from_csv(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("coalitions", "utilities", "names", "message"),
    [
        ([[0, 2]], [1], None, "only 0 and 1 are allowed"),
        ([0, 1], [1], None, "a matrix \\[m, n\\] is needed"),
        ([[0], [1]], [1, 2], None, "1 found; values need at least two"),
        (np.empty((0, 3)), [], None, "the table has no rows"),
        ([[0, 1]], [1, 2], None, "utilities: \\(2,\\) for 1 coalitions"),
        ([[0, 1]], [np.nan], None, "utility: row 1 is nan"),
        ([[0, 1]], [1], ("a", "a"), "names must differ"),
        ([[0, 1]], [1], ("a", "seed"), "names must differ"),
        ([[0, 1]], [1], ("a", "b\r"), "'b.*': a name must not be blank nor hold line breaks"),
        ([[0, 1]], [1], ("a", " "), "a name must not be blank"),
        ([[0, 1]], [1], ("a",), "1 names for 2 columns"),
    ],
)
def test_arrays_that_make_no_table_are_refused(coalitions, utilities, names, message):
    with pytest.raises(InputError, match=message):
        UtilityTable.from_arrays(np.array(coalitions), np.array(utilities), names)


def test_the_columns_on_disk_are_the_documented_ones(tmp_path):
    table = UtilityTable.from_arrays([[0, 1]], [0.1], ("ann", "bob, jr"), "score", [5], [2])
    table.to_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["ann", "bob, jr", "property", "utility", "seed", "repeat"],
        ["0", "1", "score", "0.1", "5", "2"],
    ]
