"""A wire-breaking change against the last release stops the build; an addition does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen.__main__ import main
from tests.contracts import PROTO


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROTO, tmp_path / "proto"))


def edit(proto: Path, old: str, new: str) -> None:
    path = proto / "mxaccess_gateway.proto"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def breaking(proto: Path) -> int:
    return main(["breaking", "--proto-dir", str(proto)])


def test_the_committed_contract_breaks_nothing(proto: Path) -> None:
    assert breaking(proto) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string backend_name = 2;", "string backend_name = 12;"),
        ("string backend_name = 2;", "int32 backend_name = 2;"),
        ("string backend_name = 2;", ""),
        ("MX_COMMAND_KIND_REGISTER = 1;", "MX_COMMAND_KIND_REGISTER = 200;"),
    ],
)
def test_a_number_or_type_that_changed_is_told_with_its_place(
    proto: Path, old: str, new: str, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(proto, old, new)
    assert breaking(proto) == 1
    assert "mxaccess_gateway.proto:" in capfd.readouterr().out


def test_an_addition_is_fine(proto: Path) -> None:
    edit(proto, "string backend_name = 2;", "string backend_name = 2;\n  string added = 99;")
    assert breaking(proto) == 0


def test_a_contract_without_a_last_release_says_what_to_do(
    proto: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (proto / "baseline.binpb").unlink()
    assert breaking(proto) == 1
    assert "copy contract.binpb of the last release" in capsys.readouterr().err
