"""Errors of numbers of people and of contacts (DOMAIN.md §1.3-1.5, §7.4)."""

from __future__ import annotations

from tests.corpus.case import Case, Label, kind, repaired


def _other_year(case: Case, year: str) -> str:
    """Two digits of a year that is not ``year``."""
    return f"{(int(year) + 1 + case.rng.randrange(90)) % 100:02d}"


@kind
def lost_zeros(case: Case) -> Label:
    """A spreadsheet held the ID as a number: one or two leading zeros are gone."""
    number = str(int(case.truth["citizen_id"]))
    case.raw["citizen_id"] = case.rng.choice((number, f"{number}.0", f"'{number}", f" {number}"))
    return Label("repaired", "citizen_id", "VR06")


@kind
def lost_zeros_contradicted(case: Case) -> Label | None:
    """Zeros are gone, and the year in the number is not the record's: nothing may be put back."""
    number = str(int(case.truth["citizen_id"]))
    year = case.truth["citizen_id"][4:6]
    place = len(number) - 8
    case.raw["citizen_id"] = f"{number[:place]}{_other_year(case, year)}{number[place + 2 :]}"
    return Label("rejected", "citizen_id", "VR01")


@kind
def number_artefacts(case: Case) -> Label:
    """Blanks, dots, apostrophes, a spreadsheet's formula around the digits."""
    number: str = case.truth["citizen_id"]
    split = (number[:3], number[3:6], number[6:9], number[9:])
    forms = (
        " ".join(split),
        ".".join(split),
        f"'{number}",
        f"{number}.0",
        f'="{number}"',
        "-".join(split),
        f"{number}'",
    )
    case.raw["citizen_id"] = case.rng.choice(forms)
    return Label("repaired", "citizen_id", "VR10")


@kind
def scientific_notation(case: Case) -> Label:
    """A spreadsheet's 3.4085E+10: most digits are gone for ever."""
    value = int(case.truth["citizen_id"])
    case.raw["citizen_id"] = f"{value:.4E}" if case.rng.random() < 0.5 else f"{value:.5E}".replace(".", ",")
    return Label("rejected", "citizen_id", "VR01")


@kind
def letters_for_digits(case: Case) -> Label | None:
    """O for 0, I or l for 1, as OCR reads them: proposed, never put in."""
    number: str = case.truth["citizen_id"]
    places = [place for place, digit in enumerate(number) if digit in "01"]
    case.rng.shuffle(places)
    letters = list(number)
    for place in places[: case.rng.randrange(1, 3)]:
        letters[place] = case.rng.choice("Oo" if number[place] == "0" else "Il")
    case.raw["citizen_id"] = "".join(letters)
    return Label("review", "citizen_id", "VR01", (("citizen_id", number),))


@kind
def letters_contradicted(case: Case) -> Label:
    """Letters for digits in a number that contradicts the record: nothing to propose."""
    number: str = case.truth["citizen_id"]
    case.raw["citizen_id"] = f"O{number[1:4]}{_other_year(case, number[4:6])}{number[6:]}"
    return Label("rejected", "citizen_id", "VR01")


@kind
def old_number_in_place_of_id(case: Case) -> Label:
    """A nine-digit card number in the field of the ID moves to its own, and is never padded."""
    old = case.truth.get("old_id_card_no") or f"{case.rng.randrange(10**8, 4 * 10**8)}"
    case.truth["old_id_card_no"] = old
    del case.truth["citizen_id"]
    case.raw["citizen_id"] = old
    return Label("review", "citizen_id", "NO_ID")


@kind
def eight_digits_in_place_of_id(case: Case) -> Label | None:
    """A nine-digit card number that lost its zero, in the field of the ID: proposed as what it may be."""
    if case.truth.get("old_id_card_no"):
        return None
    digits = f"{case.rng.randrange(10**7, 10**8)}"
    case.raw["citizen_id"] = digits
    return Label("review", "citizen_id", "VR08", (("old_id_card_no", f"0{digits}"),))


@kind
def id_in_place_of_old_number(case: Case) -> Label:
    """The ID in the field of the old card number."""
    case.raw["old_id_card_no"] = case.truth["citizen_id"]
    case.raw["citizen_id"] = None
    case.truth.pop("old_id_card_no", None)
    return Label("repaired", "citizen_id", "VR08")


@kind
def old_number_lost_zero(case: Case) -> Label:
    """An old card number of eight digits in its own field (VR08)."""
    digits = f"{case.rng.randrange(10**7, 10**8)}"
    case.truth["old_id_card_no"], case.raw["old_id_card_no"] = f"0{digits}", digits
    return Label("repaired", "old_id_card_no", "VR08")


@kind
def no_number(case: Case) -> Label:
    """No ID at all: never invented."""
    case.raw["citizen_id"] = case.rng.choice((None, "", "không rõ", "0", "-"))
    return Label("review", "citizen_id", "NO_ID")


@kind
def placeholder_number(case: Case) -> Label:
    """Twelve digits that someone typed to get on."""
    number: str = case.truth["citizen_id"]
    case.raw["citizen_id"] = case.rng.choice(("111111111111", "000000000000", "123456789012", f"{number[:6]}000000"))
    return Label("rejected", "citizen_id", "VR05")


@kind
def unknown_prefix(case: Case) -> Label:
    """A prefix below 100 that no province has."""
    case.raw["citizen_id"] = case.rng.choice(("003", "097", "013", "000", "078")) + case.truth["citizen_id"][3:]
    return Label("rejected", "citizen_id", "VR02")


@kind
def number_of_another_year(case: Case) -> Label:
    """The number of a spouse or a child: the year of birth differs."""
    number: str = case.truth["citizen_id"]
    case.raw["citizen_id"] = f"{number[:4]}{_other_year(case, number[4:6])}{number[6:]}"
    return Label("rejected", "citizen_id", "VR03")


@kind
def number_of_another_sex(case: Case) -> Label:
    """The number of a brother or a sister: the sex differs."""
    number: str = case.truth["citizen_id"]
    case.raw["citizen_id"] = f"{number[:3]}{int(number[3]) ^ 1}{number[4:]}"
    return Label("rejected", "citizen_id", "VR04")


@kind
def telephone_notation(case: Case) -> Label:
    """+84, 84, dots, blanks, a lost zero."""
    number: str = case.truth["phone"]
    rest = number[1:]
    spaced = f"{number[:4]} {number[4:7]} {number[7:]}"
    forms = (
        f"+84{rest}",
        f"84{rest}",
        f"+84 {rest}",
        spaced,
        spaced.replace(" ", "."),
        rest,
        f"(+84) {rest}",
        f"0084{rest}",
    )
    case.raw["phone"] = case.rng.choice(forms)
    return Label("repaired", "phone", "VR10")


PREFIXES_2018 = {
    "0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078", "0123": "083", "0124": "084",
    "0125": "085", "0127": "081", "0129": "082", "0186": "056", "0188": "058", "0199": "059", "0162": "032",
    "0163": "033", "0164": "034", "0165": "035", "0166": "036", "0167": "037", "0168": "038", "0169": "039",
}  # fmt: skip


@kind
def telephone_of_before_2018(case: Case) -> Label:
    """A mobile number of eleven digits, as before 2018."""
    old, new = case.rng.choice(tuple(PREFIXES_2018.items()))
    digits = f"{case.rng.randrange(10**6, 10**7)}"
    case.truth["phone"] = new + digits
    case.raw["phone"] = case.rng.choice((old + digits, f"{old}.{digits[:3]}.{digits[3:]}", f"+84{old[1:]}{digits}"))
    return Label("repaired", "phone", "VR10")


@kind
def no_telephone(case: Case) -> Label:
    """What is no telephone number is left out and told."""
    case.raw["phone"] = case.rng.choice(("gọi sau giờ làm", "0123456789", "12345", "09123456", "00912345678999"))
    del case.truth["phone"]
    return Label("warned", "phone", "CONTACT")


@kind
def landline(case: Case) -> Label:
    """A landline number is as good as a mobile one."""
    case.truth["phone"] = case.rng.choice(("02438264110", "02838291001", "0234382234"))
    return Label("untouched", "phone")


@kind
def email_notation(case: Case) -> Label:
    """Blanks around, mailto:, a full stop behind, a domain in capitals."""

    def damage(text: str) -> str:
        name, _, domain = text.partition("@")
        return case.rng.choice((f"mailto:{text}", f"<{text}>", f"{text}.", f"{name}@{domain.upper()}", f"{text};"))

    return repaired(case, "email", damage) or Label("untouched")


@kind
def no_email(case: Case) -> Label:
    """An address with Vietnamese letters or a blank in it is none."""
    name, _, domain = case.truth["email"].partition("@")
    forms = (
        f"nguyễn.an@{domain}",
        f"{name} a@{domain}",
        name,
        f"{name}@{domain}@{domain}",
        f"{name}@bộ.vn",
        f"{name}@{domain} ,b@c.vn",
    )
    case.raw["email"] = case.rng.choice(forms)
    return Label("rejected", "email", "EMAIL")


def tax_number(serial: int) -> str | None:
    """A tax code of ten digits with its check digit; None where the serial number has none."""
    digits = f"{serial:09d}"
    total = sum(weight * int(digit) for weight, digit in zip((31, 29, 23, 19, 17, 13, 7, 5, 3), digits, strict=True))
    check = 10 - total % 11
    return f"{digits}{check}" if check < 10 else None


@kind
def tax_code_notation(case: Case) -> Label | None:
    """Blanks and dots in a tax code, or a spreadsheet's apostrophe."""
    number = tax_number(case.rng.randrange(8 * 10**8, 9 * 10**8))
    if number is None:
        return None
    case.truth["tax_code"] = number
    case.raw["tax_code"] = case.rng.choice(
        (f"'{number}", f"{number[:3]} {number[3:6]} {number[6:]}", f"{number[:5]}.{number[5:]}")
    )
    return Label("repaired", "tax_code", "VR10")


@kind
def tax_code_wrong(case: Case) -> Label | None:
    """A tax code whose check digit is wrong is told to the owner."""
    number = tax_number(case.rng.randrange(8 * 10**8, 9 * 10**8))
    if number is None:
        return None
    case.truth["tax_code"] = f"{number[:9]}{(int(number[9]) + 1) % 10}"
    return Label("warned", "tax_code", "TAX_CODE")


@kind
def tax_code_of_ten_digits(case: Case) -> Label | None:
    """A good tax code of ten digits."""
    number = tax_number(case.rng.randrange(8 * 10**8, 9 * 10**8))
    if number is None:
        return None
    case.truth["tax_code"] = number
    return Label("untouched", "tax_code")
