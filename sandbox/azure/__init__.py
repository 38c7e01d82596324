"""The Azure simulator: Entra, ARM for Microsoft.Cache/redis and Key Vault behind TLS.

It behaves as `docs/internals/assumptions.md` lists.
"""

from sandbox.azure.control import Control, ControlError, Endpoints
from sandbox.azure.faults import Fault, Trouble
from sandbox.azure.settings import Settings
from sandbox.azure.simulator import AzureSimulator

__all__ = ["AzureSimulator", "Control", "ControlError", "Endpoints", "Fault", "Settings", "Trouble"]
