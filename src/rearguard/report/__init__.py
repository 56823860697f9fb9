"""What was found, told: on the terminal, as findings.json, as contacts.parquet and as report.html."""
