"""`python main.py CLIENT PACKAGE`: run one client. Prints one line of JSON: the version, and the error if any."""

import importlib.metadata
import json
import sys
import traceback

import frameworks
import libraries
import queues


def main() -> int:
    """Run the client named on the command line."""
    name, package = sys.argv[1:3]
    client = next(vars(module)[name] for module in (libraries, frameworks, queues) if name in vars(module))
    report = {"version": importlib.metadata.version(package)}
    try:
        client()
    except BaseException:  # what a client raises is the result
        report["error"] = traceback.format_exc()
    print(json.dumps(report), flush=True)
    return "error" in report


if __name__ == "__main__":
    sys.exit(main())
