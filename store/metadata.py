"""The schema of all operational tables; they are no projections and are never dropped."""

from sqlalchemy import MetaData

OPS = "ops"
metadata = MetaData(schema=OPS)
