"""Every regular expression of the operator takes linear time, whatever text it gets.

A child process tries each pattern on long texts, within a limit of processor seconds for each pattern. The texts have
400,000 characters. For one, a quadratic pattern takes 10,000,000,000 steps, which no processor makes in the limit.
A linear one takes some hundredths of a second.
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
from collections.abc import Iterator, Mapping
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import secure_redis

LENGTH = 400_000
CPU_SECONDS = 8
ROOT = Path(secure_redis.__path__[0])
_CALLS = {"compile", "sub", "subn", "match", "fullmatch", "search", "findall", "finditer", "split"}

# Each is quadratic in its own way: the check must find them all.
QUADRATIC = {
    "a run before a boundary": r"[\s,;.(]*\bcorrelation",
    "a run before what does not come": r"\s+$",
    "two runs of the same": r"a*a*b",
    "a literal, then a run without its end": r"action '([^']+)'",
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


def texts(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Long runs of what the pattern names, alone and behind its fragments, and random mixes of it."""
    characters, fragments = named(pattern)
    few = sorted(characters)
    chance = random.Random(1)  # noqa: S311 - no secret
    fragments = sorted(set(fragments), key=len, reverse=True)[:2]
    whole = "".join(fragments)
    for one in few:
        yield one * LENGTH
    for fragment in [*fragments, whole]:
        if fragment:
            yield fragment * (LENGTH // len(fragment))
            for one in few[:4] if fragment == whole else ():
                yield (fragment + one) * (LENGTH // (len(fragment) + 1))
            yield fragment + "".join(chance.choices(few, k=LENGTH))
    some = chance.sample(few, min(len(few), 3)) or ["x"]
    yield "".join(chance.choices(some, k=LENGTH))
    pair = "".join(some[:2])
    yield pair * (LENGTH // len(pair))


def attempt(pattern: re.Pattern[Any]) -> None:
    for text in texts(pattern):
        given: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
        for _ in pattern.finditer(given):
            pass


def slow(found: Mapping[str, tuple[Any, int]]) -> list[str]:
    """Which of the patterns (text and flags) do not end in time, each tried in a process of its own."""
    script = f"import sys; sys.path[:0] = {sys.path!r}; from {__name__} import child; child()"
    result = []
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
                attempt(pattern)
                code = 0
            finally:
                os._exit(code)
        if os.waitpid(pid, 0)[1] != 0:
            failed.append(name)
    sys.stdout.write(json.dumps(failed))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # some 20 processor seconds, on a machine that may do much else
def test_every_pattern_of_the_operator_is_linear() -> None:
    found = patterns()
    assert len(found) > 80
    assert slow({name: (pattern.pattern, pattern.flags) for name, pattern in found.items()}) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_check_finds_quadratic_patterns() -> None:
    expected = sorted(name for name in QUADRATIC if name != "an alternative in a repeat")
    assert sorted(slow({name: (text, 0) for name, text in QUADRATIC.items()})) in (expected, sorted(QUADRATIC))
