"""The share of the documented read budget that the slow reads take in steady state, computed from the shipped ages."""

from benchmarks.figures import Figures
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.governance import KINDS, GovernanceAges

# Of a principal in a subscription (Microsoft, "Understand how Azure Resource Manager throttles requests": a bucket of
# 250 reads that is refilled with 25 a second).
READS_PER_SECOND = 25.0
_AROUND_EVERY = GovernanceAges().max_age * 0.875  # three quarters of the age to all of it
_CHILDREN_EVERY = Ages().children
_MANY = 1000


def report(figures: Figures, group: str, caches: int, *, vault: bool = True) -> None:
    """Report the shares. `caches`: of the largest identity in this run; `vault`: whether they name one, read too."""
    around = len(KINDS) - (not vault)
    share, many = caches * around / _AROUND_EVERY, _MANY * len(KINDS) / _AROUND_EVERY
    documented = f"documented are {READS_PER_SECOND:g} reads a second of an identity in a subscription"
    figures.report(
        f"{group}: child reads at rest, of an identity's budget",
        100 * share / READS_PER_SECOND,
        "%",
        target=10,
        compared_to=f"reckoned: {around} reads in {_AROUND_EVERY:.0f} s for each of {caches} caches of one identity in "
        f"one subscription; {documented}",
    )
    for reads, what in ((0, "closed"), (1, "open to a firewall"), (2, "persisting to an account")):
        figures.report(
            f"{group}: child reads at rest, of an identity's budget, {_MANY} caches of one identity, {what}",
            100 * (many + _MANY * reads / _CHILDREN_EVERY) / READS_PER_SECOND,
            "%",
            target=10,
            compared_to=f"reckoned: {len(KINDS)} reads in {_AROUND_EVERY:.0f} s and {reads} in {_CHILDREN_EVERY:.0f} s "
            f"for each; {documented}",
        )
