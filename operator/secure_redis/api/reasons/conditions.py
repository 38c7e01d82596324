"""Describe each condition, as the source of the generated documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.reason import ConditionType


@dataclass(frozen=True, slots=True)
class ConditionText:
    """The texts about a condition. `absent`: when it is not there at all. Empty if it always is."""

    question: str
    when_true: str
    when_false: str
    when_unknown: str
    absent: str = ""


CONDITIONS: Final[Mapping[ConditionType, ConditionText]] = {
    ConditionType.READY: ConditionText(
        "Is everything that the spec declares in place, for this generation of the object?",
        "The published Secret holds a proven key and the cache serves. Without `spec.authentication`, the cache was "
        "assessed. Every listed workload that exists consents, and a cache in mode Provision is this resource's own. "
        "It does not state that the cache is safe: see TransportSecured and Compliant. Pods that still hold an older "
        "key do not change it: see WorkloadsCurrent.",
        "Something that the spec declares is missing. The reason names it. Other conditions with the message "
        "`see Ready` have the same cause.",
        "Not read yet, or it could not be read. During an outage of Azure or Key Vault, a resource that was Ready for "
        "this generation stays Ready. This lasts for three intervals, at least 15 minutes, while its Secret is intact.",
    ),
    ConditionType.RECONCILING: ConditionText(
        "Is the operator waiting for something that is under way?",
        "Work is under way, in Azure or here. The reason names it.",
        "Never written: the condition is left out instead.",
        "Never written.",
        "Nothing is awaited, or the resource is Stalled or paused.",
    ),
    ConditionType.STALLED: ConditionText(
        "Is there a problem that no retry resolves?",
        "A person must act. The reason names the problem. The operator still checks again, in case it was resolved.",
        "Never written: the condition is left out instead.",
        "Never written.",
        "No problem is known that only a person can resolve.",
    ),
    ConditionType.CACHE_AVAILABLE: ConditionText(
        "Does the cache exist and serve under the host and port shown?",
        "Azure reports it usable, and there is a route: public access, an approved private endpoint or a subnet.",
        "It is not there, is not usable, or nothing can reach it.",
        "The operator could not read it. The message gives the cause.",
    ),
    ConditionType.TRANSPORT_SECURED: ConditionText(
        "Does the cache accept TLS 1.2 or newer and nothing else?",
        "Azure reports the non-TLS port off (Managed Redis: clientProtocol Encrypted). It also reports a minimum TLS "
        "version of 1.2 or newer, set explicitly. The probe found nothing else. If the probe could not check a part, "
        "the condition stays True and the message names the part.",
        "Azure reports, or the probe found, that the non-TLS port is open or that a broken TLS version is accepted. "
        "Or the probe found a certificate that is expired, not trusted or for another name.",
        "The cache could not be read, or Azure did not report it. An absent value is never taken as safe.",
    ),
    ConditionType.PERSISTENCE_ENCRYPTED: ConditionText(
        "Is what the cache persists encrypted as declared, all the way to the key?",
        "The operator checked every link. They are the account, its key, and infrastructure encryption if it is "
        "required. They also are HTTPS with TLS 1.2 or newer, no public blobs and, with managed identity, no open "
        "network. For Managed Redis they are its own disks, and a customer-managed key if there is one.",
        "A link is broken, or declared persistence is not set. The message names the first such link and a remedy.",
        "The cache, the account or its key could not be read. The message names the missing permission.",
        "Nothing is persisted and no persistence is declared.",
    ),
    ConditionType.CREDENTIALS_SYNCED: ConditionText(
        "Does the Secret hold the key that Key Vault holds, and was that key proven to be live?",
        "The Secret is published with a proven key.",
        "It is not, and the reason names the cause. A good Secret that was published earlier stays as it is.",
        "Key Vault, Azure or the Secret could not be read.",
        "No `spec.authentication`: no Secret is declared.",
    ),
    ConditionType.COMPLIANT: ConditionText(
        "Did every security rule pass?",
        "No rule failed and none was left unjudged. Rules of severity Low and Info, and waived ones, do not count.",
        "At least one rule failed. `status.compliance.findings` lists the failed rules.",
        "The cache could not be read, or a rule could not be judged.",
    ),
    ConditionType.DRIFT_DETECTED: ConditionText(
        "Does Azure differ from what the spec declares?",
        "It does. `status.drift` lists each field with its class. The reason names what blocks a permitted "
        "correction. This is the abnormal state.",
        "Azure has the values that the spec declares.",
        "The cache could not be read. Unknown is never shown as no drift.",
    ),
    ConditionType.WORKLOADS_CURRENT: ConditionText(
        "Does every pod of the listed workloads hold the key that the Secret holds?",
        "Every workload of `spec.workloads` is injected, and each of its pods was started with the current key (or "
        "re-reads it, as `reloadsFiles` says).",
        "A workload is not injected, or a pod holds an older key. The reason names the cause, and "
        "`status.workloads` the workloads.",
        "The workloads could not be read, or no Secret is published yet.",
        "No `spec.workloads`, and none was injected.",
    ),
}
