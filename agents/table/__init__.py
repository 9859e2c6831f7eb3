"""Tables: CSV files taken in as they are, and SQL over them that reaches nothing else."""
