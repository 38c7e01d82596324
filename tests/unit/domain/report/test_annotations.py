"""An annotation without effect is reported once, with what was probably meant."""

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.report.annotations import ineffective, without_effect
from tests.builders.passes import resource


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("secureredis.io/refesh", "did you mean secureredis.io/refresh?"),
        ("secureredis.io/rotat", "did you mean secureredis.io/rotate?"),
        ("secureredis.io/Paused", "did you mean secureredis.io/paused?"),
        ("secureredis.io/allow-disruptions", "did you mean secureredis.io/allow-disruption?"),
        ("secureredis.io/allow", "it belongs on a ServiceAccount"),
        ("secureredis.io/inject", "it belongs as a label on a workload"),
        ("secureredis.io/zzzz", "known are secureredis.io/refresh, "),
    ],
)
def test_the_note_names_what_was_meant(name: str, note: str) -> None:
    (event,) = without_effect(resource(annotations={name: "1"}), ())
    assert (event.kind, event.reason) == ("Warning", Reason.UNKNOWN_ANNOTATION)
    assert event.note.startswith(f"the annotation {name} has no effect")
    assert note in event.note


def test_what_has_an_effect_or_was_reported_is_left_out() -> None:
    known = dict.fromkeys((*names.REQUESTS, names.OPERATOR, "example.com/note", "kubectl.kubernetes.io/x"), "1")
    assert without_effect(resource(annotations=known), ()) == ()
    typo = resource(annotations={"secureredis.io/refesh": "1"})
    assert without_effect(typo, typo.unknown_annotations) == ()


def test_what_the_secret_does_not_get_is_reported_once() -> None:
    connection = {"labels": {"synator/sync": "yes", "team": "shop"}, "annotations": {"kubed.appscode.com/sync": ""}}
    found = resource({"connection": connection})
    label, annotation = sorted(without_effect(found, ()), key=lambda event: event.note, reverse=True)
    assert label.note.startswith("spec.connection.labels[synator/sync] is left out of the Secret, because a replicator")
    assert annotation.note.startswith("spec.connection.annotations[kubed.appscode.com/sync] is left out of the Secret")
    assert without_effect(found, ineffective(found)) == ()
