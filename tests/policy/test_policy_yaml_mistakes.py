"""What is no YAML, or YAML that means two things, is refused with its line; so are impossible numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.model.errors import PolicyError
from rearguard.policy import Policy, parse_policy

Read = Callable[[str], Policy]
Told = Callable[[str], tuple[int | None, str | None, str, str]]

# text, line, key, words of the problem, words of the remedy
WRONG = {
    "threshold as text": (
        'thresholds:\n  scan_targets: "25"\n',
        2,
        "thresholds.scan_targets",
        "'25' is no whole number",
        "without quotes",
    ),
    "threshold as truth": (
        "thresholds: {grace: true}\n",
        1,
        "thresholds.grace",
        "is no whole number",
        "quotes",
    ),
    "threshold below its bound": (
        "thresholds: {scan_targets: 0}\n",
        1,
        "thresholds.scan_targets",
        "greater than or equal to 1",
        "docs/policy.md",
    ),
    "threshold above its bound": (
        "thresholds: {scan_window: 100000000000000000000}\n",
        1,
        "thresholds.scan_window",
        "less than or equal to 1000000000",
        "docs/policy.md",
    ),
    "a probability of one": (
        "thresholds: {trw_beta: 1.0}\n",
        1,
        "thresholds.trw_beta",
        "less than 1",
        "docs/policy.md",
    ),
    "a walk without direction": (
        "thresholds:\n  trw_theta1: 0.9\n",
        1,
        "thresholds",
        "trw_theta1 (0.9) is not below trw_theta0 (0.8)",
        "lower trw_theta1",
    ),
    "not a number": (
        "thresholds: {flood_factor: .nan}\n",
        1,
        "thresholds.flood_factor",
        "finite",
        "docs/policy.md",
    ),
    "unbounded": (
        "thresholds: {flood_factor: .inf}\n",
        1,
        "thresholds.flood_factor",
        "finite",
        "docs/policy.md",
    ),
    "memory too small": ("limits: {memory_mb: 1}\n", 1, "limits.memory_mb", "equal to 64", "docs/policy.md"),
    "the same key twice": (
        "networks:\n  n: {prefixes: [192.0.2.0/24]}\n  n: {prefixes: [198.51.100.0/24]}\n",
        3,
        "networks.n",
        "key 'n' stands here twice",
        "keep one",
    ),
    "no YAML": ("networks:\n  n: {prefixes: [192.0.2.0/24\n", 3, None, "no valid YAML", "brackets"),
    "a tab": ("networks:\n\tn: 1\n", 2, None, "no valid YAML", "indentation"),
    "two documents": ("networks: {}\n---\nnetworks: {}\n", 2, None, "no valid YAML", "near this line"),
    "no text at all": ("networks: \x00\n", None, None, "no valid YAML", "indentation"),
    "a list": ("- networks\n", 1, None, "the policy is no mapping", "networks:"),
    "an alias in itself": (
        "networks: &a\n  n: *a\n",
        2,
        "networks.n",
        "aliases repeat without end",
        "write the values",
    ),
    "a merge key": (
        "networks:\n  n: &n {prefixes: [192.0.2.0/25]}\n  m:\n    <<: *n\n",
        4,
        "networks.m.<<",
        "a merge key",
        "write the values out",
    ),
    "a key that is a list": (
        "networks:\n  [n, m]: 1\n",
        2,
        "networks",
        "a key that is a list",
        "plain names",
    ),
    "a number that is none": (
        "thresholds: {grace: !!int x}\n",
        1,
        "thresholds.grace",
        "'x' is no int",
        "plain",
    ),
    "a list called a mapping": ("networks: !!map [1]\n", 1, "networks", "a tag, map", "plain values"),
    "text called a mapping": ("networks: !!map x\n", 1, "networks", "a tag, map", "plain values"),
    "a tag": ("networks: !!python/name:os.system x\n", 1, "networks", "a tag", "plain values"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_place_and_remedy(case: str, told: Told) -> None:
    text, line, key, problem, remedy = WRONG[case]
    found = told(text)
    assert found[:2] == (line, key)
    assert problem in found[2]
    assert remedy in found[3]


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory(read: Read) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    with pytest.raises(PolicyError, match="aliases repeat"):
        read("\n".join(lines))


def test_nesting_without_end_is_no_yaml(read: Read) -> None:
    with pytest.raises(PolicyError, match="nested too deeply"):
        read("networks: " + "[" * 600)


def test_bytes_that_are_no_text_are_no_yaml(known: object) -> None:
    with pytest.raises(PolicyError, match="no valid YAML"):
        parse_policy(b"networks: \xff\xfe\n", known)  # type: ignore[arg-type]


_PIECES = st.sampled_from(
    [
        "networks",
        "n",
        "drop",
        ":",
        ": ",
        "\n",
        "\n  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "<<",
        "? ",
        "!!x ",
        "'",
        '"',
        "|",
        ">",
        "%",
        "@",
        "7",
        "-1",
        "1e999",
        "~",
        "true",
        "2027-01-01",
        "0x1F",
        "1_0",
        "\t",
        "#",
        "é",
        "---",
        "prefixes",
        "192.0.2.0/24",
        "thresholds",
        "grace",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "!!int ",
        "!!float ",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(_PIECES, max_size=14))
def test_whatever_is_written_is_a_policy_or_a_told_mistake(pieces: list[str], read: Read) -> None:
    with contextlib.suppress(PolicyError):
        read("".join(pieces))
