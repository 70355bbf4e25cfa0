"""What schemathesis asks of every answer beside its own checks, and what it cannot know of a request."""

import re

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

# What no JSON Schema can say, for it is about several members or about what the log or the journal holds. The
# descriptions say it. A request that breaks one of these is as good as refused, though it fits its schema.
BEYOND_A_SCHEMA = [
    # The watcher API.
    r"^items\[\d+\] needs either digest \(ECDSA keys\) or message \(Ed25519 keys\)",
    r"^items\[\d+\] is of key .* one request signs with one key family",
    r"^transfer\.outputs\[\d+\]\.reference is used twice in this request",
    r"^the body cannot be read: \"\d{10}\" is no child: a decimal number from 0 to 2147483647",
    r"^key \S+ is `blind`: leave transfer out",
    r"^items\[\d+\]: \S+ is an (ECDSA key and signs a digest|Ed25519 key and signs a message)",
    r"^transfer\.(outputs\[\d+\]\.(destination|amount)|fee): ",
    r"^the sum of the amounts does not fit",
    r"^there is no (inclusion|consistency) proof ",
    r"^children are allocated without gaps",
    r"^no checkpoint of this log",
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops the failure where a good-looking request was refused by a rule that is beyond a schema."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if case.path == "/v1/withdrawals/import":
        # What an export holds is promised to nobody but the program that reads it.
        return False
    detail = response.json().get("detail", "")
    return not any(re.search(rule, detail) for rule in BEYOND_A_SCHEMA)


@schemathesis.hook
def map_body(context, body):
    """1.0 is an integer to JSON Schema; the programs take what counts in digits alone, and no writer of JSON turns an
    integer into that."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [map_body(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


@schemathesis.check
def a_refusal_is_one_that_the_document_names(ctx, response, case):
    """The code of a problem document is among those that the operation names for this status."""
    if response.status_code < 400:
        return
    problem = response.json()
    assert problem["status"] == response.status_code, problem
    code = re.fullmatch(r"urn:chancery(?:-watcher)?:problem:([a-z-]+)", problem["type"])
    assert code, f"{problem['type']} is no code of ours"
    named = case.operation.definition.raw["responses"].get(str(response.status_code), {}).get("description")
    # Where the document names none, status_code_conformance says so.
    if named is not None:
        assert code[1] in re.findall(r"`([a-z-]+)`:", named), f"{code[1]} is none of: {named}"
    if problem["retry"] == "same":
        assert response.headers.get("retry-after"), "it says to try the same again, and not when"


@schemathesis.check
def nothing_is_cached(ctx, response, case):
    """What is signed, or allowed, now is not what it was."""
    assert response.headers.get("cache-control") == ["no-store"]
