# Biplane as a job: replicas that read one configuration, found by Envoys through Nomad's own service discovery.
#
#   nomad job run -var biplane=/usr/bin/biplane nomad/jobs/biplane.nomad.hcl
#
# docs/deploy/nomad.md has the steps before it: its certificate as a variable of Nomad, and the policy of its identity.

variable "driver" {
  description = "exec isolates the task and needs root for the nodes' agents; raw_exec does not; docker needs an image."
  type        = string
  default     = [[ var "driver" . | toJson ]]
}

variable "biplane" {
  description = "The binary: a path on the nodes, or below local/ where it comes with the artifact (docker: /local/...)."
  type        = string
  default     = [[ var "biplane" . | toJson ]]
}

variable "artifact" {
  description = "Where the binary comes from, if the nodes have none: the URL of an archive or a file."
  type        = string
  default     = [[ var "artifact" . | toJson ]]
}

variable "checksum" {
  description = "What the artifact's checksum must be, such as sha256:..."
  type        = string
  default     = [[ var "checksum" . | toJson ]]
}

variable "image" {
  description = "For docker: any image with a C library as new as that of Debian 12."
  type        = string
  default     = [[ var "image" . | toJson ]]
}

variable "datacenters" {
  description = "Where it may run."
  type        = list(string)
  default     = [[ var "datacenters" . | toJson ]]
}

variable "namespace" {
  description = "The namespace of the job, and of the services whose tags become routes."
  type        = string
  default     = [[ var "namespace" . | toJson ]]
}

variable "replicas" {
  description = "More than one needs a store that replicas share, Consul or etcd, and as many nodes."
  type        = number
  default     = [[ var "replicas" . | toJson ]]
}

variable "store" {
  description = "Where the configuration is; the default is what this job carries, see local/resources below."
  type        = string
  default     = [[ var "store" . | toJson ]]
}

variable "discovery" {
  description = "Where workloads are found; `nomad:` is this Nomad, as its task API shows it to this job's identity."
  type        = string
  default     = [[ var "discovery" . | toJson ]]
}

variable "hosts" {
  description = "The hosts that jobs of the namespace may claim by their tags."
  type        = list(string)
  default     = [[ var "hosts" . | toJson ]]
}

variable "gateway_port" {
  description = "Where Envoy listens, in the configuration that this job carries."
  type        = number
  default     = [[ var "gateway_port" . | toJson ]]
}

variable "fleet" {
  description = "The fleet of the job envoy: the name in `proxyNames` of the gateways that it is to serve."
  type        = string
  default     = [[ var "fleet" . | toJson ]]
}

variable "jwks" {
  description = "Where the keys are by which identities of jobs are checked: the node's own agent, or an https URL."
  type        = string
  default     = [[ var "jwks" . | toJson ]]
}

variable "log" {
  description = "What is logged: error, warn, info, debug, trace."
  type        = string
  default     = [[ var "log" . | toJson ]]
}

job "biplane" {
  datacenters = var.datacenters
  namespace   = var.namespace
  type        = "service"

  group "biplane" {
    count = var.replicas

    dynamic "constraint" {
      for_each = var.replicas > 1 ? [1] : []
      content {
        operator = "distinct_hosts"
        value    = "true"
      }
    }

    # A new version serves beside the old one until it has shown that it is well; if it never is, nothing has happened.
    update {
      canary            = var.replicas
      max_parallel      = var.replicas
      health_check      = "checks"
      min_healthy_time  = "10s"
      healthy_deadline  = "3m"
      progress_deadline = "0s" # the first replica that is not well ends it
      auto_promote      = true
      auto_revert       = true
    }

    restart {
      attempts = 2
      interval = "1m"
      delay    = "5s"
      mode     = "fail"
    }

    # The last good configuration: a restart answers from it whatever is down.
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = 300
    }

    network {
      port "xds" {}
      port "admin" {}
    }

    # Out of the catalog before it ends, so that Envoys look elsewhere first.
    shutdown_delay = "2s"

    service {
      name     = "biplane-xds"
      port     = "xds"
      provider = "nomad"

      check {
        name     = "takes connections"
        type     = "tcp"
        interval = "5s"
        timeout  = "2s"
      }
    }

    # The admin API stays on the node's loopback, where the agent asks it.
    service {
      name     = "biplane-admin"
      port     = "admin"
      address  = "127.0.0.1"
      provider = "nomad"

      check {
        name     = "serves"
        type     = "http"
        path     = "/ready"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "biplane" {
      driver = var.driver
      # Envoys are told to go elsewhere, and answers under way are finished.
      kill_timeout = "35s"

      # What is null is left out: each driver knows its own settings only.
      config {
        command      = var.biplane
        args         = ["serve", "--config", "${NOMAD_TASK_DIR}/biplane.yaml"]
        image        = var.driver == "docker" ? var.image : null
        network_mode = var.driver == "docker" ? "host" : null
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local"
          options {
            checksum = var.checksum
          }
        }
      }

      # Who it is for the task API; the policy of this identity is nomad/policies/biplane-read.policy.hcl.
      identity {
        file        = true
        change_mode = "noop"
      }

      env {
        BIPLANE_XDS       = "${NOMAD_IP_xds}:${NOMAD_PORT_xds}"
        BIPLANE_ADMIN     = "127.0.0.1:${NOMAD_PORT_admin}"
        BIPLANE_STATE_DIR = "${NOMAD_ALLOC_DIR}/data"
        BIPLANE_LOG       = var.log
      }

      template {
        destination   = "local/biplane.yaml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-END
          store: ${var.store}
          discovery: ["${var.discovery}"]
          tags:
            biplane: {enabled: true}
            policy:
              - {namespaces: ["${var.namespace}"], hosts: ${jsonencode(var.hosts)}}
          xdsTlsCert: {{ env "NOMAD_SECRETS_DIR" }}/server.pem
          xdsTlsKey: {{ env "NOMAD_SECRETS_DIR" }}/server.key
          # Whoever shows an identity that Nomad gave to the job envoy is one of its Envoys; nobody else is let in.
          identity:
            issuers:
              nomad: {jwks: "${var.jwks}", audience: biplane}
            rules:
              - token: {issuer: nomad, claims: {nomad_namespace: "${var.namespace}", nomad_job_id: envoy}}
                fleet: "${var.fleet}"
        END
      }

      # Renewed: `nomad var put` again. Biplane follows the files, streams live on.
      template {
        destination = "secrets/server.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/biplane\" }}{{ .certificate }}{{ end }}"
      }

      template {
        destination = "secrets/server.key"
        change_mode = "noop"
        perms       = "0600"
        data        = "{{ with nomadVar \"nomad/jobs/biplane\" }}{{ .key }}{{ end }}"
      }

      # The gateway that routes from tags hang on. Unused with a store of another kind.
      template {
        destination = "local/resources/gateway.yaml"
        change_mode = "noop"
        data        = <<-END
          kind: Gateway
          metadata: {name: web}
          spec: {bindAddress: "0.0.0.0", bindPort: ${var.gateway_port}, httpGateway: {}}
        END
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
