"""The lab: an access network in network namespaces that plays and records an incident with its truth."""
