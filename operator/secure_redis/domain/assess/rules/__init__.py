"""The security rules and their application. A new rule goes into the file of its subject and nowhere else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Profile
from secure_redis.domain.assess import waivers
from secure_redis.domain.assess.rules import (
    authentication,
    network,
    operations,
    persistence,
    resilience,
    storage,
    transport,
    vault,
    workloads,
)
from secure_redis.domain.assess.rules.rule import (
    PASS,
    THRESHOLD,
    WITHHOLDS,
    Result,
    Rule,
    Severity,
    Verdict,
)
from secure_redis.domain.assess.waivers import WaiverPolicy, Waiving
from secure_redis.domain.observe.observation import Observation

RULES: tuple[Rule, ...] = (
    *transport.RULES,
    *authentication.RULES,
    *network.RULES,
    *persistence.RULES,
    *storage.RULES,
    *resilience.RULES,
    *operations.RULES,
    *vault.RULES,
    *workloads.RULES,
)

_WORST_FIRST = {severity: place for place, severity in enumerate(Severity)}
_ORDER = {Result.FAIL: 0, Result.UNKNOWN: 1, Result.WAIVED: 2}
_COUNTS = tuple(severity for severity in Severity if _WORST_FIRST[severity] <= _WORST_FIRST[THRESHOLD])
_LONGEST = 1024  # of a message, by the schema
_LONGEST_NOTE = 512  # and of a note
MOST_NOTES = 50
_NO_POLICY = WaiverPolicy()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that did not pass. `message`: what was found and what to do."""

    rule: str
    title: str
    severity: Severity
    result: Result
    message: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compliance:
    """All rules applied to one observation. `findings`: all that did not pass; worst first, what is waived last.

    Every count is of `findings`, except `passed`. `notes`: which declared settings have no effect. `lapses`: when the
    first waiver that applies now lapses. `profile`: the one that applied. `recalled`: what could not be judged now, and
    only the status reports that it passed.
    """

    findings: tuple[Finding, ...] = ()
    recalled: tuple[Finding, ...] = ()
    passed: int = 0
    results: Mapping[str, Verdict] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lapses: datetime | None = None
    profile: Profile = Profile.BASELINE

    @property
    def failed(self) -> Mapping[Severity, int]:
        """How many rules failed, by severity. A failure of severity INFO is advice and not counted here."""
        return {
            severity: sum(1 for one in self.findings if one.result is Result.FAIL and one.severity is severity)
            for severity in Severity
            if severity is not Severity.INFO
        }

    def count(self, result: Result) -> int:
        """Count the findings with this result."""
        return sum(1 for one in self.findings if one.result is result)

    def counted(self, result: Result) -> tuple[Finding, ...]:
        """Return the findings with this result whose severity decides whether the cache is compliant."""
        return tuple(one for one in self.findings if one.result is result and one.severity in _COUNTS)

    @property
    def withholding(self) -> tuple[Finding, ...]:
        """Return the findings that withhold a new Secret under `connection.publish: WhenCompliant`, worst first.

        A rule of severity High or above that could not be judged withholds it too: unknown is not safe. An earlier Pass
        in the status does not count.
        """
        return tuple(
            one
            for one in (*self.findings, *self.recalled)
            if one.result in {Result.FAIL, Result.UNKNOWN} and _WORST_FIRST[one.severity] <= _WORST_FIRST[WITHHOLDS]
        )

    @property
    def compliant(self) -> bool | None:
        """False: a rule that counts failed. None: one is not known. True: neither."""
        if self.counted(Result.FAIL):
            return False
        return None if self.counted(Result.UNKNOWN) else True


def evaluate(
    resource: SecureRedisCache,
    observed: Observation,
    rules: tuple[Rule, ...] = RULES,
    *,
    waiver_policy: WaiverPolicy = _NO_POLICY,
    notes: tuple[str, ...] = (),
) -> Compliance:
    """Apply the rules, and the resource's waivers as far as `waiver_policy` permits them, to one observation.

    `notes`: further notes for the result.
    """
    profile = waivers.profile(resource, waiver_policy)
    raised = tuple(_raised(resource, profile))
    if raised:
        resource = replace(resource, spec=resource.spec.model_copy(update={"profile": profile}))
    waivings = waivers.waivings(resource, waiver_policy, observed.now)
    weights = {rule.id: rule.weight(profile) for rule in rules}
    verdicts: dict[str, Verdict] = {}
    recalled: list[Finding] = []
    for rule in rules:
        verdict = rule.check(resource, observed)
        earlier = _earlier(resource, rule.id, waivings.get(rule.id)) if verdict.pending else None
        now = _waived(verdict, waivings.get(rule.id))
        if earlier is not None and _open(now) and not _open(earlier):
            recalled.append(_finding(rule, weights[rule.id], now))
        verdicts[rule.id] = now if earlier is None else earlier
    findings = [_finding(rule, weights[rule.id], verdicts[rule.id]) for rule in rules if _open(verdicts[rule.id])]
    findings.sort(
        key=lambda one: (one.result is Result.WAIVED, _WORST_FIRST[one.severity], _ORDER.get(one.result, 0)),
    )
    applying = [one.until for rule, one in waivings.items() if rule in verdicts and one.refused is None]
    all_notes = (*raised, *_unknown_rules(waivings, verdicts), *notes)
    return Compliance(
        findings=tuple(findings),
        passed=sum(1 for verdict in verdicts.values() if verdict.result is Result.PASS),
        recalled=tuple(recalled),
        results=verdicts,
        notes=tuple(note[:_LONGEST_NOTE] for note in all_notes[:MOST_NOTES]),
        lapses=min(applying, default=None),
        profile=profile,
    )


def _open(verdict: Verdict) -> bool:
    return verdict.result in _ORDER


def _waived(verdict: Verdict, waiving: Waiving | None) -> Verdict:
    """Apply a waiver to a Fail or an Unknown. It never makes a Pass."""
    if waiving is None or not _open(verdict):
        return verdict
    if waiving.refused is not None:
        return Verdict(verdict.result, f"{waiving.refused}; {verdict.message}")
    waiver = waiving.waiver
    terms = f"waived until {waiver.expires} by {waiver.owner}: {waiver.reason}"
    return Verdict(Result.WAIVED, f"{terms}; {verdict.result}: {verdict.message}")


def _earlier(resource: SecureRedisCache, rule: str, waiving: Waiving | None) -> Verdict | None:
    """Return what an earlier process reported, for the minutes until this one has read as much.

    None: it reported nothing, or its report is no longer valid. A rule that it did not know is Unknown until its data
    is read.
    """
    before = resource.status.compliance
    if before is None or resource.status.observed_generation != resource.generation:
        return None
    reported = next((one for one in before.findings if one.rule == rule), None)
    if reported is None:
        return PASS if rule in before.passed_rules.split() else None
    if reported.result == Result.WAIVED and (waiving is None or waiving.refused is not None):
        return None
    result = Result.FAIL if reported.result == Result.ADVICE else Result(reported.result)
    return Verdict(result, reported.message, pending=True)


def _finding(rule: Rule, severity: Severity, verdict: Verdict) -> Finding:
    found = verdict.message or rule.title
    message = f"{found}; {rule.remedy}" if verdict.result is Result.FAIL and not verdict.pending else found
    advice = verdict.result is Result.FAIL and severity is Severity.INFO
    result = Result.ADVICE if advice else verdict.result
    return Finding(rule.id, rule.title, severity, result, message[:_LONGEST], rule.references)


def _raised(resource: SecureRedisCache, profile: Profile) -> Iterable[str]:
    if profile is not resource.spec.profile:
        yield f"profile: {profile} applies instead of {resource.spec.profile}, by the operator's configuration"


def _unknown_rules(waivings: Mapping[str, Waiving], known: Mapping[str, Verdict]) -> Iterable[str]:
    return (
        f"waivers: no rule is called {rule!r}, so this waiver does nothing" for rule in waivings if rule not in known
    )
