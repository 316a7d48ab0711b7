"""Everything that is said to a PostgreSQL server: typed functions over psycopg connections.

Nothing here knows AWS, a run or the journal. Functions take connections and return frozen
dataclasses, or `Statement`s for others to run.
"""
