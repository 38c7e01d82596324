"""The security rules and their application. A new rule goes into the file of its subject and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observation import Observation
from secure_redis.domain.rules import authentication, network, resilience, transport, vault
from secure_redis.domain.rules.rule import Result, Rule, Severity, Verdict

RULES: tuple[Rule, ...] = (
    *transport.RULES,
    *authentication.RULES,
    *network.RULES,
    *vault.RULES,
    *resilience.RULES,
)

_WORST_FIRST = {severity: place for place, severity in enumerate(Severity)}
_OPEN = frozenset({Result.FAIL, Result.UNKNOWN})
_LONGEST = 1024  # of a message, by the schema


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that did not pass. `message` says what was found and what to do."""

    rule: str
    title: str
    severity: Severity
    result: Result
    message: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compliance:
    """All rules applied to one observation. `findings`: Fail and Unknown, worst first.

    Counts leave out what is only informational (`Severity.INFO`), which `findings` and `results` hold.
    """

    findings: tuple[Finding, ...] = ()
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    results: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def compliant(self) -> bool | None:
        """False: a rule that counts failed. None: one could not be judged. True: neither."""
        if self.failed:
            return False
        return None if self.unknown else True


def assess(resource: SecureRedisCache, seen: Observation, rules: tuple[Rule, ...] = RULES) -> Compliance:
    """Apply the rules to one observation."""
    verdicts = {rule.id: rule.check(resource, seen) for rule in rules}
    counted = [verdicts[rule.id].result for rule in rules if rule.severity is not Severity.INFO]
    findings = [_finding(rule, verdicts[rule.id]) for rule in rules if verdicts[rule.id].result in _OPEN]
    findings.sort(key=lambda finding: (_WORST_FIRST[finding.severity], finding.result is not Result.FAIL))
    return Compliance(
        findings=tuple(findings),
        passed=counted.count(Result.PASS),
        failed=counted.count(Result.FAIL),
        unknown=counted.count(Result.UNKNOWN),
        results=verdicts,
    )


def _finding(rule: Rule, verdict: Verdict) -> Finding:
    said = verdict.message or rule.title
    text = f"{said}; {rule.remedy}" if verdict.result is Result.FAIL else said
    return Finding(rule.id, rule.title, rule.severity, verdict.result, text[:_LONGEST], rule.references)


__all__ = ["RULES", "Compliance", "Finding", "Result", "Rule", "Severity", "Verdict", "assess"]
