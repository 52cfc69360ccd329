import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_plugin.game import from_bits, to_bits
from credit_plugin.game.coalitions import complements, distinct_rows


@given(st.text("01", max_size=300))
def test_bits_survive_a_round_trip(bits):
    mask = from_bits(bits)
    assert mask.dtype == bool
    assert to_bits(mask) == bits


def test_other_characters_are_refused():
    with pytest.raises(ValueError, match="written with 0 and 1"):
        from_bits("01x")


def test_distinct_rows_keep_the_order_of_first_appearance():
    rows = np.array([from_bits(b) for b in ("110", "000", "110", "001", "000", "110")])
    first, group = distinct_rows(rows)
    assert first.tolist() == [0, 1, 3]
    assert group.tolist() == [0, 1, 0, 2, 1, 0]
    assert np.array_equal(rows[first][group], rows)


def test_players_beyond_the_last_whole_byte_distinguish_rows():
    rows = np.zeros((2, 9), dtype=bool)
    rows[1, 8] = True
    assert len(distinct_rows(rows)[0]) == 2


def test_complements_are_found_where_they_exist():
    rows = np.array([from_bits(b) for b in ("110", "000", "001", "100", "111")])
    assert complements(rows).tolist() == [2, 4, 0, -1, 1]
