# The operator, and a namespace that consents. Apply it when the cluster of ../azure exists.
terraform {
  required_version = ">= 1.9"
  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.1"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 3.2"
    }
  }
}

provider "helm" {
  kubernetes = {
    config_path    = var.kubeconfig
    config_context = var.context
  }
}

provider "kubernetes" {
  config_path    = var.kubeconfig
  config_context = var.context
}

# The chart of this checkout, because no chart is published.
resource "helm_release" "operator" {
  name             = "secure-redis-operator"
  chart            = "${path.module}/../../../../charts/secure-redis-operator"
  namespace        = "secure-redis-system"
  create_namespace = true
  wait             = true

  set = [
    {
      name  = "image.repository"
      value = var.image_repository
    },
    {
      name  = "image.tag"
      value = var.image_tag
    },
  ]
}

resource "kubernetes_namespace_v1" "team" {
  metadata {
    name = var.namespace
  }
}

# Consent of the namespace: the operator may publish Secrets and use ServiceAccounts here.
resource "kubernetes_role_binding_v1" "consent" {
  metadata {
    name      = "secure-redis-operator"
    namespace = kubernetes_namespace_v1.team.metadata[0].name
  }

  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "ClusterRole"
    name      = "secure-redis-namespace"
  }

  subject {
    kind      = "ServiceAccount"
    name      = "secure-redis-operator"
    namespace = helm_release.operator.namespace
  }
}

# Consent of the identity's owner: the object orders may use it.
resource "kubernetes_service_account_v1" "secure_redis" {
  metadata {
    name      = "secure-redis"
    namespace = kubernetes_namespace_v1.team.metadata[0].name
    annotations = {
      "azure.workload.identity/client-id" = var.client_id
      "azure.workload.identity/tenant-id" = var.tenant_id
      "secureredis.io/allow"              = "orders"
    }
  }

  automount_service_account_token = false
}
