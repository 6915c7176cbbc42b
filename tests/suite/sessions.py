"""Sessions of pytest inside a test, and what verdicts.json says of their claims."""

import json

import grok.store.checkpoint  # noqa: F401 - torch cannot be imported again after a session in this process


def run(pytester, *args):
    already = "ignore:Module already imported"  # grok is, by the session around this one
    return pytester.runpytest_inprocess(
        "-W", already, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--strict-markers", *args
    )


def verdicts(pytester):
    data = json.loads((pytester.path / "v.json").read_text())
    return {claim["id"]: claim for claim in data["claims"]}
