"""The operator's own file: who may manage what, from where, and what the border shall stop."""

from __future__ import annotations

from rearguard.policy.columns import ColumnFields, ColumnRule
from rearguard.policy.entries import (
    Controller,
    Drop,
    Edge,
    Exemption,
    GuardedNetwork,
    ObserverRule,
    Operator,
    Surveyor,
)
from rearguard.policy.flags import policy_from_flags
from rearguard.policy.load import load_policy, parse_policy
from rearguard.policy.notice import Notice
from rearguard.policy.policy import Authorisation, Policy
from rearguard.policy.schema import json_schema
from rearguard.policy.thresholds import Limits, Thresholds
from rearguard.policy.values import InterfaceNames, Port

__all__ = [
    "Authorisation",
    "ColumnFields",
    "ColumnRule",
    "Controller",
    "Drop",
    "Edge",
    "Exemption",
    "GuardedNetwork",
    "InterfaceNames",
    "Limits",
    "Notice",
    "ObserverRule",
    "Operator",
    "Policy",
    "Port",
    "Surveyor",
    "Thresholds",
    "json_schema",
    "load_policy",
    "parse_policy",
    "policy_from_flags",
]
