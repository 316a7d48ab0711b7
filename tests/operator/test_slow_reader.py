"""A reader that takes nothing holds up neither the run nor the end of the program."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import click
import pytest

from tests.workspace import until
from tui.cli.headless import Printer
from tui.cli.outlet import Outlet, patient_output
from tui.cli.streams import Guarded, OutputLost

LONG = "x" * 1000


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as stream:
        yield reads, stream
    os.close(reads)


def left_out(lines: int) -> str:
    return f"{lines} left out\n"


def read_all(reads: int, into: list[bytes]) -> threading.Thread:
    def read() -> None:
        while got := os.read(reads, 65536):
            into.append(got)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def test_what_nobody_reads_is_bounded_and_the_last_word_comes_once_somebody_does(
    pipe: tuple[int, TextIO],
) -> None:
    reads, stream = pipe
    outlet = Outlet(stream, left_out, bound=150_000)
    for number in range(500):
        outlet.put(f"{number} {LONG}\n", passing=number % 2 == 0)
    outlet.put("the summary\n")
    assert not outlet.close(patience_s=0.01)
    got: list[bytes] = []
    read_all(reads, got)
    until(lambda: b"".join(got).endswith(b"the summary\n"))
    lines = b"".join(got).decode().splitlines()
    said = [int(line.split()[0]) for line in lines if line.endswith(" left out")]
    assert sum(said) + len(lines) - len(said) == 501
    assert len(lines) < 400


def test_lines_of_progress_are_left_out_before_any_other(pipe: tuple[int, TextIO]) -> None:
    reads, stream = pipe
    outlet = Outlet(stream, left_out, bound=200_000)
    for number in range(300):
        outlet.put(f"{'wait' if number % 3 else 'step'} {number} {LONG}\n", passing=number % 3 > 0)
    got: list[bytes] = []
    read_all(reads, got)
    assert outlet.close()
    until(lambda: f"step 297 {LONG}\n".encode() in b"".join(got))
    steps = [line for line in b"".join(got).decode().splitlines() if line.startswith("step")]
    assert len(steps) == 100


def test_all_that_a_reader_takes_arrives_in_order(pipe: tuple[int, TextIO]) -> None:
    reads, stream = pipe
    got: list[bytes] = []
    read_all(reads, got)
    outlet = Outlet(stream, left_out)
    for number in range(2000):
        outlet.write(f"{number}\n")
    assert outlet.close()
    until(lambda: b"".join(got).endswith(b"1999\n"))
    assert b"".join(got).decode().split() == [str(number) for number in range(2000)]


def test_a_reader_that_is_gone_is_lost_and_stops_nothing() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as gone:
        outlet = Outlet(gone, left_out)
        outlet.write("nobody\n")
        until(lambda: outlet.lost)
        with pytest.raises(OutputLost):
            outlet.write("nor this\n")
        told: list[str] = []
        outlet.outlived(told.append)
        for _ in range(2):
            outlet.write("nor that\n")
        assert told == ["Broken pipe"]
        assert not outlet.close()


def test_click_takes_it_for_a_stream_of_text(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, stream = pipe
    monkeypatch.setattr(sys, "stdout", Guarded(stream))
    got: list[bytes] = []
    read_all(reads, got)
    with patient_output(as_json=False):
        click.echo("fürs Protokoll")
        with pytest.raises(TypeError):
            sys.stdout.write(b"")  # type: ignore[arg-type]
    until(lambda: b"".join(got) == "fürs Protokoll\n".encode())


def test_a_stream_without_a_file_is_written_too() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream, left_out)
    outlet.write("words\n")
    assert outlet.close()
    assert stream.getvalue() == "words\n"


def test_what_was_left_out_of_json_is_told_as_json(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, stream = pipe
    monkeypatch.setattr(sys, "stdout", stream)
    got: list[bytes] = []
    with patient_output(as_json=True):
        printer = Printer(as_json=True)
        for number in range(1500):
            printer.line({"number": number, "text": LONG}, passing=True)
        printer.line({"result": "protected"})
        read_all(reads, got)
    until(lambda: b"".join(got).endswith(b'"protected"}\n'))
    rows = [json.loads(line) for line in b"".join(got).decode().splitlines()]
    assert rows[-1] == {"result": "protected"}
    missed = sum(row["data"]["lines"] for row in rows if row.get("kind") == "left-out")
    assert missed
    assert missed + len([row for row in rows if "number" in row]) == 1500


def test_a_process_whose_output_nobody_reads_ends_with_its_own_exit_code() -> None:
    script = (
        "import sys\n"
        "from tui.cli import outlet\n"
        "outlet.Outlet.close.__defaults__ = (0.05,)\n"
        "with outlet.patient_output(as_json=False):\n"
        "    for stream in (sys.stdout, sys.stderr):\n"
        "        for _ in range(300):\n"
        "            stream.write('x' * 1000 + '\\n')\n"
        "    sys.exit(3)\n"
    )
    reads, writes = os.pipe()
    try:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=writes, stderr=writes)
        assert process.wait(120) == 3
    finally:
        os.close(reads)
        os.close(writes)


@pytest.mark.parametrize("reader", ["slow", "gone"])
def test_that_the_last_line_reached_nobody_is_told_on_standard_error(reader: str) -> None:
    script = (
        "import sys\n"
        "from tui.cli import outlet\n"
        "from tui.cli.streams import outlive_output\n"
        "outlet.Outlet.close.__defaults__ = (0.05,)\n"
        "with outlet.patient_output(as_json=True):\n"
        "    outlive_output(lambda why: None)\n"
        "    sys.stdout.write('x' * 300_000 + '\\n')\n"
        "    sys.exit(3)\n"
    )
    reads, writes = os.pipe()
    if reader == "gone":
        os.close(reads)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=writes, stderr=subprocess.PIPE, text=True
        )
        said = process.communicate(timeout=120)[1]
    finally:
        if reader == "slow":
            os.close(reads)
        os.close(writes)
    assert process.returncode == 3
    why = "nobody took it in time" if reader == "slow" else "Broken pipe"
    assert said.count("The end of standard output was not read") == 1
    assert f"({why}). How it ended is kept: blueprime runs" in said
