"""Pictures: one figure to bytes, readable at 1,000 pixels and in black and white.

Law: matplotlib is an extra. Where it is missing, the error says how to install it.
"""

import io
from collections.abc import Callable
from typing import Any, Final

from keeper.errors import ConfigError

WIDE, HIGH, DPI = 10.0, 5.6, 100  # inches and pixels an inch: 1,000 pixels
INSTALL: Final = "pip install 'keeper[reports]'"
STYLE: Final[Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "keeper", "font.size": 10, "axes.titlesize": 11, "axes.grid": True,
    "grid.color": "0.88", "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
    "hatch.linewidth": 0.6, "legend.frameon": False,
}  # fmt: skip
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES: Final = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++", "oo")
GREYS: Final = ("0.15", "0.75", "0.9", "0.5", "0.85", "0.95", "0.65", "1.0")


def painted(draw: Callable[[Any], None], kind: str = "svg", height: float = HIGH) -> bytes:
    """The picture as SVG or PNG."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, asked for only when a picture is
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"a picture needs matplotlib, which is not installed: {INSTALL}") from error
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, height), dpi=DPI, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, facecolor="white", metadata=metadata)
    return out.getvalue()


def plain(*axes: Any) -> None:  # noqa: ANN401 - matplotlib's own
    """Amounts with few enough ticks that they do not touch. Of an axis: ``axis.xaxis`` or ``axis.yaxis``."""
    for axis in axes:
        axis.set_major_formatter(lambda value, _: compact(value))
        axis.get_major_locator().set_params(nbins=5)


def compact(value: float) -> str:
    """An amount in few signs: 2.5 M."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{letter}"
    return f"{value:,.4g}"


def bars(axis: Any, names: list[str], values: list[float], **style: Any) -> None:  # noqa: ANN401 - matplotlib's own
    """Horizontal bars with their values, the first on top."""
    places = range(len(names))
    axis.barh(places, values, color="0.55", edgecolor="black", linewidth=0.6, **style)
    axis.set_yticks(list(places), names)
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
