"""A plan's command as careless as they come: it prints its token when it fails, and it fails once.

    python -I -S hook.py stop|start FOLDER HOOK LAB

It leaves its environment and arguments in FOLDER; then the lab's own HOOK takes over.
"""

import base64
import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

action, folder, hook, lab = sys.argv[1:]
calls = Path(folder) / f"{os.getpid()}.json"
calls.write_text(json.dumps({"arguments": sys.argv, "environment": dict(os.environ)}))
failed = Path(folder) / "failed"
if not failed.exists():
    failed.touch()
    token = os.environ["HOOK_TOKEN"]
    sys.stdout.write(f"\x1b]0;owned\x07\x1b[31mrefused: token {token} is not valid\u202e\n")
    sys.stdout.write(f"https://deploy.example/?t={quote(token, safe='')}\n")
    basic = base64.b64encode(token.encode()).decode()
    sys.stdout.write(f"Basic {basic} {token!r} {json.dumps(token)}\n")
    sys.exit(1)
os.execv(sys.executable, [sys.executable, "-I", "-S", hook, action, lab])
