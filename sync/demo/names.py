"""Material for invented people: Vietnamese names, streets, tasks and texts. No real person is described.

Used by ``sync.demo.person``. Every syllable is in NFC and in title case, so that the usual repairs of names
(NFD, capitals, TCVN3) lead back to exactly the value that was damaged.
"""

from __future__ import annotations

import unicodedata

FAMILY = (
    *("Nguyễn",) * 14,
    *("Trần",) * 6,
    *("Lê",) * 5,
    *("Phạm",) * 4,
    *("Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ") * 2,
    *("Hồ", "Ngô", "Dương", "Lý", "Đinh", "Trịnh", "Mai", "Cao", "Lương", "Tạ", "Hà", "Nông", "Lò", "Quách", "Vi"),
)

MIDDLE_MALE = (
    "Văn",
    "Văn",
    "Văn",
    "Đức",
    "Hữu",
    "Quang",
    "Minh",
    "Công",
    "Xuân",
    "Thành",
    "Quốc",
    "Ngọc",
    "Đình",
    "Trọng",
)
MIDDLE_FEMALE = (
    "Thị",
    "Thị",
    "Thị",
    "Thị Thu",
    "Thị Thanh",
    "Ngọc",
    "Thị Kim",
    "Thị Hồng",
    "Phương",
    "Thùy",
    "Thị Minh",
)

GIVEN_MALE = (
    *("Anh", "Bình", "Cường", "Dũng", "Duy", "Đạt", "Giang", "Hải", "Hiếu", "Hoàng", "Hùng", "Huy", "Khánh", "Kiên"),
    *("Lâm", "Long", "Mạnh", "Nam", "Nghĩa", "Phong", "Phúc", "Quân", "Sơn", "Tâm", "Thắng", "Thịnh", "Tiến", "Toàn"),
    *("Trung", "Tuấn", "Tùng", "Việt", "Vinh", "Hòa", "Thủy", "Quý", "Lý"),
)
GIVEN_FEMALE = (
    *("An", "Bích", "Chi", "Dung", "Diệp", "Hà", "Hạnh", "Hằng", "Hiền", "Hoa", "Hòa", "Hồng", "Huệ", "Hương", "Lan"),
    *("Liên", "Linh", "Loan", "Mai", "My", "Nga", "Ngân", "Nhung", "Oanh", "Phượng", "Quỳnh", "Thảo", "Thủy", "Trang"),
    *("Tuyết", "Uyên", "Vân", "Xuân", "Yến"),
)

STREET = (
    *("Trần Phú", "Lê Lợi", "Nguyễn Huệ", "Hai Bà Trưng", "Quang Trung", "Lý Thường Kiệt", "Điện Biên Phủ"),
    *("Hùng Vương", "Phan Bội Châu", "Ngô Quyền", "Lê Hồng Phong", "Hoàng Diệu", "Nguyễn Trãi", "Bà Triệu"),
)

MAJOR = (
    *("Luật", "Hành chính công", "Kế toán", "Tài chính - Ngân hàng", "Công nghệ thông tin", "Sư phạm Toán"),
    *("Sư phạm Ngữ văn", "Y đa khoa", "Điều dưỡng", "Quản lý đất đai", "Xây dựng", "Lưu trữ học", "Công tác xã hội"),
)

INSTITUTION = (
    *("Học viện Hành chính Quốc gia", "Đại học Luật Hà Nội", "Đại học Kinh tế Quốc dân", "Đại học Cần Thơ"),
    *("Đại học Huế", "Đại học Đà Nẵng", "Đại học Thái Nguyên", "Đại học Vinh", "Đại học Sư phạm Hà Nội"),
)

TASK = (
    *("Tham mưu công tác tổ chức bộ máy", "Theo dõi tiền lương và bảo hiểm", "Tiếp nhận hồ sơ một cửa"),
    *("Giảng dạy", "Khám và điều trị", "Quản lý văn thư, lưu trữ", "Kế toán đơn vị", "Quản lý đất đai"),
)

STRENGTH = ("Nghiên cứu, tổng hợp", "Giao tiếp với công dân", "Tin học ứng dụng", "Quản lý nhóm", "Soạn thảo văn bản")
OCCUPATION = ("Sinh viên", "Giáo viên hợp đồng", "Nhân viên văn phòng", "Bộ đội xuất ngũ", "Nông dân")
FAMILY_CLASS = ("Bần nông", "Cố nông", "Trung nông", "Công nhân", "Viên chức")
POLICY = ("Con thương binh", "Con liệt sĩ", "Con bệnh binh")
HEALTH = ("Tốt", "Bình thường", "Loại II")
HONOUR = ("Chiến sĩ thi đua cơ sở", "Lao động tiên tiến", "Nhà giáo ưu tú")
AWARD = ("Bằng khen của Bộ trưởng", "Giấy khen", "Huân chương Lao động hạng Ba")
PARTY_POSITION = ("Chi ủy viên", "Bí thư chi bộ", "Phó Bí thư chi bộ")
MILITARY = ("Hạ sĩ", "Trung sĩ", "Thiếu úy", "Trung úy")
LANGUAGE = ("Tiếng Anh", "Tiếng Pháp", "Tiếng Trung Quốc")
MINORITY_LANGUAGE = ("Tiếng Tày", "Tiếng Thái", "Tiếng Khơ-me", "Tiếng HMông")
POSITION = (
    ("TRUONG_PHONG", "0.35"),
    ("PHO_TRUONG_PHONG", "0.25"),
    ("GIAM_DOC", "0.60"),
    ("PHO_GIAM_DOC", "0.50"),
)
DEPARTMENT = (
    *("Sở Nội vụ", "Sở Tài chính", "Sở Tư pháp", "Sở Y tế", "Sở Giáo dục và Đào tạo", "Sở Xây dựng", "Sở Công Thương"),
    *("Sở Khoa học và Công nghệ", "Sở Nông nghiệp và Môi trường", "Sở Văn hóa, Thể thao và Du lịch", "Thanh tra tỉnh"),
)
SERVICE = ("Bệnh viện Đa khoa", "Trường Trung học phổ thông", "Trung tâm Lưu trữ", "Trung tâm Dịch vụ việc làm")
ID_PLACE = "Cục Cảnh sát quản lý hành chính về trật tự xã hội"


def unaccented(text: str) -> str:
    """Lower case without diacritics: for e-mail addresses only, never for matching."""
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
