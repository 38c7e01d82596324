"""The corridor: observe, assess, plan, act, report. The only room that knows all others."""

from secure_redis.reconciler.corridor import Corridor, Next
from secure_redis.reconciler.memory import Ages
from secure_redis.reconciler.observe import Observer
from secure_redis.reconciler.probes import Probes, Rhythm

__all__ = ["Ages", "Corridor", "Next", "Observer", "Probes", "Rhythm"]
