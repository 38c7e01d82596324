# The network, the cluster, the identity of the namespace, and its custom roles. docs/how-to/aks-terraform.md explains the order.
terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

provider "azurerm" {
  features {}
  subscription_id = var.subscription_id
}

data "azurerm_subscription" "current" {}

locals {
  # Read, publish, store and rotate the key. The operator requires two more powers if it creates the cache and corrects its drift.
  powers = concat(
    ["observe", "publish-key", "store-key", "rotate"],
    var.cache == "operator" ? ["provision", "correct"] : [],
  )
  roles = { for power in local.powers : power => jsondecode(file("${path.module}/../../roles/${power}.json")) }
}

# --- Network and cluster ---

resource "azurerm_resource_group" "platform" {
  name     = "platform"
  location = var.location
}

resource "azurerm_virtual_network" "platform" {
  name                = "platform"
  resource_group_name = azurerm_resource_group.platform.name
  location            = var.location
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "nodes" {
  name                 = "nodes"
  resource_group_name  = azurerm_resource_group.platform.name
  virtual_network_name = azurerm_virtual_network.platform.name
  address_prefixes     = ["10.0.0.0/20"]
}

resource "azurerm_subnet" "endpoints" {
  name                 = "endpoints"
  resource_group_name  = azurerm_resource_group.platform.name
  virtual_network_name = azurerm_virtual_network.platform.name
  address_prefixes     = ["10.0.16.0/24"]
}

resource "azurerm_user_assigned_identity" "cluster" {
  name                = "cluster"
  resource_group_name = azurerm_resource_group.platform.name
  location            = var.location
}

resource "azurerm_role_assignment" "cluster_network" {
  scope                = azurerm_virtual_network.platform.id
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_kubernetes_cluster" "platform" {
  name                = "platform"
  resource_group_name = azurerm_resource_group.platform.name
  location            = var.location
  dns_prefix          = "platform"
  kubernetes_version  = var.kubernetes_version

  # The operator exchanges tokens of ServiceAccounts at Entra, which trusts this issuer.
  oidc_issuer_enabled = true
  # Only the chart's value operatorIdentity of type WorkloadIdentity requires the webhook that this installs.
  workload_identity_enabled = true

  default_node_pool {
    name           = "system"
    vm_size        = "Standard_D2s_v5"
    node_count     = 2
    vnet_subnet_id = azurerm_subnet.nodes.id
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  # Without a policy engine the chart's NetworkPolicy has no effect.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_policy      = "cilium"
    network_data_plane  = "cilium"
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  depends_on = [azurerm_role_assignment.cluster_network]
}

# --- The namespace's identity ---

resource "azurerm_resource_group" "team" {
  name     = var.namespace
  location = var.location
}

resource "azurerm_user_assigned_identity" "team" {
  name                = "${var.namespace}-redis"
  resource_group_name = azurerm_resource_group.team.name
  location            = var.location
}

# Issuer, subject and audience must match the token exactly.
resource "azurerm_federated_identity_credential" "team" {
  name                      = "platform-${var.namespace}"
  user_assigned_identity_id = azurerm_user_assigned_identity.team.id
  issuer                    = azurerm_kubernetes_cluster.platform.oidc_issuer_url
  subject                   = "system:serviceaccount:${var.namespace}:secure-redis"
  audience                  = ["api://AzureADTokenExchange"]
}

# Role names are unique in a tenant. If yours has these roles, remove this resource and look them up with the data source.
resource "azurerm_role_definition" "secure_redis" {
  for_each = local.roles

  name              = each.value.Name
  scope             = data.azurerm_subscription.current.id
  description       = each.value.Description
  assignable_scopes = [data.azurerm_subscription.current.id]

  permissions {
    actions          = each.value.Actions
    not_actions      = each.value.NotActions
    data_actions     = each.value.DataActions
    not_data_actions = each.value.NotDataActions
  }
}

resource "azurerm_role_assignment" "team" {
  for_each = azurerm_role_definition.secure_redis

  scope              = azurerm_resource_group.team.id
  role_definition_id = each.value.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.team.principal_id
  principal_type     = "ServicePrincipal"
}
