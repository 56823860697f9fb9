"""Who sends the cases is told by the policy and changes nothing that is concluded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rearguard.policy import Policy
from rearguard.report.cases.xarf import UNTOLD, reporter


def policy(contact: str) -> Policy:
    return Policy.model_validate({"operator": {"name": "Example Access", "contact": contact}})


def test_the_operator_is_the_sender_of_cases() -> None:
    assert reporter(policy("abuse@example.net").operator) == {
        "org": "Example Access",
        "contact": "abuse@example.net",
        "domain": "example.net",
    }
    assert reporter(None) == UNTOLD


def test_the_operator_does_not_change_the_digest() -> None:
    assert policy("abuse@example.net").digest == Policy().digest


@pytest.mark.parametrize(
    "contact", ["abuse", "@example.net", "a b@example.net", "abuse@", "a@-x", "a@x\nBcc: y@z"]
)
def test_what_is_no_mail_address(contact: str) -> None:
    with pytest.raises(ValidationError, match="no mail address"):
        policy(contact)
