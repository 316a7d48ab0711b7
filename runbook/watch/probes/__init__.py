"""The probes of the watch: each asks one thing of the clusters, and only reads.

A probe says what it saw as figures of the dashboard, or as a `ProbeResult`: alerts, or why nothing
is known.
"""
