"""What a caller passes, and what becomes of it. Guards against: a float that rounds, a bad value that costs more than itself."""

import unittest
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import support  # noqa: F401 # The path to the sources.
from lead_factory_metrics import values
from lead_factory_metrics.values import Bad


class Broken:
    """Whatever is asked of it, it raises."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __eq__ = __hash__ = __str__

    def __getattr__(self, name):
        raise RuntimeError(name)


class BrokenText(str):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __len__ = __str__


class Plan(Enum):
    CHAT = "chat"


class Amounts(unittest.TestCase):
    def test_are_read_by_their_digits(self):
        for value, text in [
            (0.1, "0.1"),
            (0.0023550000000000003, "0.002355000000"),
            ("0.002355", "0.002355"),
            (Decimal("1E-5"), "0.00001"),
            ("1e-05", "0.00001"),
            (1e-05, "0.00001"),
            (Fraction(1, 3), "0.333333333333"),
            (Fraction(1, 2 * 10**12), "0.000000000000"),
            (Fraction(3, 2 * 10**12), "0.000000000002"),
            ("0.0000000000005", "0.000000000000"),
            ("0.0000000000015", "0.000000000002"),
            ("0." + "1" * 300, "0.111111111111"),
            (0, "0"),
            (-0.0, "0.0"),
            (5, "5"),
            (1_000_000, "1000000"),
        ]:
            with self.subTest(value):
                self.assertEqual(Decimal(values.amount(value)), Decimal(text))
                self.assertNotIn("e", values.amount(value).lower())

    def test_that_are_none_are_refused(self):
        bad = [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), True, None, "", " 1"]
        bad += ["+1", "1,00", "0x1", "1_000", "١", "NaN", "1e400", "1e-99999", "$1", "1 ", "--1", ".5", "1.", b"1", [], {}, 1j, object()]
        bad += [-1, -0.001, Fraction(-1, 3), 10**5000, -(10**5000), Decimal("1e999999"), 1_000_000.01, 1e300, Broken(), BrokenText("x")]
        bad += [Fraction(10**400, 3), "9" * 10_000, float, print]
        for value in bad:
            with self.subTest(type(value).__name__), self.assertRaises(Bad):
                values.amount(value)

    def test_of_credits_are_negative(self):
        self.assertEqual(values.amount("-1.5", "credit"), "-1.5")
        with self.assertRaises(Bad):
            values.amount(1, "credit")

    def test_of_numbers_of_other_libraries_count_by_their_text(self):
        class Float32:  # As numpy's.
            def __str__(self):
                return "0.1"

        import numbers

        numbers.Real.register(Float32)
        self.assertEqual(values.amount(Float32()), "0.1")


class Quantities(unittest.TestCase):
    def test_have_at_most_six_decimals(self):
        for value, found in [(521.5, 521.5), (7, 7), (7.0, 7), (Decimal("0.1234567"), 0.123457), (1e-9, 0), (2**53 - 1, 2**53 - 1)]:
            self.assertEqual(values.quantity(value), found)
        for value in (-1, 2**53, float("nan"), True, None, Broken()):
            with self.assertRaises(Bad):
                values.quantity(value)


class Names(unittest.TestCase):
    def test_are_text_that_looks_like_itself(self):
        for value, found in [("openai", "openai"), ("café ☕", "café ☕"), (uuid.UUID(int=1), str(uuid.UUID(int=1))), (42, "42")]:
            self.assertEqual(values.name(value, 128), found)
        self.assertEqual(values.name(Plan.CHAT, 128), "chat")
        bad = ["", " a", "a ", "a\n", "a\u200bb", "a\u00a0b", "\ud800", "x" * 129, "ü" * 65, None, True, 1.5, b"a", [], Broken(), 10**5000]
        for value in bad:
            with self.subTest(type(value).__name__), self.assertRaises(Bad):
                values.name(value, 128)

    def test_of_text_that_cannot_be_shown_are_its_characters(self):
        self.assertEqual(values.name(BrokenText("openai"), 128), "openai")


class Times(unittest.TestCase):
    def test_are_rfc_3339(self):
        zone = timezone(timedelta(hours=2))
        for value, found in [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22 10:00:00.5+01:00", "2026-11-22T10:00:00.5+01:00"),
            (datetime(2026, 11, 22, 12, tzinfo=zone), "2026-11-22T10:00:00+00:00"),
            (1795341600, "2026-11-22T10:00:00+00:00"),
            (1795341600.5, "2026-11-22T10:00:00.500000+00:00"),
        ]:
            self.assertEqual(values.instant(value), found)
        naive = datetime(2026, 11, 22, 12)
        self.assertEqual(datetime.fromisoformat(values.instant(naive)).timestamp(), naive.timestamp())
        for value in ("yesterday", "2026-11-22", "2026-11-22T10:00:00", 1e300, float("nan"), True, None, datetime.min, Broken()):
            with self.subTest(type(value).__name__), self.assertRaises(Bad):
                values.instant(value)


class Plain(unittest.TestCase):
    def test_keeps_what_json_has_and_writes_the_rest_as_text(self):
        given = {"a": [1, 2.5, True, None, ("x",)], 3: Decimal("0.1"), "u": uuid.UUID(int=2), "t": datetime(2026, 1, 2)}
        found = {"a": [1, 2.5, True, None, ["x"]], "3": "0.1", "u": str(uuid.UUID(int=2)), "t": "2026-01-02T00:00:00"}
        self.assertEqual(values.plain(given), found)

    def test_refuses_what_the_agent_would_refuse(self):
        circular: dict = {}
        circular["again"] = circular
        deep: object = 1
        for _ in range(40):
            deep = [deep]
        for value in (circular, deep, {"a": float("nan")}, {1: "x", "1": "y"}, {"a": "\ud800"}, {"a": Broken()}, {Broken: 1, "b": Broken()}):
            with self.subTest(type(value).__name__), self.assertRaises(Bad):
                values.plain(value)


if __name__ == "__main__":
    unittest.main()
