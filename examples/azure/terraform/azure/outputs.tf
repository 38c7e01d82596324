output "cache_id" {
  value = local.cache_id
}

output "client_id" {
  value = azurerm_user_assigned_identity.team.client_id
}

output "namespace" {
  value = var.namespace
}

output "tenant_id" {
  value = data.azurerm_subscription.current.tenant_id
}

output "vault_name" {
  value = azurerm_key_vault.team.name
}
