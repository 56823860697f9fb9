"""Flow records in text and in columns: Zeek, Suricata, CSV, JSON lines, Parquet.

Lines (or row groups) become Arrow columns, a *mapping* says which column is what, and what comes out is
:class:`~rearguard.sources.logs.records.Records`: one entry a record, both directions. All of it is vectorised; a
block that the fast parser refuses is read again line by line, so that one bad line costs itself and nothing else.
"""
