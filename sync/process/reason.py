"""Why a record was refused, reviewed or repaired, in the words that its owner reads: Vietnamese and English.

Used by the validate and reconcile steps for verdicts, reviews and rejected records. No text holds a record's value.
"""

from __future__ import annotations

import json

import polars as pl

from sync.rule.duplicate import AWAY, HERE, TWO_UNITS
from sync.rule.model import RuleSet

CODES = (
    "MATCH",
    "MATCH_WITH_FIX",
    "NAME_DIFFERS",
    "NOT_IN_REGISTER",
    "BIRTH_DATE_DIFFERS",
    "SEX_DIFFERS",
    "ACCEPTED",
    "REFUSED",
    "TWO_UNITS",
    "TRANSFERRED_AWAY",
    "TRANSFERRED_HERE",
    "KEPT",
    "REFERRED",
)
"""Match codes by the number kept in a contribution's flags: append only."""

ACCEPTED, REFUSED, KEPT = "ACCEPTED", "REFUSED", "KEPT"
"""What a data steward decided: about a contribution that does not match, and about one of two units (``KEPT``)."""

REFERRED = "REFERRED"
"""A contribution that a data steward said is another person's: said of it is what is said there."""

MATCHED = ("MATCH", "MATCH_WITH_FIX", ACCEPTED, TWO_UNITS, AWAY, HERE, KEPT)
"""Codes of the contributions that take part in the merge."""

UNLIKE = tuple(code for code in CODES if code not in (*MATCHED, REFUSED, REFERRED))
"""Codes of the contributions that the register contradicts: they take no part until a person has decided."""

OPEN = (TWO_UNITS, *UNLIKE)
"""Codes that a person has to decide about. One active in two units takes part meanwhile."""

VALID = "VALID"
"""What a row of a dataset without a register is told to be, where one with a register is told that it matches."""

TWO_NUMBERS = "TWO_NUMBERS"
"""The code of a pair of golden records (``sync.process.alias``); no contribution's."""

MATCH_RULE, UNIQUE_RULE = "VR32", "VR07"
"""The rules that ask for agreement with the register, and for one unit a person."""

_OF_UNITS = (TWO_UNITS, AWAY, HERE, KEPT)

RULES = {
    **{code: UNIQUE_RULE if code in _OF_UNITS else MATCH_RULE for code in CODES if code != "MATCH"},
    TWO_NUMBERS: UNIQUE_RULE,
}
"""The rule by which a code is told."""

BROKEN = dict.fromkeys((*UNLIKE, REFUSED), MATCH_RULE) | {TWO_UNITS: UNIQUE_RULE, AWAY: UNIQUE_RULE}
"""The rule that a contribution with a code breaks; other codes break none."""

MESSAGES = {
    VALID: ("Hợp lệ, đã được tiếp nhận", "Valid, and taken"),
    "MATCH": ("Khớp với cơ sở dữ liệu dân cư", "Matches the population register"),
    "MATCH_WITH_FIX": (
        "Khớp với cơ sở dữ liệu dân cư sau khi sửa; đề nghị nguồn xác nhận",
        "Matches the population register after a repair; the source is asked to accept it",
    ),
    "NAME_DIFFERS": ("Họ tên khác với cơ sở dữ liệu dân cư", "The name differs from the population register"),
    "NOT_IN_REGISTER": (
        "Số định danh không có trong cơ sở dữ liệu dân cư",
        "The personal number is not in the population register",
    ),
    "BIRTH_DATE_DIFFERS": (
        "Ngày sinh khác với cơ sở dữ liệu dân cư",
        "The date of birth differs from the population register",
    ),
    "SEX_DIFFERS": ("Giới tính khác với cơ sở dữ liệu dân cư", "The sex differs from the population register"),
    "ACCEPTED": (
        "Khác với cơ sở dữ liệu dân cư, được người rà soát chấp nhận",
        "Differs from the population register; a data steward accepted it",
    ),
    "TWO_UNITS": (
        "Một người đang làm việc ở hai đơn vị mà không có đơn vị nào kết thúc hồ sơ; đề nghị hai đơn vị kiểm tra",
        "One person is active in two units and neither closed the record: both units are asked to check",
    ),
    "TRANSFERRED_AWAY": (
        "Người này đã chuyển sang đơn vị khác; đề nghị đơn vị cũ kết thúc hồ sơ",
        "The person has moved to another unit: the former unit is asked to close the record",
    ),
    "TRANSFERRED_HERE": (
        "Đơn vị cũ chưa kết thúc hồ sơ của người này; đã thông báo cho đơn vị cũ",
        "The former unit has not closed this person's record; it has been told",
    ),
    "KEPT": (
        "Một người ở hai đơn vị, được người rà soát chấp nhận",
        "One person in two units; a data steward accepted it",
    ),
    "REFERRED": (
        "Thuộc về một người khác, theo quyết định của người rà soát",
        "Another person's, as a data steward decided",
    ),
    TWO_NUMBERS: (
        "Hai số định danh có vẻ thuộc về một người; đề nghị xác minh với cơ sở dữ liệu dân cư",
        "Two personal numbers seem to be one person's: have the population register confirm it",
    ),
    "REFUSED": (
        "Bị người rà soát từ chối; đề nghị nguồn sửa và gửi lại",
        "A data steward refused it: correct it at the source and send it again",
    ),
}

DIFFERENCES = {
    **{code: MESSAGES[code] for code in ("NAME_DIFFERS", "BIRTH_DATE_DIFFERS", "SEX_DIFFERS")},
    "NAME_SPELLING": (
        "Họ tên viết khác chính tả so với cơ sở dữ liệu dân cư",
        "The name is spelt otherwise in the population register",
    ),
    "BIRTH_DATE_LESS_PRECISE": (
        "Ngày sinh kém đầy đủ hơn cơ sở dữ liệu dân cư",
        "The date of birth is less precise than the population register's",
    ),
    "VALUE_DIFFERS": ("Giá trị khác với cơ sở dữ liệu dân cư", "The value differs from the population register"),
}
"""Messages of ``sync.rule.mismatch``'s codes."""

UNAVAILABLE = b"__debezium_unavailable_value"
"""What a source sends for a large (TOAST) value that an update left alone and did not log."""

BUILT_IN = {
    "UNAVAILABLE": (
        "Nguồn không gửi một giá trị lớn; hãy đặt REPLICA IDENTITY FULL cho bảng rồi cập nhật lại dòng",
        "The source did not send a large value: set REPLICA IDENTITY FULL on the table and update the row again",
    ),
    "DATE_DOUBT": (
        "Ngày có thể đọc theo nhiều cách (ngày và tháng, thế kỷ), đề nghị chọn",
        "The date can be read in several ways (day and month, century): please choose",
    ),
    "NUMBER_DOUBT": (
        "Số có thể đọc theo nhiều cách (phần nghìn hoặc phần thập phân), đề nghị chọn",
        "The number can be read in several ways (thousands or decimals): please choose",
    ),
    "UNREADABLE": ("Không đọc được bản ghi", "The record can't be read"),
    "NO_KEY": ("Bản ghi không có khóa chính", "The record has no primary key"),
    "DECISION": ("Theo quyết định của người rà soát", "As a data steward decided"),
    "UNSUPPORTED_OPERATION": ("Thao tác không được hỗ trợ", "The operation isn't supported"),
}
"""Messages of reasons that no dataset declares."""


def messages_of(rules: RuleSet, rule: str) -> tuple[str, str]:
    """Vietnamese and English message of a rule; its id where it has none."""
    if rule in rules.by_id:
        spec = rules.by_id[rule]
        return spec.message_vi, spec.message_en
    return BUILT_IN.get(rule, (rule, rule))


def worded(found: str | None, rules: RuleSet) -> str | None:
    """A JSON list of findings, each with the messages of its rule; null where there is none."""
    if found is None:
        return None
    items: list[dict[str, str]] = json.loads(found)
    for item in items:
        item["message_vi"], item["message_en"] = messages_of(rules, item["rule"].partition("@")[0])
    return json.dumps(items, ensure_ascii=False)


_NOTHING = r',"(?:old|new|value)":null'


def finding_lists(found: pl.DataFrame, size: int, rules: RuleSet) -> pl.Series:
    """JSON list by row, null where there is none: of all columns of ``found`` but row and severity, without nulls.

    Each rule stands with its version (``RuleSet.labels``).
    """
    empty = pl.Series("list", [None], dtype=pl.String).new_from_index(0, size)
    if not len(found):
        return empty
    told = [name for name in found.columns if name not in ("row", "severity")]
    labels = rules.labels
    named = pl.col("rule").replace(list(labels), list(labels.values()))
    texts = (
        found.with_columns(named)
        .select("row", text=pl.struct(told).struct.json_encode().str.replace_all(_NOTHING, ""))
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(","))
        .select("row", pl.format("[{}]", "text").alias("text"))
    )
    return empty.scatter(texts["row"], texts["text"])
