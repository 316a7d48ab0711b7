"""The two colour themes of the product. Widgets use their variables and no colours of their own."""

from textual.theme import Theme

NIGHT = Theme(
    name="blueprime-night",
    dark=True,
    primary="#7aa2f7",
    secondary="#565f89",
    accent="#7dcfff",
    foreground="#c8d0e8",
    background="#12141d",
    surface="#181b27",
    panel="#202434",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    variables={"border": "#313751", "border-blurred": "#313751"},
)

DAY = Theme(
    name="blueprime-day",
    dark=False,
    primary="#2e5cb8",
    secondary="#6b7394",
    accent="#0b6e99",
    foreground="#22273a",
    background="#f4f5f9",
    surface="#ffffff",
    panel="#e8eaf2",
    success="#35701f",
    warning="#8a5a00",
    error="#b3213f",
    variables={"border": "#c3c8da", "border-blurred": "#c3c8da"},
)
