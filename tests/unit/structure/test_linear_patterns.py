"""Every regular expression of the operator takes linear time, whatever text it gets.

A child process tries each pattern on texts of two lengths. For the longer one, a linear pattern takes four times the
time, a quadratic one sixteen times. Both lengths are above 8,000 characters, the largest bound of a repeat that has
something behind it: up to its bound, a repeat grows like one without a bound.
"""

import ast
import importlib
import json
import os
import pkgutil
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import secure_redis

LENGTH = 10_000
LONGER = 4 * LENGTH
# From one length to the other. A repeat of at most 8,000 characters grows by 6 here, one without a bound by 16.
GROWTH = 10.0
# For the longer text. A pattern that is quadratic in it takes up to 800,000,000 steps.
LEAST_SECONDS = 0.1
SURE_SECONDS = 0.05  # a clock may tick every 4 ms: shorter runs are repeated
CPU_SECONDS = 20  # for all texts of a pattern; a linear one takes less than a second
ROOT = Path(secure_redis.__path__[0])
_CALLS = {"compile", "sub", "subn", "match", "fullmatch", "search", "findall", "finditer", "split"}

# Each is quadratic in its own way: the check must find them all.
QUADRATIC = {
    "a run before a boundary": r"[\s,;.(]*\bcorrelation",
    "a run before what does not come": r"\s+$",
    "two runs of the same": r"a*a*b",
    "a literal, then a run without its end": r"key=([^;]+);",
    "an alternative in a repeat": r"(?:a|b)+c",
}


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern of every module, in containers too, and every literal that a function compiles."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in pkgutil.walk_packages([str(ROOT)], "secure_redis."):
        if module.name.endswith(".__main__"):
            continue  # it runs the command
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            for pattern in _inside(value, 0):
                found.setdefault(_key(pattern), pattern)
                assert name
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            where, what = node.func.value, node.args[0]
            called = isinstance(where, ast.Name) and where.id == "re" and node.func.attr in _CALLS
            if called and isinstance(what, ast.Constant) and isinstance(what.value, str | bytes):
                found.setdefault(_key(re.compile(what.value)), re.compile(what.value))
    return found


def _key(pattern: re.Pattern[Any]) -> str:
    return f"{pattern.flags}:{pattern.pattern!r}"


def _inside(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, Mapping):
        for member in value.values():
            yield from _inside(member, depth + 1)
    elif depth < 4 and isinstance(value, tuple | list | set | frozenset):
        for member in value:
            yield from _inside(member, depth + 1)
    elif depth < 4 and hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from _inside(getattr(value, name, None), depth + 1)


def named(pattern: re.Pattern[Any]) -> tuple[set[str], list[str]]:
    """The characters that a pattern names, one for each class and range, and its literal fragments."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    characters: set[str] = set()
    fragments: list[str] = []
    _walk(parser.parse(text, pattern.flags & ~re.LOCALE), characters, fragments)
    return characters, fragments


_CLASSES = {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "7", "CATEGORY_WORD": "w", "CATEGORY_NOT_SPACE": "x"}


def _walk(parsed: Any, characters: set[str], fragments: list[str]) -> None:
    literal = ""
    for code, argument in parsed:
        name = str(code)
        if name == "LITERAL":
            literal += chr(argument)
            characters.add(chr(argument))
            continue
        if len(literal) > 1:
            fragments.append(literal)
        if name != "SUBPATTERN":
            literal = ""
        if name == "IN":
            for kind, value in argument:
                if str(kind) == "LITERAL":
                    characters.add(chr(value))
                elif str(kind) == "RANGE":
                    characters.update((chr(value[0]), chr(value[1])))
                elif str(kind) == "CATEGORY":
                    characters.add(_CLASSES.get(str(value), "_"))
        elif name in ("ANY", "NOT_LITERAL"):
            characters.add("n")
        else:
            for part in argument if isinstance(argument, tuple | list) else (argument,):
                for inner in part if isinstance(part, list) else (part,):
                    if isinstance(inner, parser.SubPattern):
                        _walk(inner, characters, fragments)
    if len(literal) > 1:
        fragments.append(literal)


def texts(pattern: re.Pattern[Any], length: int) -> Iterator[str]:
    """Long runs of what the pattern names, alone and behind its fragments, and random mixes of it."""
    characters, fragments = named(pattern)
    few = sorted(characters)
    chance = random.Random(1)  # noqa: S311 - no secret
    some = chance.sample(few, min(len(few), 3)) or ["x"]
    fragments = sorted(set(fragments), key=len, reverse=True)[:2]
    whole = "".join(fragments)
    for one in few:
        yield one * length
        yield one * length + "\0"  # what a pattern requires behind the run does not come
    for fragment in [*fragments, whole]:
        if fragment:
            yield fragment * (length // len(fragment))
            for one in few[:4] if fragment == whole else ():
                yield (fragment + one) * (length // (len(fragment) + 1))
            yield fragment + "".join(chance.choices(few, k=length))
    yield "".join(chance.choices(some, k=length))
    pair = "".join(some[:2])
    yield pair * (length // len(pair))


def seconds(pattern: re.Pattern[Any], text: str, least: float = 0.0) -> float:
    """The processor seconds of the pattern for the whole text: the mean of as many runs as take `least` seconds."""
    given: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    before, took, runs = time.process_time(), 0.0, 0
    while not runs or (took < least and runs < 100):
        for _ in pattern.finditer(given):
            pass
        took, runs = time.process_time() - before, runs + 1
    return took / runs


def grows(pattern: re.Pattern[Any], short: str, long: str) -> bool:
    """Whether the pattern takes much longer for the longer text. A difference is measured again."""
    return all(
        (took := seconds(pattern, long)) > LEAST_SECONDS and took > GROWTH * seconds(pattern, short, SURE_SECONDS)
        for _ in range(3)
    )


def linear(pattern: re.Pattern[Any]) -> bool:
    """Whether no text makes the pattern grow faster than the text."""
    return not any(grows(pattern, *pair) for pair in zip(texts(pattern, LENGTH), texts(pattern, LONGER), strict=True))


def slow(found: Mapping[str, tuple[Any, int]]) -> list[str]:
    """Which of the patterns (text and flags) are not linear, each tried in a process of its own."""
    script = f"import sys; sys.path[:0] = {sys.path!r}; from {__name__} import child; child()"
    work = {
        name: (text if isinstance(text, str) else {"bytes": text.decode("latin-1")}, flags)
        for name, (text, flags) in found.items()
    }
    run = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert isinstance(result, list)
    return [str(name) for name in result]


def child() -> None:
    """Try each pattern in a fork, which the kernel ends after its processor seconds."""
    failed = []
    for name, (text, flags) in json.load(sys.stdin).items():
        pattern = re.compile(text["bytes"].encode("latin-1") if isinstance(text, dict) else text, flags)
        pid = os.fork()
        if pid == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            code = 1
            try:
                code = 0 if linear(pattern) else 1
            finally:
                os._exit(code)
        if os.waitpid(pid, 0)[1] != 0:
            failed.append(name)
    sys.stdout.write(json.dumps(failed))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it takes seconds, and the other one two minutes, on a machine that does nothing else
def test_every_pattern_of_the_operator_is_linear() -> None:
    found = patterns()
    assert len(found) > 80
    assert slow({name: (pattern.pattern, pattern.flags) for name, pattern in found.items()}) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_check_finds_quadratic_patterns() -> None:
    assert sorted(slow({name: (text, 0) for name, text in QUADRATIC.items()})) == sorted(QUADRATIC)
