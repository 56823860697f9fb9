"""The bottom of the house: field tables, the guard, findings and errors. It imports nothing from above."""
