# Made of the job, as the template is.

variable "driver" {
  description = "exec isolates the task and needs root for the nodes' agents; raw_exec does not; docker needs an image."
  type        = string
  default     = "exec"
}

variable "envoy" {
  description = "Envoy: a path on the nodes, or below local/ where it comes with the artifact, or in the image."
  type        = string
  default     = "/usr/bin/envoy"
}

variable "biplane" {
  description = "Biplane, which has Envoy take leave of its clients: likewise."
  type        = string
  default     = "/usr/bin/biplane"
}

variable "artifact" {
  description = "Where the binaries come from, if the nodes have none: the URL of an archive."
  type        = string
  default     = ""
}

variable "checksum" {
  description = "What the artifact's checksum must be, such as sha256:..."
  type        = string
  default     = ""
}

variable "image" {
  description = "For docker: an image with Envoy."
  type        = string
  default     = "envoyproxy/envoy:v1.40.0"
}

variable "datacenters" {
  description = "Where it runs, on every node."
  type        = list(string)
  default     = ["*"]
}

variable "namespace" {
  description = "The namespace of this job and of the job biplane."
  type        = string
  default     = "default"
}

variable "fleet" {
  description = "The name in `proxyNames` of the gateways that these Envoys are to serve."
  type        = string
  default     = "gateway-proxy"
}

variable "xds_name" {
  description = "The name in Biplane's certificate."
  type        = string
  default     = "biplane"
}
