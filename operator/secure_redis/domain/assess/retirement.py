"""When Microsoft retires a service (docs/internals/azure-facts.md#retirement-dates)."""

from datetime import date
from typing import Final

from secure_redis.api.azure_ids import Service

REDIS: Final = date(2028, 9, 30)  # Basic, Standard and Premium; what is left is disabled from the next day on
ENTERPRISE: Final = date(2027, 3, 31)  # Enterprise and Enterprise Flash
# Since then, tenants that never had a cache cannot create one of a retiring kind.
CLOSED_TO_NEW_TENANTS: Final = date(2026, 4, 1)


def retires_on(service: Service, sku_name: str = "") -> date | None:
    """The day on which a cache is retired; None where none is announced. `sku_name`: of a Managed Redis cluster."""
    if service is Service.REDIS:
        return REDIS
    return ENTERPRISE if sku_name.lower().startswith("enterprise") else None
