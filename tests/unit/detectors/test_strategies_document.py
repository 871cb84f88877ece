"""docs/STRATEGIES.md says what the code does, and its example runs."""

import re
import tomllib
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import pytest
import trio
import trio.testing

from robson.detectors.parameters import allowed
from robson.detectors.registry import ENTRY_POINT_GROUP, Registry
from robson.domain.errors import RuleError
from robson.domain.values import Side
from robson.ports.detector import DetectedSignal, Parameter
from tests.unit.detectors.market import WrittenMarket, flat_history

DOCUMENT = (Path(__file__).parents[3] / "docs" / "STRATEGIES.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """The rows of the table that begins with this header."""
    _, _, rest = DOCUMENT.partition(header + "\n")
    lines = rest.split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def block(language: str) -> str:
    """The one fenced block of this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


def code(*names: str) -> str:
    """Names as the document writes them."""
    return ", ".join(f"`{name}`" for name in names)


def test_the_table_of_strategies_is_the_registry() -> None:
    described = [
        [
            code(strategy.name, *strategy.aliases),
            strategy.summary,
            code(*(parameter.name for parameter in strategy.parameters)) or "none",
        ]
        for strategy in Registry().describe()
    ]
    assert rows("| strategy | enters | parameters |") == described


def test_the_table_of_parameters_is_the_registry() -> None:
    users: dict[Parameter, list[str]] = {}
    for strategy in Registry().describe():
        for parameter in strategy.parameters:
            users.setdefault(parameter, []).append(strategy.name)
    described = [
        [
            code(parameter.name),
            code(*names),
            code(parameter.default) if parameter.default else "empty",
            allowed(parameter),
            parameter.meaning,
        ]
        for parameter, names in users.items()
    ]
    assert rows("| parameter | of | default | allowed | meaning |") == described


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with the example installed."""
    project = tomllib.loads(block("toml"))["project"]
    (tmp_path / "robson_dip.py").write_text(block("python"), encoding="utf-8")
    installed = tmp_path / "robson_dip-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"][ENTRY_POINT_GROUP]
    lines = [f"{name} = {target}" for name, target in points.items()]
    (installed / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINT_GROUP}]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)
    return Registry.load(lambda: metadata.distributions(path=[str(tmp_path)]))


def test_the_example_is_found(registry: Registry) -> None:
    assert registry.left_out == ()
    (dip,) = (strategy for strategy in registry.describe() if strategy.name == "dip")
    assert dip.origin == "robson-dip 1.0"
    assert registry.validate("dip", {"percent": "3.0"}) == {"percent": "3", "level": "2", "tolerance_percent": "0.1"}
    with pytest.raises(RuleError, match=r"percent of strategy dip was '0\.05', which must be a number from 0\.1 to 50"):
        registry.validate("dip", {"percent": "0.05"})


@pytest.mark.parametrize(
    ("side", "quiet", "last", "stop"), [(Side.LONG, [1010, 995], 980, 965), (Side.SHORT, [990, 1005], 1020, 1035)]
)
async def test_the_example_runs(
    registry: Registry, nursery: trio.Nursery, side: Side, quiet: list[int], last: int, stop: int
) -> None:
    market = WrittenMarket(side, price=1000, history=flat_history())
    signals: list[DetectedSignal] = []

    async def detect() -> None:
        signals.append(await registry.create("dip", {}).detect(market))

    nursery.start_soon(detect)
    for price in quiet:
        await market.trade(price)
    assert signals == []
    await market.trade(last)
    (signal,) = signals
    assert (signal.entry_price, signal.technical_stop) == (Decimal(last), Decimal(stop))
    assert signal.evidence["best"] == str(quiet[0])
    assert signal.evidence["technical_stop"]["method"] == "true_range"
