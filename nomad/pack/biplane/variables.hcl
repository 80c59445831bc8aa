# Made of the job, as the template is.

variable "driver" {
  description = "exec isolates the task and needs root for the nodes' agents; raw_exec does not; docker needs an image."
  type        = string
  default     = "exec"
}

variable "biplane" {
  description = "The binary: a path on the nodes, or below local/ where it comes with the artifact (docker: /local/...)."
  type        = string
  default     = "/usr/bin/biplane"
}

variable "artifact" {
  description = "Where the binary comes from, if the nodes have none: the URL of an archive or a file."
  type        = string
  default     = ""
}

variable "checksum" {
  description = "What the artifact's checksum must be, such as sha256:..."
  type        = string
  default     = ""
}

variable "image" {
  description = "For docker: any image with a C library as new as that of Debian 12."
  type        = string
  default     = "debian:bookworm-slim"
}

variable "datacenters" {
  description = "Where it may run."
  type        = list(string)
  default     = ["*"]
}

variable "namespace" {
  description = "The namespace of the job, and of the services whose tags become routes."
  type        = string
  default     = "default"
}

variable "replicas" {
  description = "More than one needs a store that replicas share, Consul or etcd, and as many nodes."
  type        = number
  default     = 1
}

variable "store" {
  description = "Where the configuration is; the default is what this job carries, see local/resources below."
  type        = string
  default     = "file://local/resources"
}

variable "discovery" {
  description = "Where workloads are found; `nomad:` is this Nomad, as its task API shows it to this job's identity."
  type        = string
  default     = "nomad:"
}

variable "hosts" {
  description = "The hosts that jobs of the namespace may claim by their tags."
  type        = list(string)
  default     = ["*"]
}

variable "gateway_port" {
  description = "Where Envoy listens, in the configuration that this job carries."
  type        = number
  default     = 8080
}

variable "fleet" {
  description = "The fleet of the job envoy: the name in `proxyNames` of the gateways that it is to serve."
  type        = string
  default     = "gateway-proxy"
}

variable "jwks" {
  description = "Where the keys are by which identities of jobs are checked: the node's own agent, or an https URL."
  type        = string
  default     = "http://127.0.0.1:4646/.well-known/jwks.json"
}

variable "log" {
  description = "What is logged: error, warn, info, debug, trace."
  type        = string
  default     = "info"
}
