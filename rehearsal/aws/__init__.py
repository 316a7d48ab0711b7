"""The control plane of the lab: an imitation of the RDS API over real PostgreSQL servers."""
