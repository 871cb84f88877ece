"""Names, parameters, and other people's packages."""

from collections.abc import Iterable
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import pytest

from robson.detectors.checked import EVIDENCE_BYTES_MAX
from robson.detectors.parameters import allowed, read
from robson.detectors.registry import SHIPPED, Registry
from robson.domain.codec import to_wire
from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.ports.detector import Parameter
from tests.unit.detectors.market import WrittenMarket, flat_history

GOOD = '''
from decimal import Decimal
from typing import ClassVar
from robson.detectors.entry import STOP_PARAMETERS
from robson.ports.detector import DetectedSignal, Parameter

class Good:
    """A foreign strategy.

    More about it.
    """
    parameters: ClassVar = (Parameter(name="word", default="a", meaning="", kind="word", choices=("a", "b")),)
    def __init__(self, params):
        self.params = params
    async def detect(self, market):
        return DetectedSignal(entry_price=Decimal(1000), evidence={"word": self.params["word"]})

class Stopped(Good):
    parameters = STOP_PARAMETERS
    async def detect(self, market):
        return DetectedSignal(entry_price=Decimal(1000))

class Homonym(Good):
    parameters = (Parameter(name="level", default="high", meaning="", kind="text"),)
    async def detect(self, market):
        return DetectedSignal(entry_price=Decimal(1000))

class Picky(Good):
    def __init__(self, params):
        raise ValueError("word and weather do not agree")

class Broken(Good):
    def __init__(self, params):
        raise OSError("no disk")

class Waits(Good):
    def detect(self, market):
        return None

class Undeclared:
    async def detect(self, market):
        return None

class BadDefault(Good):
    parameters = (Parameter(name="n", default="11", meaning="", kind="integer", high=Decimal(10)),)

class BadKind(Good):
    parameters = (Parameter(name="n", default="11", meaning="", kind="float"),)

class BadName(Good):
    parameters = (Parameter(name="No Good", default="11", meaning=""),)

class Twice(Good):
    parameters = (Parameter(name="n", default="1", meaning=""), Parameter(name="n", default="2", meaning=""))

class Wordless(Good):
    parameters = (Parameter(name="n", default="1", meaning="", kind="word"),)

class NotText(Good):
    parameters = (Parameter(name="n", default=1, meaning=""),)

not_a_class = 7

def signalling(outcome):
    class Made(Good):
        async def detect(self, market):
            return outcome
    return Made

cycle = {}
cycle["again"] = cycle
Nothing = signalling(None)
Cheap = signalling(DetectedSignal(entry_price=Decimal(0)))
Float = signalling(DetectedSignal(entry_price=95000.5))
Nan = signalling(DetectedSignal(entry_price=Decimal(1000), technical_stop=Decimal("NaN")))
Listed = signalling(DetectedSignal(entry_price=Decimal(1000), evidence=[1]))
Opaque = signalling(DetectedSignal(entry_price=Decimal(1000), evidence={"at": object()}))
Cyclic = signalling(DetectedSignal(entry_price=Decimal(1000), evidence=cycle))
Huge = signalling(DetectedSignal(entry_price=Decimal(1000), evidence={"text": "x" * 20000}))
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the Python path in which a test may install distributions."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "foreign_strategies.py").write_text(GOOD)
    return tmp_path


def install(site: Path, entry_points: str, *, name: str = "foreign", version: str | None = "1.2") -> None:
    """A distribution with these lines in its entry points."""
    folder = site / f"{name}-{version or '0'}.dist-info"
    folder.mkdir()
    if version is not None:
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text(entry_points)


def load(site: Path) -> Registry:
    """The registry with what is installed in the site alone."""
    return Registry.load(lambda: metadata.distributions(path=[str(site)]))


def load_classes(site: Path, *names: str) -> Registry:
    """The registry with these classes of the foreign module, under their names in small letters."""
    install(site, "[robson.detectors]\n" + "".join(f"{name.lower()} = foreign_strategies:{name}\n" for name in names))
    return load(site)


def refusal(registry: Registry, strategy: str, **params: str) -> RuleError:
    with pytest.raises(RuleError) as refused:
        registry.validate(strategy, params)
    return refused.value


def test_the_shipped_strategies_are_there_without_any_installation() -> None:
    assert Registry().names() == ("breakout", "delay", "immediate", "signal", "sma_cross")
    assert Registry.load(lambda: ()).left_out == ()


@pytest.mark.parametrize("strategy", [*SHIPPED, "test"])
def test_every_shipped_strategy_takes_its_defaults(strategy: str) -> None:
    registry = Registry()
    filled = registry.validate(strategy, {})
    assert registry.validate(strategy, filled) == filled
    assert list(filled) == [parameter.name for parameter in registry.create(strategy, {}).parameters]


def test_defaults_are_filled_in_and_values_put_in_plain_form() -> None:
    assert Registry().validate("test", {"seconds": "007.50"}) == {
        "seconds": "7.5",
        "level": "2",
        "tolerance_percent": "0.1",
        "stop_percent": "",
    }
    assert Registry().validate("sma_cross", {"fast": "3.0"})["fast"] == "3"


@pytest.mark.parametrize("strategy", ["sma-cross", "SMA_CROSS", "smacross", "dealy", "Test"])
def test_an_unknown_strategy_is_answered_with_the_nearest_and_the_list(strategy: str) -> None:
    error = refusal(Registry(), strategy)
    assert error.code == "unknown_strategy"
    assert repr(strategy) in error.message
    assert error.hint.startswith("did you mean ")
    assert error.hint.endswith("strategies: breakout, delay, immediate, signal, sma_cross, test")


@pytest.mark.parametrize("strategy", ["", "x" * 5000, "\x00", "__class__"])
def test_a_senseless_strategy_is_answered_briefly(strategy: str) -> None:
    error = refusal(Registry(), strategy)
    assert error.code == "unknown_strategy"
    assert len(error.message) < 120
    assert "did you mean" not in error.hint


def test_an_unknown_parameter_is_answered_with_those_that_are_allowed() -> None:
    error = refusal(Registry(), "delay", secnds="5")
    assert error.code == "unknown_parameter"
    assert error.message == "strategy delay has no parameter 'secnds'"
    assert error.hint.startswith("did you mean seconds? it takes seconds: a number from 0 to 86400; level: ")
    assert refusal(Registry(), "signal", seconds="5").hint == "it takes no parameters"


@pytest.mark.parametrize(
    "text", ["-1", "86400.1", "NaN", "Infinity", "1e3", "1e400", "", " 5", "五", "9" * 5000, "0x10"]
)
def test_a_number_out_of_range_or_form_is_answered_with_the_range(text: str) -> None:
    error = refusal(Registry(), "delay", seconds=text)
    assert error.code == "bad_parameter"
    assert error.message.startswith("seconds of strategy delay was ")
    assert error.message.endswith("which must be a number from 0 to 86400")
    assert len(error.message) < 140


@pytest.mark.parametrize(
    ("strategy", "name", "text", "must"),
    [
        ("sma_cross", "slow", "21.5", "a whole number from 2 to 200"),
        ("sma_cross", "interval_minutes", "7", "one of 1, 3, 5, 15, 30, 60, 120, 240, 360, 480, 720, 1440"),
        ("breakout", "n", "201", "a whole number from 2 to 200"),
        ("immediate", "level", "0", "a whole number from 1 to 10"),
        ("immediate", "tolerance_percent", "2.01", "a number from 0 to 2"),
        ("immediate", "stop_percent", "0.09", "a number from 0.1 to 10, or empty"),
        ("immediate", "stop_percent", "10.01", "a number from 0.1 to 10, or empty"),
    ],
)
def test_each_parameter_states_its_range(strategy: str, name: str, text: str, must: str) -> None:
    error = refusal(Registry(), strategy, **{name: text})
    assert error.message == f"{name} of strategy {strategy} was {text!r}, which must be {must}"
    assert must in error.hint


def test_a_foreign_strategy_is_found_and_described(site: Path) -> None:
    registry = load_classes(site, "Good")
    assert registry.names() == ("breakout", "delay", "good", "immediate", "signal", "sma_cross")
    assert registry.left_out == ()
    described = {strategy.name: strategy for strategy in registry.describe()}
    assert described["good"].origin == "foreign 1.2"
    assert described["good"].summary == "A foreign strategy."
    assert described["delay"].aliases == ("test",)
    assert described["delay"].origin == "shipped"
    assert to_wire(described["delay"])["parameters"][0]["high"] == "86400"
    assert refusal(registry, "good", word="c").message.endswith("which must be one of a, b")


async def test_a_foreign_signal_without_a_stop_gets_the_common_one(site: Path) -> None:
    registry = load_classes(site, "Good", "Stopped", "Homonym")
    market = WrittenMarket(Side.SHORT, price=1000, history=flat_history())
    signal = await registry.create("good", {"word": "b"}).detect(market)
    assert signal.technical_stop == 1015
    assert signal.evidence["word"] == "b"
    assert signal.evidence["technical_stop"]["method"] == "true_range"
    signal = await registry.create("stopped", {"level": "7"}).detect(market)
    assert signal.evidence["technical_stop"]["level_wanted"] == 7
    signal = await registry.create("homonym", {}).detect(market)
    assert signal.evidence["technical_stop"]["level_wanted"] == 2


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Nothing", "was None, not a DetectedSignal"),
        ("Cheap", "had the entry price Decimal('0'), which must be a positive Decimal"),
        ("Float", "had the entry price 95000.5, which must be a positive Decimal"),
        ("Nan", "had the technical stop Decimal('NaN'), which must be a positive Decimal"),
        ("Listed", "had the evidence [1], which must be a dict"),
        ("Opaque", "had evidence that is not JSON"),
        ("Cyclic", "had evidence that is not JSON"),
        ("Huge", f"had evidence of 20011 bytes, at most {EVIDENCE_BYTES_MAX} are allowed"),
    ],
)
async def test_nonsense_from_a_foreign_detector_is_refused(site: Path, name: str, fault: str) -> None:
    registry = load_classes(site, name)
    with pytest.raises(RuleError) as refused:
        await registry.create(name.lower(), {}).detect(WrittenMarket(Side.LONG, price=1000, history=flat_history()))
    assert refused.value.code == "bad_signal"
    assert refused.value.message.startswith(f"the signal of strategy {name.lower()} {fault}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Waits", "it has no `async def detect`"),
        ("Undeclared", "its `parameters` are not a tuple of Parameter"),
        ("BadDefault", "its parameter 'n' has the default '11', which is not a whole number of at most 10"),
        ("BadKind", "its parameter 'n' has kind 'float', which is not one of decimal, integer, word, text"),
        ("BadName", "its parameter 'No Good' has a name that does not match [a-z][a-z0-9_]{0,31}"),
        ("Twice", "two of its parameters have the same name"),
        ("Wordless", "its parameter 'n' is a word without choices"),
        ("NotText", "its parameter 'n' has the default '1', which is not a number of at least 0"),
        ("not_a_class", "it is not a class"),
        ("Missing", "foreign_strategies:Missing could not be imported: AttributeError: "),
    ],
)
def test_a_broken_entry_point_is_left_out_and_reported(site: Path, name: str, reason: str) -> None:
    registry = load_classes(site, name, "Good")
    (left,) = registry.left_out
    assert (left.name, left.origin) == (name.lower(), "foreign 1.2")
    assert left.reason.startswith(reason)
    assert "good" in registry.names()
    error = refusal(registry, name.lower())
    assert error.code == "unknown_strategy"
    assert f"the one of foreign 1.2 was left out at start: {reason}" in error.message


@pytest.mark.parametrize("source", ["raise RuntimeError('x' * 5000)", "import sys; sys.exit(3)", "def ("])
def test_a_module_that_cannot_be_imported_is_left_out(site: Path, source: str) -> None:
    (site / "foreign_broken.py").write_text(source)
    install(site, "[robson.detectors]\nbad = foreign_broken:Bad\ngood = foreign_strategies:Good\n")
    registry = load(site)
    (left,) = registry.left_out
    assert left.reason.startswith("foreign_broken:Bad could not be imported: ")
    assert len(left.reason) < 400
    assert "good" in registry.names()


def test_names_are_unique_and_shipped_ones_win(site: Path) -> None:
    install(
        site,
        "[robson.detectors]\ndelay = foreign_strategies:Good\ntest = foreign_strategies:Good\n"
        "good = foreign_strategies:Good\nBad Name = foreign_strategies:Good\n",
    )
    install(site, "[robson.detectors]\ngood = foreign_strategies:Stopped\n", name="foreign_two")
    registry = load(site)
    origins = {strategy.name: strategy.origin for strategy in registry.describe()}
    assert origins["delay"] == "shipped"
    assert {left.name for left in registry.left_out} == {"delay", "test", "Bad Name", "good"}
    assert origins["good"] in {"foreign 1.2", "foreign_two 1.2"}
    (second,) = (left for left in registry.left_out if left.name == "good")
    assert second.reason == f"its name is taken ({origins['good']})"
    assert second.origin != origins["good"]


def test_a_package_that_is_found_twice_counts_once(site: Path) -> None:
    install(site, "[robson.detectors]\ngood = foreign_strategies:Good\n")
    registry = Registry.load(lambda: [*metadata.distributions(path=[str(site)])] * 2)
    assert registry.left_out == ()


def test_a_distribution_that_cannot_be_read_is_reported_and_the_others_work(site: Path) -> None:
    install(site, "[robson.detectors]\nno equals sign\n", name="aaa", version=None)
    (site / "bbb-1.dist-info").mkdir()
    (site / "bbb-1.dist-info" / "METADATA").write_bytes(b"Name: \xff\xfe\n")
    (site / "bbb-1.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe")
    install(site, "[robson.detectors]\ngood = foreign_strategies:Good\n")
    registry = load(site)
    assert [(left.name, left.origin) for left in registry.left_out] == [("", "a distribution without a name")] * 2
    assert all(left.reason.startswith("its entry points could not be read: ") for left in registry.left_out)
    assert "good" in registry.names()


def test_a_path_that_cannot_be_read_leaves_the_shipped_ones() -> None:
    def unreadable() -> Iterable[metadata.Distribution]:
        raise PermissionError("site-packages")

    registry = Registry.load(unreadable)
    assert registry.names() == tuple(SHIPPED)
    (left,) = registry.left_out
    assert left.reason == "it could not be read: PermissionError: site-packages"


def test_a_foreign_constructor_is_asked_at_arm(site: Path) -> None:
    registry = load_classes(site, "Picky", "Broken")
    picky = refusal(registry, "picky")
    assert picky.code == "bad_parameter"
    assert picky.message.endswith("ValueError: word and weather do not agree")
    broken = refusal(registry, "broken")
    assert broken.code == "broken_strategy"
    assert broken.message == "strategy broken of foreign 1.2 failed to start: OSError: no disk"


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (Parameter(name="n", default="1", meaning=""), "a number of at least 0"),
        (Parameter(name="n", default="1", meaning="", low=Decimal("0.5")), "a number of at least 0.5"),
        (Parameter(name="n", default="1", meaning="", kind="integer", high=Decimal(9)), "a whole number of at most 9"),
        (Parameter(name="n", default="", meaning="", kind="text"), "at most 200 printable characters, or empty"),
    ],
)
def test_what_is_allowed_is_said_in_words(parameter: Parameter, said: str) -> None:
    assert allowed(parameter) == said


@pytest.mark.parametrize("text", ["x" * 201, "line\nfeed", "\ud800", 5])
def test_free_text_is_short_and_printable(text: object) -> None:
    note = Parameter(name="note", default="", meaning="", kind="text")
    assert read("s", note, "déjà vu") == "déjà vu"
    with pytest.raises(RuleError) as refused:
        read("s", note, text)
    assert refused.value.code == "bad_parameter"
