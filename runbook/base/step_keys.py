"""The keys of steps by which the journal is read: those that stop the applications and let them in.

Whoever reads a run's history finds its steps by these, without knowing how they are done.
"""

STOP_TRAFFIC = "stop-traffic"
RESUME_TRAFFIC = "resume-traffic"
REOPEN_BLUE = "reopen-blue"
DROP_SUBSCRIPTIONS = "drop-subscriptions"
