"""The template and the style sheet of report.html."""
