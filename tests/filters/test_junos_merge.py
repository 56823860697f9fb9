"""Our terms in a Junos filter that is in force: where they go, what stays, and what is refused."""

from __future__ import annotations

import pytest
from tests.filters.build import policy
from tests.filters.platforms import MADE

from rearguard.catalogue import load
from rearguard.filters.apply.router import Rollout, rollout
from rearguard.filters.compile import compile_filter
from rearguard.filters.lines import AccessList
from rearguard.filters.parse.junos import parse
from rearguard.filters.platforms import Compiled, compile_for, platform_of
from rearguard.filters.prove.equal import compare
from rearguard.filters.render.junos_write import put_back
from rearguard.filters.residual import EFFECTS
from rearguard.model.errors import UsageError
from rearguard.policy import Policy

POLICY = """
networks: {homes: {prefixes: [198.51.100.0/24, 203.0.113.64/26, "2001:db8:c::/48"]}}
controllers:
  acs: {requests_from: [192.0.2.8/30, "2001:db8:a::10/128"], manages: [cwmp], enters_at: west}
edges: {west: {outside: [ge-0/0/0.0]}}
drop: [{interfaces: [cwmp-cr, telnet], toward: [homes], basis: worm, review_by: 2027-06-01}]
"""
IN_FORCE = """policy-options {
    prefix-list bogons {
        10.0.0.0/8;
        192.168.0.0/16;
    }
}
firewall {
    family inet {
        /* what comes in from the outside */
        filter INTERNET-IN {
            interface-specific;
            term bogons {
                from {
                    source-prefix-list {
                        bogons;
                    }
                }
                then {
                    count bogons;
                    discard;
                }
            }
            /* only counts */
            term watch {
                from {
                    protocol icmp;
                }
                then {
                    count pings;
                    next term;
                }
            }
            term no-smtp {
                from {
                    protocol tcp;
                    fragment-offset 0;
                    destination-port 25;
                }
                then discard;
            }
            term rest {
                then accept;
            }
        }
    }
}
"""


def put(
    in_force: str, given: Policy | None = None, accepted: tuple[str, ...] = tuple(EFFECTS)
) -> tuple[Compiled, tuple[AccessList, ...]]:
    """Compiled, read back and proven."""
    done = compile_for(
        compile_filter(given or policy(POLICY), load(), "west"),
        platform_of("junos"),
        stem="b",
        made=MADE,
        accepted=accepted,
        existing={"running.conf": in_force},
    )
    return done, parse(text_of(done), "b.conf")


def text_of(done: Compiled) -> str:
    (text,) = done.written.files.values()
    return text


def test_the_section_stands_behind_the_bogons_and_before_the_general_permit() -> None:
    done, lists = put(IN_FORCE)
    assert done.proof.holds
    four = next(each for each in lists if each.family == 4)
    assert four.name == "INTERNET-IN"
    order = [line.text.split()[-1] for line in four.lines]
    ours = [at for at, name in enumerate(order) if name.startswith("rg-")]
    assert order.index("bogons") < ours[0]
    assert ours[-1] < order.index("rest")
    assert ours == list(range(ours[0], ours[-1] + 1))
    assert all(not proven.unneeded for proven in done.proof.lists if proven.name == "INTERNET-IN")


def test_what_the_operator_wrote_stands_there_word_for_word() -> None:
    done, _ = put(IN_FORCE)
    text = text_of(done)
    body = IN_FORCE.partition("filter INTERNET-IN {\n")[2]
    kept = [line for line in body.splitlines() if line.strip() not in ("", "}")]
    at = 0
    for line in kept:
        at = text.index(line, at) + 1
    assert "10.0.0.0/8;" in text
    assert text.count("replace: filter INTERNET-IN {") == 1


def test_the_other_family_gets_a_filter_of_its_own_and_only_that_is_bound() -> None:
    done, lists = put(IN_FORCE)
    assert {each.name for each in lists} == {"INTERNET-IN", "REARGUARD-west-v6"}
    assert [line for line in done.written.apply if line.startswith("set ")] == [
        line for line in done.written.apply if "family inet6 filter input REARGUARD-west-v6" in line
    ]
    first, second = done.written.changes
    assert "after term no-smtp and before term rest" in first.place
    assert any(line.startswith("+") and "term rg-" in line for line in first.difference)
    assert not any(line.startswith("-  ") for line in first.difference)
    assert second.place.startswith("alone")


def term(name: str, source: str, action: str) -> str:
    """A term about a source, line by line."""
    lines = [f"term {name} {{", "from {", "source-address {", f"{source};", "}", "}", f"then {action};", "}"]
    return "\n".join([*lines, ""])


def test_a_permit_of_ours_that_would_hide_a_deny_in_force_is_refused_with_both_lines() -> None:
    terms = term("partner", "203.0.113.0/24", "accept") + term("no-acs", "192.0.2.8/30", "discard")
    text = f"firewall {{\nfamily inet {{\nfilter OLD {{\n{terms}term rest {{\nthen accept;\n}}\n}}\n}}\n}}\n"
    with pytest.raises(UsageError, match=r"no place in the list OLD.*term no-acs.*term rg-permit_acs_tcp_v4"):
        put(text)


def test_merging_twice_adds_nothing() -> None:
    done, lists = put(IN_FORCE)
    again, later = put(text_of(done))
    assert [change.after for change in again.written.changes] == [0, 0]
    for one, other in zip(lists, later, strict=True):
        assert compare(one, other).equal
        assert len(one.lines) == len(other.lines)


def test_a_changed_policy_leaves_the_names_and_lists_of_the_older_section_alone() -> None:
    many = ", ".join(f"198.51.{at}.0/24" for at in range(0, 20, 2))
    first, _ = put(IN_FORCE, policy(POLICY.replace("198.51.100.0/24", many)))
    more = ", ".join(f"198.51.{at}.0/24" for at in range(0, 24, 2))
    second, lists = put(text_of(first), policy(POLICY.replace("198.51.100.0/24", more)))
    assert second.proof.holds
    assert second.written.changes[0].after > 0
    names = [line.text for line in lists[0].lines]
    assert len(set(names)) == len(names)


def test_a_filter_right_below_firewall_stays_there() -> None:
    bare = (
        "firewall {\n    filter OLD {\n        term rest {\n            then accept;\n        }\n    }\n}\n"
    )
    done, _ = put(bare)
    assert "family inet {" not in text_of(done)
    assert done.written.changes[0].name == "OLD"


def test_a_text_that_is_not_line_by_line_is_refused() -> None:
    with pytest.raises(UsageError, match="line by line"):
        put("firewall { family inet { filter OLD { term rest { then accept; } } } }")


def test_the_way_back_replaces_each_filter_as_it_was() -> None:
    text = put_back(IN_FORCE)
    assert text.replace("replace: filter", "filter") == IN_FORCE
    assert "replace: filter INTERNET-IN {" in text
    assert put_back(text) == text


def change(in_force: str) -> Rollout:
    """What ``filter apply`` writes."""
    given = compile_filter(policy(POLICY), load(), "west")
    done, _ = put(in_force)
    return rollout(given, done, "border", in_force)


def test_only_what_is_new_is_bound_and_the_way_back_unbinds_it() -> None:
    found = change(IN_FORCE)
    bound = found.candidate[found.candidate.index("interfaces {") :]
    assert "ge-0/0/0 {\n        unit 0 {\n            family inet6 {" in bound
    assert "family inet {" not in bound
    assert found.rollback == put_back(IN_FORCE)
    steps = found.commands("junos", 300).splitlines()
    load_back = steps.index("# Later: load replace /var/tmp/border-junos-rollback.conf")
    assert steps[load_back + 1 : load_back + 4] == [
        "#   delete interfaces ge-0/0/0 unit 0 family inet6 filter input",
        "#   show | compare",
        "#   commit",
    ]


def test_where_every_filter_is_in_force_already_no_interface_is_touched() -> None:
    body = "filter SIX {\nterm rest {\nthen accept;\n}\n}\n"
    six = f"firewall {{\nfamily inet6 {{\n{body}}}\n}}\n"
    found = change(IN_FORCE + six)
    assert "interfaces {" not in found.candidate
    assert "delete" not in found.commands("junos", 300)
    lists = parse(found.candidate, "candidate")
    assert {each.name for each in lists} == {"INTERNET-IN", "SIX"}


def test_the_way_back_means_what_was_in_force() -> None:
    for one, other in zip(
        parse(change(IN_FORCE).rollback, "rollback"), parse(IN_FORCE, "running"), strict=True
    ):
        assert one.name == other.name
        assert compare(one, other).equal
