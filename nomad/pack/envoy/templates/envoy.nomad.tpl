# Envoy on every node, served by the job biplane, which it finds through Nomad's own service discovery and shows the
# identity that Nomad gives it.
#
#   nomad job run -var envoy=/usr/bin/envoy nomad/jobs/envoy.nomad.hcl

variable "driver" {
  description = "exec isolates the task and needs root for the nodes' agents; raw_exec does not; docker needs an image."
  type        = string
  default     = [[ var "driver" . | toJson ]]
}

variable "envoy" {
  description = "Envoy: a path on the nodes, or below local/ where it comes with the artifact, or in the image."
  type        = string
  default     = [[ var "envoy" . | toJson ]]
}

variable "biplane" {
  description = "Biplane, which has Envoy take leave of its clients: likewise."
  type        = string
  default     = [[ var "biplane" . | toJson ]]
}

variable "artifact" {
  description = "Where the binaries come from, if the nodes have none: the URL of an archive."
  type        = string
  default     = [[ var "artifact" . | toJson ]]
}

variable "checksum" {
  description = "What the artifact's checksum must be, such as sha256:..."
  type        = string
  default     = [[ var "checksum" . | toJson ]]
}

variable "image" {
  description = "For docker: an image with Envoy."
  type        = string
  default     = [[ var "image" . | toJson ]]
}

variable "datacenters" {
  description = "Where it runs, on every node."
  type        = list(string)
  default     = [[ var "datacenters" . | toJson ]]
}

variable "namespace" {
  description = "The namespace of this job and of the job biplane."
  type        = string
  default     = [[ var "namespace" . | toJson ]]
}

variable "fleet" {
  description = "The name in `proxyNames` of the gateways that these Envoys are to serve."
  type        = string
  default     = [[ var "fleet" . | toJson ]]
}

variable "xds_name" {
  description = "The name in Biplane's certificate."
  type        = string
  default     = [[ var "xds_name" . | toJson ]]
}

job "envoy" {
  datacenters = var.datacenters
  namespace   = var.namespace
  type        = "system"

  # Node after node.
  update {
    max_parallel     = 1
    min_healthy_time = "10s"
  }

  group "envoy" {
    network {
      port "admin" {}
    }

    service {
      name     = "envoy-admin"
      port     = "admin"
      address  = "127.0.0.1"
      provider = "nomad"

      check {
        name     = "has its configuration"
        type     = "http"
        path     = "/ready"
        interval = "2s"
        timeout  = "2s"
      }
    }

    # Nomad ends the leader first, and waits for it: Envoy runs on while its clients are asked to connect elsewhere.
    task "drain" {
      driver       = var.driver
      leader       = true
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      # What is null is left out: each driver knows its own settings only.
      config {
        command      = "/bin/sh"
        args         = ["${NOMAD_TASK_DIR}/drain.sh"]
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

      template {
        destination = "local/drain.sh"
        change_mode = "noop"
        data        = <<-END
          trap '"${var.biplane}" envoy drain --admin "127.0.0.1:$NOMAD_PORT_admin"; exit' TERM
          while :; do sleep 3600 & wait $!; done
        END
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }

    task "envoy" {
      driver = var.driver

      config {
        command      = var.envoy
        args         = ["-c", "${NOMAD_TASK_DIR}/bootstrap.yaml", "--use-dynamic-base-id", "--drain-time-s", "20"]
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

      # What Envoy shows Biplane. Nomad renews it; no restart is needed for that.
      identity {
        name        = "biplane"
        aud         = ["biplane"]
        file        = true
        ttl         = "1h"
        change_mode = "noop"
      }

      # Envoy follows files that are put in the place of others, which is what templates do, and identities do not.
      template {
        destination = "secrets/xds/token.yaml"
        change_mode = "noop"
        data        = <<-END
          resources:
            - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
              name: xds-token
              generic_secret: {secret: {inline_string: '{{ env "NOMAD_SECRETS_DIR" | printf "%s/nomad_biplane.jwt" | file }}'}}
        END
      }

      template {
        destination = "secrets/xds/authority.yaml"
        change_mode = "noop"
        data        = <<-END
          resources:
            - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
              name: xds-authority
              validation_context:
                trusted_ca:
                  inline_string: {{ with nomadVar "nomad/jobs/envoy" }}{{ .authority.Value | toJSON }}{{ end }}
        END
      }

      # Where Biplane is. Replicas come and go, and Envoy is never restarted for it.
      template {
        destination = "secrets/xds/replicas.yaml"
        change_mode = "noop"
        data        = <<-END
          version_info: "1"
          resources:
            - "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
              cluster_name: xds_cluster
              endpoints:
                - lb_endpoints:
          {{- range nomadService "biplane-xds" }}
                    - endpoint: {address: {socket_address: {address: "{{ .Address }}", port_value: {{ .Port }}}}}
          {{- end }}
        END
      }

      template {
        destination = "local/bootstrap.yaml"
        change_mode = "noop"
        data        = <<-END
          node: {id: '{{ env "NOMAD_ALLOC_ID" }}', cluster: ${var.fleet}}
          admin: {address: {socket_address: {address: 127.0.0.1, port_value: {{ env "NOMAD_PORT_admin" }}}}}
          dynamic_resources:
            ads_config:
              api_type: DELTA_GRPC
              transport_api_version: V3
              set_node_on_first_message_only: true
              grpc_services:
                - envoy_grpc:
                    cluster_name: xds_cluster
                    retry_policy: {retry_back_off: {base_interval: 0.5s, max_interval: 5s}}
            cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
            lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
          static_resources:
            clusters:
              - name: xds_cluster
                type: EDS
                connect_timeout: 5s
                eds_cluster_config:
                  eds_config:
                    resource_api_version: V3
                    path_config_source:
                      path: '{{ env "NOMAD_SECRETS_DIR" }}/xds/replicas.yaml'
                      watched_directory: {path: '{{ env "NOMAD_SECRETS_DIR" }}/xds'}
                transport_socket:
                  name: envoy.transport_sockets.tls
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
                    sni: ${var.xds_name}
                    common_tls_context:
                      tls_params: {tls_minimum_protocol_version: TLSv1_2}
                      alpn_protocols: [h2]
                      combined_validation_context:
                        default_validation_context:
                          match_typed_subject_alt_names:
                            - {san_type: DNS, matcher: {exact: ${var.xds_name}}}
                        validation_context_sds_secret_config:
                          name: xds-authority
                          sds_config:
                            resource_api_version: V3
                            path_config_source:
                              path: '{{ env "NOMAD_SECRETS_DIR" }}/xds/authority.yaml'
                              watched_directory: {path: '{{ env "NOMAD_SECRETS_DIR" }}/xds'}
                typed_extension_protocol_options:
                  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                    explicit_http_config:
                      http2_protocol_options:
                        connection_keepalive: {interval: 10s, timeout: 5s}
                    http_filters:
                      - name: envoy.filters.http.credential_injector
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector
                          overwrite: true
                          credential:
                            name: envoy.http.injected_credentials.generic
                            typed_config:
                              "@type": type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic
                              header: authorization
                              header_value_prefix: "Bearer "
                              credential:
                                name: xds-token
                                sds_config:
                                  resource_api_version: V3
                                  path_config_source:
                                    path: '{{ env "NOMAD_SECRETS_DIR" }}/xds/token.yaml'
                                    watched_directory: {path: '{{ env "NOMAD_SECRETS_DIR" }}/xds'}
                      - name: envoy.filters.http.upstream_codec
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec
          layered_runtime:
            layers:
              - name: biplane
                static_layer: {re2.max_program_size.error_level: 100000}
          deferred_stat_options: {enable_deferred_creation_stats: true}
          cluster_manager: {enable_deferred_cluster_creation: true}
        END
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
