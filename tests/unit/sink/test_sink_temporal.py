from __future__ import annotations

from datetime import date, datetime, time, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sync.sink.postgresql.temporal import DAY, civil, date_text, time_text, timestamp_text

EPOCH = datetime(1970, 1, 1)


@given(st.dates())
def test_civil_days_agree_with_the_standard_library(day: date) -> None:
    assert civil((day - EPOCH.date()).days) == (day.year, day.month, day.day)


@given(st.lists(st.none() | st.datetimes(), max_size=5))
def test_ordinary_timestamps_read_back_as_themselves(moments: list[datetime | None]) -> None:
    micros = [None if m is None else (m - EPOCH) // timedelta(microseconds=1) for m in moments]

    texts = timestamp_text(pl.Series(micros, dtype=pl.Int64)).to_list()

    assert [None if t is None else datetime.fromisoformat(t) for t in texts] == moments


@given(st.lists(st.datetimes(), min_size=1, max_size=5))
def test_an_extreme_neighbour_changes_no_ordinary_timestamp(moments: list[datetime]) -> None:
    micros = [(m - EPOCH) // timedelta(microseconds=1) for m in moments]

    fast = timestamp_text(pl.Series(micros, dtype=pl.Int64)).to_list()
    slow = timestamp_text(pl.Series([*micros, 2**63 - 1], dtype=pl.Int64)).to_list()

    assert slow == [*fast, "infinity"]


def test_dates_before_christ_far_future_and_infinity_have_postgresql_spelling() -> None:
    days = pl.Series([-719_163, -719_528 - 365, 2_932_897, 2**31 - 1, -(2**31), None], dtype=pl.Int32)

    assert date_text(days).to_list() == [
        "0001-12-31 BC",
        "0002-01-01 BC",
        "10000-01-01",
        "infinity",
        "-infinity",
        None,
    ]


def test_timestamps_before_christ_and_infinite_have_postgresql_spelling() -> None:
    micros = [-719_163 * DAY + 1, 9_223_372_036_825_200_000, -9_223_372_036_832_400_000, 2_932_897 * DAY]

    assert timestamp_text(pl.Series(micros)).to_list() == [
        "0001-12-31 00:00:00.000001 BC",
        "infinity",
        "-infinity",
        "10000-01-01 00:00:00.000000",
    ]


def test_midnight_at_the_days_end_is_written_as_24_hours() -> None:
    micros = pl.Series([0, DAY - 1, DAY])

    assert time_text(micros).to_list() == ["00:00:00.000000", "23:59:59.999999", "24:00:00.000000"]
    assert time.fromisoformat(time_text(micros[:2])[1]) == time(23, 59, 59, 999_999)
