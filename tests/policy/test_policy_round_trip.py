"""A policy survives being written and read, and its digest stands for its meaning."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rearguard.model.errors import PolicyError
from rearguard.policy import Policy, json_schema, load_policy

Read = Callable[[str], Policy]


def written(policy: Policy) -> str:
    stream = io.StringIO()
    YAML().dump(policy.meaning(), stream)
    return stream.getvalue()


def test_what_is_written_reads_back_to_the_same_policy(full: Policy, read: Read) -> None:
    again = read(written(full))
    assert again.meaning() == full.meaning()
    assert again.digest == full.digest


_names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_prefixes = st.lists(
    st.builds(lambda net, length: f"10.{net}.0.0/{length}", st.integers(0, 255), st.integers(16, 24)),
    min_size=1,
    max_size=4,
)
_interfaces = st.lists(st.sampled_from(["cwmp", "cwmp-cr", "telnet", "tr064"]), min_size=1, max_size=3)
_content = st.fixed_dictionaries(
    {
        "networks": st.fixed_dictionaries({"home": st.fixed_dictionaries({"prefixes": _prefixes})}),
        "controllers": st.dictionaries(
            _names,
            st.fixed_dictionaries(
                {"manages": _interfaces, "requests_from": _prefixes}, optional={"sessions_at": _prefixes}
            ),
            max_size=3,
        ),
        "drop": st.lists(
            st.fixed_dictionaries(
                {
                    "interfaces": _interfaces,
                    "toward": st.just(["home"]),
                    "basis": st.text("aZ é:#\"'{[", min_size=1, max_size=12),
                    "review_by": st.dates().map(str),
                }
            ),
            max_size=3,
        ),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=_content, order=st.randoms())
def test_any_policy_survives_and_order_does_not_matter(content: dict, order: object, read: Read) -> None:  # type: ignore[type-arg]
    first = read(json.dumps(content))
    assert read(json.dumps(first.meaning())).digest == first.digest
    for entry in (content["networks"]["home"], *content["controllers"].values(), *content["drop"]):
        for items in entry.values():
            if isinstance(items, list):
                order.shuffle(items)  # type: ignore[attr-defined]
    order.shuffle(content["drop"])  # type: ignore[attr-defined]
    content["controllers"] = dict(reversed(content["controllers"].items()))
    again = read(json.dumps(content))
    assert again.digest == first.digest


SAME = {
    "a comment": ("networks:", "# about networks\nnetworks:"),
    "a family written out": ("manages: [cwmp]", "manages: [cwmp-acs, cwmp-cr]"),
    "a default written out": ("kind: native", "kind: native\n    managed: operator"),
    "a prefix in halves": ("198.51.100.0/24", "198.51.100.0/25, 198.51.100.128/25"),
    "another reason": ("reason: honeypot", "reason: still a honeypot"),
    "another review": ("2027-06-01", "2028-06-01"),
}
OTHER = {
    "a wider controller": ("192.0.2.8/30", "192.0.2.8/29"),
    "another right": ("manages: [telnet]", "manages: [tr064]"),
    "a drop of more": ("interfaces: [tr064]", "interfaces: [tr064, telnet]"),
    "a longer exception": ("expires: 2027-01-01", "expires: 2027-01-02"),
    "another manager": ("managed: operator", "managed: owner"),
    "another threshold": ("scan_targets: 30", "scan_targets: 31"),
    "another edge": ("enters_at: west", "enters_at: east"),
    "another way in": ("outside: [eth0]", "outside: [eth1]"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_digest_ignores_what_changes_nothing(case: str, full: Policy, full_text: str, read: Read) -> None:
    old, new = SAME[case]
    text = full_text.replace("    managed: operator\n", "") if case == "a default written out" else full_text
    assert old in text
    assert read(text.replace(old, new, 1)).digest == full.digest


@pytest.mark.parametrize("case", OTHER)
def test_the_digest_tells_every_other_meaning(case: str, full: Policy, full_text: str, read: Read) -> None:
    old, new = OTHER[case]
    assert old in full_text
    assert read(full_text.replace(old, new, 1)).digest != full.digest


def test_the_digest_names_its_kind(full: Policy) -> None:
    assert full.digest.startswith("sha256:")
    assert len(full.digest) == 7 + 64


def test_a_file_is_read_and_named_in_errors(tmp_path: Path, known: object, full_text: str) -> None:
    file = tmp_path / "rearguard.yaml"
    file.write_text(full_text)
    assert load_policy(file, known).networks  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match=r"absent\.yaml: the policy cannot be read") as caught:
        load_policy(tmp_path / "absent.yaml", known)  # type: ignore[arg-type]
    assert "rearguard policy init" in caught.value.remedy


def test_the_schema_accepts_what_the_tool_accepts(full: Policy) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(full.meaning(), schema)
    with pytest.raises(jsonschema.ValidationError, match="netwroks"):
        jsonschema.validate({"netwroks": {}}, schema)
    with pytest.raises(jsonschema.ValidationError, match="cuts"):
        jsonschema.validate(
            {
                "drop": [
                    {
                        "interfaces": ["telnet"],
                        "toward": ["n"],
                        "mode": "cuts",
                        "basis": "b",
                        "review_by": "x",
                    }
                ]
            },
            schema,
        )
