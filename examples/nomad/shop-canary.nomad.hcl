variable "upstream" {
  description = "The full path of examples/upstream.py."
}

job "shop" {
  group "shop" {
    count = 2

    network {
      port "http" {}
    }

    # Out of the catalog this long before it ends, so that nobody is sent to it any more.
    shutdown_delay = "2s"

    update {
      canary           = 1
      max_parallel     = 1
      min_healthy_time = "1s"
    }

    service {
      name     = "shop"
      port     = "http"
      provider = "nomad"

      tags = [
        "biplane.enable=true",
        "biplane.hosts=shop.example.com",
      ]

      # What its canaries have in their place, until they are promoted.
      canary_tags = [
        "biplane.enable=true",
        "biplane.hosts=shop.example.com",
        "biplane.headers.x-canary=1",
        "biplane.responseHeadersToAdd.x-version=canary",
      ]

      check {
        type     = "http"
        path     = "/health"
        interval = "2s"
        timeout  = "1s"
      }
    }

    task "server" {
      driver       = "raw_exec"
      kill_timeout = "5s"

      config {
        command = "python3"
        args    = [var.upstream, "${NOMAD_PORT_http}"]
      }

      env {
        VERSION = "2"
      }

      resources {
        cpu    = 50
        memory = 50
      }
    }
  }
}
