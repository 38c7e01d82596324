# The key vault, the cache and its private endpoint.
locals {
  classic = {
    type  = "redis"
    group = "redisCache"
    zone  = "privatelink.redis.cache.windows.net"
  }
  managed = {
    type  = "redisEnterprise"
    group = "redisEnterprise"
    zone  = "privatelink.redis.azure.net"
  }
  service  = var.cache == "classic" ? local.classic : local.managed
  cache_id = "${azurerm_resource_group.team.id}/providers/Microsoft.Cache/${local.service.type}/${var.cache_name}"

  # The object that may store and rotate the keys of a cache that Terraform manages.
  tags = var.leader_cluster_uid == "" ? {} : { secureredis-leader = "${var.leader_cluster_uid}/${var.namespace}/orders" }
}

resource "azurerm_key_vault" "team" {
  name                       = var.vault_name
  resource_group_name        = azurerm_resource_group.team.name
  location                   = var.location
  tenant_id                  = data.azurerm_subscription.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
}

resource "azurerm_managed_redis" "orders" {
  count = var.cache == "managed" ? 1 : 0

  name                  = var.cache_name
  resource_group_name   = azurerm_resource_group.team.name
  location              = var.location
  sku_name              = "Balanced_B5"
  public_network_access = "Disabled"
  tags                  = local.tags

  default_database {
    access_keys_authentication_enabled = true
    client_protocol                    = "Encrypted"
    clustering_policy                  = "NoCluster"
  }
}

resource "azurerm_redis_cache" "orders" {
  count = var.cache == "classic" ? 1 : 0

  name                          = var.cache_name
  resource_group_name           = azurerm_resource_group.team.name
  location                      = var.location
  sku_name                      = "Standard"
  family                        = "C"
  capacity                      = 1
  minimum_tls_version           = "1.2"
  non_ssl_port_enabled          = false
  public_network_access_enabled = false
  tags                          = local.tags
}

resource "azurerm_private_dns_zone" "cache" {
  name                = local.service.zone
  resource_group_name = azurerm_resource_group.platform.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "cache" {
  name                = "platform"
  private_dns_zone_id = azurerm_private_dns_zone.cache.id
  virtual_network_id  = azurerm_virtual_network.platform.id
}

resource "azurerm_private_endpoint" "cache" {
  count = var.cache_exists ? 1 : 0

  name                = var.cache_name
  resource_group_name = azurerm_resource_group.team.name
  location            = var.location
  subnet_id           = azurerm_subnet.endpoints.id

  private_service_connection {
    name                           = var.cache_name
    private_connection_resource_id = local.cache_id
    subresource_names              = [local.service.group]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.cache.id]
  }

  depends_on = [azurerm_managed_redis.orders, azurerm_redis_cache.orders]
}
