variable "subscription_id" {
  type        = string
  description = "The subscription that everything is created in."
}

variable "location" {
  type        = string
  description = "The region of all resources."
  default     = "westeurope"
}

variable "kubernetes_version" {
  type        = string
  description = "A minor version that AKS offers: az aks get-versions. The chart requires 1.34 or newer."
  default     = "1.34"
}

variable "namespace" {
  type        = string
  description = "The namespace that the identity is for. The team's resource group has the same name."
  default     = "shop"
}

variable "vault_name" {
  type        = string
  description = "Names of key vaults are unique in all of Azure."
}

variable "cache_name" {
  type        = string
  description = "A part of the host name of the cache."
}

variable "cache" {
  type        = string
  description = "managed: Terraform creates an Azure Managed Redis. classic: it creates an Azure Cache for Redis. operator: the operator creates an Azure Managed Redis."
  default     = "managed"

  validation {
    condition     = contains(["managed", "classic", "operator"], var.cache)
    error_message = "The value must be managed, classic or operator."
  }
}

variable "cache_exists" {
  type        = bool
  description = "Create the private endpoint. If the operator creates the cache, set this to false until it has done so."
  default     = true
}

variable "leader_cluster_uid" {
  type        = string
  description = "The uid of the namespace kube-system. With it, the object orders of the namespace stores and rotates the keys."
  default     = ""
}
