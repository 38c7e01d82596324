variable "kubeconfig" {
  type        = string
  description = "The kubeconfig that az aks get-credentials wrote."
  default     = "~/.kube/config"
}

variable "context" {
  type        = string
  description = "The context of the cluster in that file."
  default     = "platform"
}

variable "image_repository" {
  type        = string
  description = "Where you pushed the image of the operator."
}

variable "image_tag" {
  type        = string
  description = "Its tag."
}

variable "namespace" {
  type        = string
  description = "Output namespace of ../azure."
}

variable "client_id" {
  type        = string
  description = "Output client_id of ../azure."
}

variable "tenant_id" {
  type        = string
  description = "Output tenant_id of ../azure."
}
